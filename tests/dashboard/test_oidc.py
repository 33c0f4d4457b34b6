"""Login by OpenID Connect, at a provider of its own: who is let in, and as what."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway import config_for
from oidc_provider import CLIENT, SECRET, OidcProvider
from pages import Answer, Client, Person
from tenants import Tenants, tenants
from tierwise.accounts.kinds import ORGANISATION, TEAM, USER
from tierwise.accounts.types import OPERATOR, User
from tierwise.accounts.wanted import NewOrganisation, NewTeam, NewUser
from tierwise.config import build, from_mapping
from tierwise.errors import ConfigError


@pytest.fixture(scope="module")
def idp() -> Iterator[OidcProvider]:
    with OidcProvider() as found:
        yield found


def oidc_at(idp: OidcProvider, **more: Any) -> dict[str, Any]:
    """How people sign in."""
    return {
        "issuer": idp.url,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "allowed_domains": ["ours.example", "operators.example"],
        "roles_claim": "groups",
        "roles": {"platform": "operator", "staff": "member", "readers": "viewer"},
        **more,
    }


@pytest.fixture(scope="module")
def gateway(idp: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    oidc = oidc_at(idp)
    with tenants(tmp_path_factory.mktemp("oidc"), dashboard={"oidc": oidc}) as found:
        yield found


@pytest.fixture(scope="module")
def narrow(idp: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """A gateway that lets those who sign in so ask not everything."""
    oidc = oidc_at(idp, models=["small"], policies=["auto"])
    with tenants(tmp_path_factory.mktemp("narrow"), dashboard={"oidc": oidc}) as found:
        yield found


@pytest.fixture(autouse=True)
def _fresh(idp: OidcProvider) -> None:
    idp.claims, idp.spoils, idp.refuses, idp.foreign_key = {}, {}, None, False


def begin(client: Client) -> str:
    """Goes to the provider; gives the address that it sends back to."""
    away = client.get("/dashboard/oidc?next=/dashboard/models")
    assert away.status == 303, away.text
    split = urlsplit(away.headers["location"])
    connection = http.client.HTTPConnection(split.netloc)
    connection.request("GET", f"{split.path}?{split.query}")
    back = connection.getresponse().headers["location"]
    connection.close()
    return back.removeprefix(client.url)


def come(gateway: Tenants, idp: OidcProvider, **claims: Any) -> tuple[Client, Answer]:
    """Signs in as somebody."""
    idp.claims = claims
    client = Client(gateway.gateway.url)
    return client, client.get(begin(client))


def test_the_login_page_offers_it(gateway: Tenants) -> None:
    page = Client(gateway.gateway.url).get("/dashboard/login").text
    assert "Sign in with your organisation" in page


def test_a_user_of_the_accounts_signs_in_with_their_role(
    gateway: Tenants, idp: OidcProvider
) -> None:
    client, answer = come(gateway, idp, email="Ann@ours.example", email_verified=True)
    assert answer.status == 200
    assert 'content="0;url=/dashboard/models"' in answer.text
    page = Person(client).get("/dashboard/keys")
    assert page.status == 200
    assert "member" in page.text
    assert gateway.ours.keys["member"].id in page.text
    assert gateway.ours.keys["other"].id not in page.text
    assert gateway.theirs.keys["member"].id not in page.text


def test_a_claim_makes_an_operator(gateway: Tenants, idp: OidcProvider) -> None:
    client, answer = come(gateway, idp, email="root@operators.example", groups=["x", "platform"])
    assert answer.status == 200
    assert client.get("/dashboard/policies/auto").status == 200


def make_user(gateway: Tenants, name: str, org: str) -> User:
    return gateway.accounts.store.create_user(OPERATOR, NewUser(name=name, org=org, role="admin"))


def test_an_operator_is_one_though_an_organisation_has_a_user_of_the_same_address(
    gateway: Tenants, idp: OidcProvider
) -> None:
    make_user(gateway, "Chief@operators.example", gateway.theirs.id)
    client, _ = come(gateway, idp, email="chief@operators.example", groups=["platform"])
    assert client.get("/dashboard/policies/auto").status == 200


def test_a_user_of_several_organisations_is_of_none_of_them(
    gateway: Tenants, idp: OidcProvider
) -> None:
    """Else whoever makes another one of the same address takes the first one's place away."""
    for org in (gateway.ours.id, gateway.theirs.id):
        make_user(gateway, "twice@ours.example", org)
    client, answer = come(gateway, idp, email="twice@ours.example", groups=["readers"])
    assert answer.status == 403
    assert client.get("/").status == 303


