"""Every page, seen by everybody: nobody sees or changes what is not theirs."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml
from starlette.datastructures import QueryParams

from from_file import FromFile
from gateway import KEY, Provider, RunningGateway, call, config_for
from pages import Client, Person, ask, sign_in, token_of
from tenants import METRICS_KEY, OPERATOR_KEY, Tenants, tenants
from tierwise.dashboard.requests import Wanted
from tierwise.dashboard.site import Site

PAGES = (
    "/",
    "/?fragment=1",
    "/dashboard/requests",
    "/dashboard/models",
    "/dashboard/keys",
    "/dashboard/policies",
    "/dashboard/playground",
)
OPEN = ("/login", "/logout", "/static/", "/oidc")
ROLES = ("operator", "admin", "member", "viewer", "alien")


@pytest.mark.parametrize("path", [*PAGES, "/dashboard/requests/1", "/dashboard/policies/auto"])
def test_nobody_sees_a_page_without_signing_in(plain: Client, path: str) -> None:
    answer = plain.get(path)
    assert answer.status in (303, 401)
    assert "location" not in answer.headers or "/dashboard/login" in answer.headers["location"]
    assert answer.text == ""


def test_no_route_is_open_but_login_and_files(plain: Client, gateway: RunningGateway) -> None:
    plain.get("/")  # builds it
    site = gateway.application._endpoints._pages._site
    assert isinstance(site, Site)
    tried = 0
    for route in site._application.routes:
        path = route.path.replace("{id}", "1").replace("{name}", "auto")  # type: ignore[attr-defined]
        if path.rstrip("/") == "/dashboard" or any(part in path for part in OPEN):
            continue
        for method in route.methods - {"HEAD"}:  # type: ignore[attr-defined]
            answer = plain.request(method, path)
            assert answer.status in (303, 401, 403), (method, path)
            assert "Tierwise" not in answer.text
            tried += 1
    assert tried > 12


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", PAGES)
def test_every_role_can_look_at_every_page(people: dict[str, Person], path: str, role: str) -> None:
    answer = people[role].get(path)
    assert answer.status == 200, answer.text
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/dashboard/login", "/dashboard/static/app.css"])
def test_no_header_is_given_twice(people: dict[str, Person], path: str) -> None:
    connection = http.client.HTTPConnection(people["admin"].client.url.removeprefix("http://"))
    with contextlib.closing(connection):
        connection.request("GET", path)
        given = [name.lower() for name, _ in connection.getresponse().getheaders()]
    assert "x-content-type-options" in given
    assert [name for name in set(given) if given.count(name) > 1] == []


@pytest.mark.parametrize("role", ["operator", "admin", "member", "viewer"])
def test_only_operators_edit_policies(people: dict[str, Person], role: str) -> None:
    answers = [
        people[role].get("/dashboard/policies/auto"),
        people[role].post("/dashboard/policies/auto/preview", name="auto", quality="0.5"),
        people[role].post("/dashboard/policies/auto/apply", name="auto", quality="0.5"),
    ]
    assert [answer.status == 403 for answer in answers] == [role != "operator"] * 3


def test_no_page_shows_another_tenant_s_requests(people: dict[str, Person], both: Tenants) -> None:
    mine = people["admin"].get("/dashboard/requests").text
    theirs = people["alien"].get("/dashboard/requests").text
    assert mine.count('class="row"') == 2
    assert theirs.count('class="row"') == 2
    ids = [part.split('"')[0] for part in theirs.split('href="/dashboard/requests/')[1:]]
    assert len(ids) == 2
    for wanted in ids:
        assert people["alien"].get(f"/dashboard/requests/{wanted}").status == 200
        for role in ("admin", "member", "viewer"):
            answer = people[role].get(f"/dashboard/requests/{wanted}")
            assert answer.status == 404
            assert both.theirs.id not in answer.text
        assert people["operator"].get(f"/dashboard/requests/{wanted}").status == 200


def test_what_a_request_came_to_is_told_to_those_who_may_see_it(
    people: dict[str, Person], both: Tenants
) -> None:
    listed = people["member"].get("/dashboard/requests").text
    path = listed.split('class="row" href="')[1].split('"')[0] + "?fragment=1"
    told = people["member"].get(path)
    assert told.status == 200
    assert "answered under the policy auto" in told.text
    assert "<html" not in told.text
    for person in (people["alien"], sign_in(both.gateway.url, both.ours.secrets["other"])):
        assert person.get(path).status == 404


def test_a_request_says_whose_key_asked_and_that_naming_a_model_saves_nothing(
    tmp_path: Path,
) -> None:
    with tenants(tmp_path) as found:
        url, ours = found.gateway.url, found.ours
        secret, key = ours.secrets["member"], ours.keys["member"].id
        asked = {name: ask(url, f"a {name}", secret, name) for name in ("auto", "small")}
        found.gateway.settle()
        admin = sign_in(url, ours.secrets["admin"])
        opened = {n: admin.get(f"/dashboard/requests/{one}").text for n, one in asked.items()}
        listed = admin.get("/dashboard/requests").text
    assert f'asked by member <span class="mono">{key}</span>' in opened["small"]
    assert "not counted: it named its model" in opened["small"]
    assert "not counted" not in opened["auto"]
    rows = {name: listed.split(one)[1].partition("</tr>")[0] for name, one in asked.items()}
    assert '<span class="dim">named</span>' in rows["small"]
    assert '<span class="dim">named</span>' not in rows["auto"]


def test_asking_for_another_tenant_s_key_finds_nothing(
    people: dict[str, Person], both: Tenants
) -> None:
    key = both.theirs.keys["member"].id
    assert "No request is like that" in people["admin"].get(f"/dashboard/requests?key={key}").text
    assert 'class="row"' in people["operator"].get(f"/dashboard/requests?key={key}").text


def test_members_see_their_own_requests_alone(people: dict[str, Person], both: Tenants) -> None:
    assert people["member"].get("/dashboard/requests").text.count('class="row"') == 1
    assert people["viewer"].get("/dashboard/requests").text.count('class="row"') == 2
    lone = sign_in(both.gateway.url, both.ours.secrets["lone"])
    assert "There is no request here yet" in lone.get("/dashboard/requests").text


def test_the_overview_adds_up_what_is_theirs(people: dict[str, Person]) -> None:
    def requests(role: str) -> str:
        text = people[role].get("/?period=1h").text
        return text.split("<h2>Requests</h2>")[1].split('class="figure">')[1].split("<")[0]

    assert [requests(role) for role in ("member", "viewer", "admin", "operator")] == [
        "1", "2", "2", "4",
    ]  # fmt: skip


def test_no_page_shows_another_tenant_s_keys(people: dict[str, Person], both: Tenants) -> None:
    text = people["admin"].get("/dashboard/keys").text
    assert both.ours.keys["member"].id in text
    for key in both.theirs.keys.values():
        assert key.id not in text
    assert both.theirs.id not in text
    assert both.ours.keys["other"].id not in people["member"].get("/dashboard/keys").text


def test_how_deployments_are_is_for_operators(people: dict[str, Person]) -> None:
    assert "alpha/small" in people["operator"].get("/dashboard/models").text
    assert "alpha/small" not in people["admin"].get("/dashboard/models").text


def test_admins_make_keys_that_work_until_they_are_revoked(
    people: dict[str, Person], both: Tenants
) -> None:
    made = people["admin"].post("/dashboard/keys", name="fresh", role="member", policies="auto")
    assert made.status == 200
    secret = made.text.split('id="secret"')[1].split('value="')[1].split('"')[0]
    assert secret.startswith("tw-")
    assert secret not in people["admin"].get("/dashboard/keys").text
    ask(both.gateway.url, "hello", secret)
    text = people["admin"].get("/dashboard/keys").text
    key = text.split("fresh<br>")[1].split('dim">')[1].split("<")[0]
    assert people["admin"].post(f"/dashboard/keys/{key}/revoke").status == 303
    body = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
    refused = call(both.gateway.url, "POST", "/v1/chat/completions", body, key=secret)
    assert refused.status == 401


def secret_in(page: str) -> str:
    return page.split('id="secret"')[1].split('value="')[1].split('"')[0]


def test_members_make_keys_of_their_own(people: dict[str, Person], both: Tenants) -> None:
    person = people["member"]
    page = person.get("/dashboard/keys").text
    assert "Create a key" in page
    assert ">admin</option>" not in page
    made = person.post("/dashboard/keys", name="laptop", role="member", policies="auto")
    assert made.status == 200
    decision = ask(both.gateway.url, "hello", secret_in(made.text))
    both.gateway.settle()
    record = both.gateway.orchestrator.ledger.get(decision)
    assert record is not None
    assert record.owner is not None
    assert (record.owner.user, record.owner.team) == (both.ours.user, both.ours.team)
    key = made.text.split("laptop<br>")[1].split('dim">')[1].split("<")[0]
    assert person.post(f"/dashboard/keys/{key}/rotate", overlap_h="0").status == 200
    assert person.post(f"/dashboard/keys/{key}/revoke").status == 303


@pytest.mark.parametrize("name", ["viewer", "lone"])
def test_who_can_make_no_key_is_told_why(both: Tenants, name: str) -> None:
    page = sign_in(both.gateway.url, both.ours.secrets[name]).get("/dashboard/keys").text
    assert "Create a key" not in page
    assert "Ask an admin of the organisation" in page


def test_a_key_that_is_refused_can_be_mended(people: dict[str, Person], both: Tenants) -> None:
    narrow = sign_in(
        both.gateway.url, both.ours.key("slim", user=both.ours.user, models=("small",))
    )
    answer = narrow.post("/dashboard/keys", name="my <key>", models="large", tags="a, b")
    assert answer.status == 403
    assert 'role="alert"' in answer.text
    assert "`models` has &#39;large&#39;" in answer.text
    for value in ("my &lt;key&gt;", "large", "a, b"):
        assert f'value="{value}"' in answer.text


@pytest.mark.parametrize("hours", ["nan", "-1", "1000", "soon"])
def test_an_overlap_is_a_time_of_thirty_days_at_most(
    people: dict[str, Person], both: Tenants, hours: str
) -> None:
    key = both.ours.keys["other"].id
    assert people["admin"].post(f"/dashboard/keys/{key}/rotate", overlap_h=hours).status == 400


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_others_make_no_keys_of_others_and_no_budgets(
    people: dict[str, Person], both: Tenants, role: str
) -> None:
    person = people[role]
    key = both.ours.keys["other"].id
    refused = [
        person.post("/dashboard/keys", name="mine", role="admin"),
        person.post(f"/dashboard/keys/{key}/revoke"),
        person.post(f"/dashboard/keys/{key}/rotate"),
        person.post(
            "/dashboard/budgets", owner=f"key:{both.ours.keys['member'].id}", period="day",
            hard_usd="5",
        ),
    ]  # fmt: skip
    assert all(answer.status in (403, 404) for answer in refused)
    ask(both.gateway.url, "still there", both.ours.secrets["other"])


def test_an_admin_changes_no_key_of_another_tenant(
    people: dict[str, Person], both: Tenants
) -> None:
    key = both.ours.keys["other"].id
    assert people["alien"].post(f"/dashboard/keys/{key}/revoke").status == 404
    owner = f"org:{both.ours.id}"
    fields = {"owner": owner, "period": "day", "hard_usd": "0"}
    assert people["alien"].post("/dashboard/budgets", **fields).status == 404


def test_budgets_are_set_shown_and_taken_away(people: dict[str, Person], both: Tenants) -> None:
    admin = people["admin"]
    owner = f"team:{both.ours.team}"
    set_ = admin.post("/dashboard/budgets", owner=owner, period="total", hard_usd="5")
    assert set_.status == 303
    text = admin.get("/dashboard/keys").text
    assert "of $5.00" in text
    name = text.split("/dashboard/budgets/")[1].split("/")[0]
    assert admin.post(f"/dashboard/budgets/{name}/delete").status == 303
    assert "of $5.00" not in admin.get("/dashboard/keys").text


@pytest.mark.parametrize("hours", ["nan", "inf", "-1", "721"])
def test_a_secret_outlives_its_rotation_by_a_month_at_most(
    people: dict[str, Person], both: Tenants, hours: str
) -> None:
    key = both.ours.keys["other"].id
    refused = people["admin"].post(f"/dashboard/keys/{key}/rotate", overlap_h=hours)
    assert refused.status == 400
    assert "overlap_" in refused.text
    ask(both.gateway.url, "still there", both.ours.secrets["other"])


@pytest.mark.parametrize("before", ["1", "x_1", "nan_1", "inf_1", "1_-1", f"1_{2**63}"])
def test_what_is_no_place_in_the_list_is_refused(people: dict[str, Person], before: str) -> None:
    assert people["admin"].get(f"/dashboard/requests?before={before}").status == 400


def test_a_search_holds_no_sign_that_a_database_does_not_know() -> None:
    assert Wanted.of(QueryParams("id=a%00b&key=%00")) == Wanted(id="a\ufffdb", key="\ufffd")


def test_a_form_without_its_token_does_nothing(people: dict[str, Person], both: Tenants) -> None:
    client = people["admin"].client
    key = both.ours.keys["other"].id
    other = people["operator"].token()
    for token in ("", "0" * 64, other):
        sent = client.post(f"/dashboard/keys/{key}/revoke", token=token)
        assert sent.status == 403
    ask(both.gateway.url, "still there", both.ours.secrets["other"])


def test_a_login_ends_with_its_key(people: dict[str, Person], both: Tenants) -> None:
    secret = both.ours.key("passing", role="viewer")
    person = sign_in(both.gateway.url, secret)
    assert person.get("/").status == 200
    key = both.ours.keys["passing"].id
    assert people["operator"].post(f"/dashboard/keys/{key}/revoke").status == 303
    assert person.get("/").status == 303


def test_a_wrong_key_is_told_so_and_not_shown_again(gateway: RunningGateway) -> None:
    client = Client(gateway.url)
    token = token_of(client.get("/dashboard/login").text)
    answer = client.post("/dashboard/login", token=token, key="wrong-key-9")
    assert answer.status == 401
    assert "not one of this gateway" in answer.text
    assert "wrong-key-9" not in answer.text
    assert "tierwise_session" not in client.kept


def test_a_key_for_metrics_alone_does_not_sign_in(both: Tenants) -> None:
    client = Client(both.gateway.url)
    token = token_of(client.get("/dashboard/login").text)
    answer = client.post("/dashboard/login", token=token, key=METRICS_KEY)
    assert answer.status == 403
    assert "good for metrics only" in answer.text
    assert "tierwise_session" not in client.kept


def test_a_login_ends_when_its_key_is_for_metrics_alone(file: Path) -> None:
    data = yaml.safe_load(file.read_text())

    def write(key: object) -> None:
        data["server"]["api_keys"] = [{"key": OPERATOR_KEY, "admin": True}, key]
        file.write_text(yaml.safe_dump(data))

    write("k-1")
    with FromFile(file) as gateway:
        person = sign_in(gateway.url, "k-1")
        assert person.get("/").status == 200
        write({"key": "k-1", "only": ["metrics"]})
        assert call(gateway.url, "POST", "/v1/admin/reload", key=OPERATOR_KEY).status == 200
        for path in PAGES:
            answer = person.get(path)
            assert answer.status == 403
            assert "good for metrics only" in answer.text


def test_operators_see_what_keys_of_the_configuration_are_for(people: dict[str, Person]) -> None:
    shown = people["operator"].get("/dashboard/keys").text
    assert re.search(r">op</span> <span[^>]*>operator<", shown)
    assert re.search(r">prometheus</span> <span[^>]*>metrics only<", shown)


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "/v1/status"]
)
def test_a_login_goes_on_to_pages_of_ours_alone(gateway: RunningGateway, onward: str) -> None:
    client = Client(gateway.url)
    token = token_of(client.get("/dashboard/login").text)
    answer = client.post("/dashboard/login", token=token, key="client-key-1", next=onward)
    assert answer.headers["location"] == "/"


def test_cookies_are_strict_and_out_of_reach_of_scripts(gateway: RunningGateway) -> None:
    client = Client(gateway.url)
    token = token_of(client.get("/dashboard/login").text)
    answer = client.post("/dashboard/login", token=token, key="client-key-1")
    cookie = next(c for c in answer.cookies if c.startswith("tierwise_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


def test_signing_out_ends_it(keyed: Person) -> None:
    assert keyed.get("/").status == 200
    assert keyed.post("/dashboard/logout").status == 303
    assert keyed.get("/").status == 303


def test_a_cookie_that_somebody_has_kept_is_good_for_nothing_after_signing_out(
    gateway: RunningGateway, keyed: Person
) -> None:
    stolen = Client(gateway.url, dict(keyed.client.kept))
    token = token_of(stolen.get("/dashboard/keys").text)
    asked = '{"model": "small", "prompt": "Hello"}'
    headers = {"content-type": "application/json", "x-csrf-token": token}
    ask_path = "/dashboard/playground/ask"
    assert stolen.request("POST", ask_path, asked, headers).status == 200
    beside = sign_in(gateway.url, KEY)
    assert keyed.post("/dashboard/logout").status == 303
    assert stolen.get("/").status == 303
    assert stolen.request("POST", ask_path, asked, headers).status == 403
    assert beside.get("/").status == 200


def test_nobody_else_s_page_signs_somebody_out(keyed: Person) -> None:
    assert keyed.client.post("/dashboard/logout", token="0" * 64).status == 403
    assert keyed.get("/").status == 200


def test_a_login_that_was_ended_stays_so_after_a_restart(
    tmp_path: Path, provider: Provider
) -> None:
    data = config_for(
        provider.url,
        ledger={"path": str(tmp_path / "ledger.db")},
        dashboard={"session_secret": "s" * 32},
        server={"api_keys": [KEY]},
    )
    kept: list[dict[str, str]] = []
    with RunningGateway(data) as gateway:
        ended, going_on = sign_in(gateway.url, KEY), sign_in(gateway.url, KEY)
        kept += [dict(ended.client.kept), dict(going_on.client.kept)]
        assert ended.post("/dashboard/logout").status == 303
    with RunningGateway(data) as gateway:
        assert [Client(gateway.url, one).get("/").status for one in kept] == [303, 200]


def test_the_playground_is_not_for_viewers(people: dict[str, Person]) -> None:
    for role, status in (("viewer", 403), ("member", 200)):
        person = people[role]
        answer = person.client.request(
            "POST",
            "/dashboard/playground/ask",
            json.dumps({"model": "small", "prompt": "hello there"}),
            headers={"x-csrf-token": person.token()},
        )
        assert answer.status == status, answer.text


def test_the_playground_asks_for_the_key_that_signed_in(
    people: dict[str, Person], both: Tenants
) -> None:
    person = people["member"]
    answer = person.client.request(
        "POST",
        "/dashboard/playground/ask",
        json.dumps({"model": "small", "prompt": "hello there"}),
        headers={"x-csrf-token": person.token()},
    )
    assert "there" in answer.text
    both.gateway.settle()
    record = both.gateway.orchestrator.ledger.get(answer.headers["x-tierwise-decision-id"])
    assert record is not None
    assert record.owner is not None
    assert record.owner.key == both.ours.keys["member"].id


def test_the_playground_refuses_what_the_key_may_not_use(both: Tenants) -> None:
    person = sign_in(both.gateway.url, both.ours.key("narrow", models=("small",)))
    answer = person.client.request(
        "POST",
        "/dashboard/playground/ask",
        json.dumps({"model": "large", "prompt": "hello"}),
        headers={"x-csrf-token": person.token()},
    )
    assert answer.status == 403
    assert ">large<" not in person.get("/dashboard/playground").text


def test_without_keys_only_this_machine_s_own_names_are_answered(
    open_gateway: RunningGateway,
) -> None:
    port = open_gateway.host.rpartition(":")[2]
    client = Client(open_gateway.url)
    for host, status in (
        (f"127.0.0.1:{port}", 200),
        (f"localhost:{port}", 200),
        (f"rebound.example:{port}", 403),
    ):
        assert client.get("/", headers={"host": host}).status == status


def test_a_dashboard_that_is_switched_off_is_not_there(provider: object) -> None:
    assert isinstance(provider, Provider)
    data = config_for(provider.url, dashboard={"enabled": False})
    with RunningGateway(data) as gateway:
        assert call(gateway.url, "GET", "/", key=None).status == 404
        assert call(gateway.url, "GET", "/dashboard/keys", key=None).status == 404


def test_what_was_said_is_shown_to_whoever_asked_and_to_operators(tmp_path: Path) -> None:
    with tenants(tmp_path, ledger={"path": str(tmp_path / "l.db"), "store_content": True}) as found:
        ours, url = found.ours.secrets, found.gateway.url
        opened = ask(url, "a secret question", ours["member"])
        found.gateway.settle()
        shown = {
            key: "a secret question" in sign_in(url, key).get(f"/dashboard/requests/{opened}").text
            for key in (OPERATOR_KEY, ours["member"], ours["admin"], ours["viewer"])
        }
    assert list(shown.values()) == [True, True, False, False]


def test_what_guardrails_found_is_in_the_timeline(tmp_path: Path) -> None:
    with tenants(tmp_path) as found:
        opened = ask(found.gateway.url, "hello", found.ours.secrets["member"])
        found.gateway.settle()
        ledger = found.gateway.orchestrator.ledger
        record = ledger.get(opened)
        assert record is not None
        told = msgspec.structs.replace(
            record,
            decision=msgspec.structs.replace(
                record.decision, id="guarded", guardrails=("masked <2> addresses",)
            ),
        )
        ledger.record(lambda: told, "guarded")
        found.gateway.settle()
        person = sign_in(found.gateway.url, found.ours.secrets["member"])
        assert "masked &lt;2&gt; addresses" in person.get("/dashboard/requests/guarded").text


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/"])
def test_the_folder_of_the_pages_leads_to_the_first_one(plain: Client, path: str) -> None:
    answer = plain.get(path)
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_the_budget_of_an_organisation_is_offered_to_those_alone_who_may_set_it(
    people: dict[str, Person],
) -> None:
    offered = {
        role: 'value="org:' in people[role].get("/dashboard/keys").text
        for role in ("operator", "admin")
    }
    assert offered == {"operator": True, "admin": False}