def test_a_user_who_has_ended_is_let_in_by_no_claim(gateway: Tenants, idp: OidcProvider) -> None:
    user = make_user(gateway, "left@ours.example", "default")
    client, answer = come(gateway, idp, email="left@ours.example", groups=["readers"])
    assert answer.status == 200
    assert client.get("/").status == 200
    gateway.accounts.store.end(OPERATOR, USER, user.id)
    assert client.get("/").status == 303
    _, again = come(gateway, idp, email="left@ours.example", groups=["readers"])
    assert again.status == 403


def test_a_login_of_a_user_who_has_ended_is_over_whatever_a_claim_says(
    gateway: Tenants, idp: OidcProvider
) -> None:
    """Else they would go on as somebody else: as what the claim makes of them."""
    user = make_user(gateway, "going@ours.example", gateway.ours.id)
    client, _ = come(gateway, idp, email="going@ours.example", groups=["readers"])
    assert client.get("/").status == 200
    gateway.accounts.store.end(OPERATOR, USER, user.id)
    assert client.get("/").status == 303


def test_nobody_is_let_in_as_a_user_of_an_organisation_that_has_ended(
    gateway: Tenants, idp: OidcProvider
) -> None:
    store = gateway.accounts.store
    org = store.create_organisation(OPERATOR, NewOrganisation(name="brief")).id
    make_user(gateway, "brief@ours.example", org)
    client, answer = come(gateway, idp, email="brief@ours.example")
    assert (answer.status, client.get("/").status) == (200, 200)
    store.end(OPERATOR, ORGANISATION, org)
    assert client.get("/").status == 303
    assert come(gateway, idp, email="brief@ours.example")[1].status == 403


def test_nobody_is_let_in_as_a_user_of_a_team_that_has_ended(
    gateway: Tenants, idp: OidcProvider
) -> None:
    store = gateway.accounts.store
    team = store.create_team(OPERATOR, NewTeam(org=gateway.ours.id, name="for a while")).id
    user = NewUser(org=gateway.ours.id, name="while@ours.example", role="member", team=team)
    store.create_user(OPERATOR, user)
    client, answer = come(gateway, idp, email="while@ours.example")
    assert (answer.status, client.get("/").status) == (200, 200)
    store.end(OPERATOR, TEAM, team)
    assert client.get("/").status == 303
    assert come(gateway, idp, email="while@ours.example")[1].status == 403


def test_signing_out_ends_it_for_all_who_have_the_cookie(
    gateway: Tenants, idp: OidcProvider
) -> None:
    client, _ = come(gateway, idp, email="Ann@ours.example", email_verified=True)
    stolen = Client(client.url, dict(client.kept))
    assert Person(client).post("/dashboard/logout").status == 303
    assert stolen.get("/").status == 303


def ask(client: Client, model: str) -> int:
    """The status of a question in the playground."""
    headers = {"content-type": "application/json", "x-csrf-token": Person(client).token()}
    body = json.dumps({"model": model, "prompt": "Hello"})
    return client.request("POST", "/dashboard/playground/ask", body, headers).status


@pytest.mark.parametrize(
    ("who", "asked"),
    [
        ({"email": "Ann@ours.example"}, {"small": 200, "large": 403, "auto": 200, "stepwise": 403}),
        (
            {"email": "new@ours.example", "groups": ["staff"]},
            {"small": 200, "large": 403, "auto": 200, "stepwise": 403},
        ),
        ({"email": "root@operators.example", "groups": ["platform"]}, {"large": 200}),
    ],
)
def test_those_who_sign_in_ask_what_the_configuration_lets_them(
    narrow: Tenants, idp: OidcProvider, who: dict[str, Any], asked: dict[str, int]
) -> None:
    client, _ = come(narrow, idp, **who)
    assert {model: ask(client, model) for model in asked} == asked
    shown = client.get("/dashboard/playground").text
    assert all((f'value="{model}"' in shown) == (asked[model] == 200) for model in asked)


def test_a_key_that_they_make_may_use_no_more(narrow: Tenants, idp: OidcProvider) -> None:
    client, _ = come(narrow, idp, email="Ann@ours.example")
    refused = Person(client).post("/dashboard/keys", name="wide", role="member", models="large")
    assert refused.status == 403
    assert "may use small" in refused.text
    assert Person(client).post("/dashboard/keys", name="mine", role="member").status == 200
    listed = narrow.call("GET", f"keys?org={narrow.ours.id}").json["data"]
    (made,) = [one for one in listed if one["name"] == "mine"]
    assert (made["models"], made["policies"]) == (["small"], ["auto"])


@pytest.mark.parametrize(
    ("bounds", "status"),
    [
        ({"models": ("small",), "policies": ("auto",)}, 200),
        ({"models": ("small", "large"), "policies": ("auto",)}, 403),
        ({"models": ("small",)}, 403),
        ({"models": ("small",), "policies": ("auto",), "passthrough": True}, 403),
    ],
)
def test_they_have_a_new_secret_of_no_key_that_may_use_more(
    narrow: Tenants, idp: OidcProvider, bounds: dict[str, Any], status: int
) -> None:
    narrow.ours.key("hers", user=narrow.ours.user, **bounds)
    key = narrow.ours.keys["hers"]
    client, _ = come(narrow, idp, email="ann@ours.example")
    reply = Person(client).post(f"/dashboard/keys/{key.id}/rotate")
    assert reply.status == status
    assert ("may do more than your login" in reply.text) == (status == 403)


@pytest.mark.parametrize(("part", "under"), [("models", "providers"), ("policies", "policies")])
def test_what_they_may_ask_has_to_be_configured(part: str, under: str) -> None:
    oidc = {"issuer": "https://id.example", "client_id": "c", "client_secret": "s", part: ["huge"]}
    with pytest.raises(ConfigError) as caught:
        build(from_mapping(config_for("http://127.0.0.1:9/v1", dashboard={"oidc": oidc})))
    assert caught.value.field == f"dashboard.oidc.{part}.0"
    assert caught.value.remedy is not None
    assert under in caught.value.remedy


def test_a_claim_alone_shows_no_tenant_s_keys(gateway: Tenants, idp: OidcProvider) -> None:
    client, _ = come(gateway, idp, email="eve@ours.example", groups=["readers"])
    page = client.get("/dashboard/keys").text
    for tenant in (gateway.ours, gateway.theirs):
        assert all(key.id not in page for key in tenant.keys.values())


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "stranger@ours.example"},
        {"email": "ann@theirs.example", "groups": ["platform"]},
        {"email": "ann@ours.example", "email_verified": False},
        {"email": "ann@ours.example", "email_verified": "false"},
        {"name": "nobody"},
    ],
)
def test_nobody_else_is_let_in(gateway: Tenants, idp: OidcProvider, claims: Any) -> None:
    client, answer = come(gateway, idp, **claims)
    assert answer.status == 403
    assert client.get("/").status == 303


@pytest.mark.parametrize(
    "spoils",
    [{"nonce": "another"}, {"aud": "another"}, {"iss": "http://another"}, {"exp": 1}],
)
def test_a_token_that_is_not_for_this_login_is_refused(
    gateway: Tenants, idp: OidcProvider, spoils: Any
) -> None:
    idp.spoils = spoils
    client, answer = come(gateway, idp, email="ann@ours.example")
    assert answer.status == 403
    assert client.get("/").status == 303


def test_a_token_that_somebody_else_has_signed_is_refused(
    gateway: Tenants, idp: OidcProvider
) -> None:
    idp.foreign_key = True
    client, answer = come(gateway, idp, email="ann@ours.example")
    assert answer.status == 403
    assert client.get("/").status == 303


def test_a_login_that_began_in_another_browser_is_refused(
    gateway: Tenants, idp: OidcProvider
) -> None:
    idp.claims = {"email": "ann@ours.example"}
    attacker, victim = Client(gateway.gateway.url), Client(gateway.gateway.url)
    back = begin(attacker)
    assert victim.get(back).status == 403
    begin(victim)
    assert victim.get(back).status == 403  # another state than its own


def test_what_the_provider_refuses_is_told(gateway: Tenants, idp: OidcProvider) -> None:
    idp.refuses = "access_denied"
    _, answer = come(gateway, idp, email="ann@ours.example")
    assert answer.status == 403
    assert "access_denied" in answer.text


def test_a_code_works_once(gateway: Tenants, idp: OidcProvider) -> None:
    idp.claims = {"email": "ann@ours.example"}
    client = Client(gateway.gateway.url)
    back = begin(client)
    kept = dict(client.kept)
    assert client.get(back).status == 200
    again = Client(gateway.gateway.url, kept)
    assert again.get(back).status in (403, 503)


def test_the_browser_is_sent_with_a_challenge(gateway: Tenants, idp: OidcProvider) -> None:
    client = Client(gateway.gateway.url)
    away = client.get("/dashboard/oidc")
    asked = parse_qs(urlsplit(away.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert SECRET not in away.headers["location"]
    cookie = next(c for c in away.cookies if c.startswith("tierwise_oidc="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


@pytest.mark.process
def test_a_browser_that_comes_from_another_site_is_signed_in(
    tab: Any, gateway: Tenants, idp: OidcProvider
) -> None:
    idp.claims = {"email": "ann@ours.example"}
    tab.page.goto(gateway.gateway.url + "/dashboard/requests")
    tab.page.get_by_role("link", name="Sign in with your organisation").click()
    tab.page.get_by_role("heading", name="Requests", level=1).wait_for()
    assert tab.complaints == []
