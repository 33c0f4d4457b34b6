"""Keys of the accounts at the gateway: what they may be used for, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway import KEY, call, chat
from tenants import OPERATOR_KEY, Tenants, tenants
from tierwise.accounts.types import OPERATOR
from tierwise.accounts.wanted import KeyChange, NewBudget, NewKey
from vectors import Embeds
from vectors import config as embedding_config


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with tenants(tmp_path_factory.mktemp("accounts")) as found:
        yield found


@pytest.fixture
def both(running: Tenants) -> Tenants:
    running.provider.reset()
    running.gateway.forget()
    return running


def test_a_key_of_the_database_is_let_in_and_its_owner_recorded(both: Tenants) -> None:
    reply = chat(both.gateway.url, key=both.ours.secrets["member"])
    assert reply.status == 200
    record = both.gateway.last_record()
    key = both.ours.keys["member"]
    assert record.caller == key.id
    assert (record.owner.key, record.owner.user) == (key.id, both.ours.user)
    assert (record.owner.team, record.owner.org) == (both.ours.team, both.ours.id)


def test_nobody_is_let_in_without_a_key(both: Tenants) -> None:
    assert chat(both.gateway.url, key=None).status == 401
    assert chat(both.gateway.url, key="tw-wrong").status == 401


def test_keys_of_the_configuration_go_on_working(both: Tenants) -> None:
    assert chat(both.gateway.url, key=KEY).status == 200
    assert both.gateway.last_record().owner.org == "default"


def test_a_revoked_key_is_refused_by_the_very_next_request(both: Tenants) -> None:
    secret = both.ours.key("short-lived")
    assert chat(both.gateway.url, key=secret).status == 200
    both.accounts.keyring.revoke(OPERATOR, both.ours.keys["short-lived"].id)
    assert chat(both.gateway.url, key=secret).status == 401


def test_the_status_says_whether_accounts_can_be_read(
    both: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> object:
        return call(both.gateway.url, "GET", "/v1/status", key=OPERATOR_KEY).json["accounts"]

    assert said() == {"last_error": None}
    monkeypatch.setattr(both.accounts.directory, "last_error", "OperationalError")
    assert said() == {"last_error": "OperationalError"}


def test_a_key_that_expires_stops_working_by_the_clock(
    both: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = both.ours.key("until-noon", expires_at=time.time() + 3600)
    assert chat(both.gateway.url, key=secret).status == 200
    later = time.time() + 3601
    monkeypatch.setattr("tierwise.server.keys.time.time", lambda: later)
    monkeypatch.setattr(both.accounts.directory, "_now", lambda: later)
    assert chat(both.gateway.url, key=secret).status == 401


def test_a_rotated_key_overlaps_as_long_as_was_said(
    both: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = both.ours.key("rotated")
    name = both.ours.keys["rotated"].id
    reply = both.call("POST", f"keys/{name}/rotate", {"overlap_s": 600})
    new = reply.json["secret"]
    assert new != old
    assert [chat(both.gateway.url, key=one).status for one in (old, new)] == [200, 200]
    later = time.time() + 601
    monkeypatch.setattr("tierwise.server.keys.time.time", lambda: later)
    monkeypatch.setattr(both.accounts.directory, "_now", lambda: later)
    assert [chat(both.gateway.url, key=one).status for one in (old, new)] == [401, 200]


def test_a_key_that_has_expired_is_given_no_secret_that_would_be_no_good(
    both: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    both.ours.key("brief", expires_at=time.time() + 60)
    name = both.ours.keys["brief"].id
    monkeypatch.setattr(both.accounts.database, "now", lambda: time.time() + 61)
    reply = both.call("POST", f"keys/{name}/rotate")
    assert (reply.status, reply.error["param"]) == (400, "id")
    assert "expires_at" in reply.error["message"]


def test_rotated_without_overlap_the_old_secret_is_refused_at_once(both: Tenants) -> None:
    old = both.ours.key("leaked")
    assert chat(both.gateway.url, key=old).status == 200
    reply = both.call("POST", f"keys/{both.ours.keys['leaked'].id}/rotate")
    assert chat(both.gateway.url, key=old).status == 401
    assert chat(both.gateway.url, key=reply.json["secret"]).status == 200


def test_ending_a_user_ends_its_keys(both: Tenants) -> None:
    from tierwise.accounts.wanted import NewUser

    user = both.accounts.store.create_user(OPERATOR, NewUser(name="leaver", org=both.ours.id))
    secret = both.ours.key("of-leaver", user=user.id)
    assert chat(both.gateway.url, key=secret).status == 200
    assert both.call("DELETE", f"users/{user.id}").status == 200
    assert chat(both.gateway.url, key=secret).status == 401


def test_a_model_that_the_key_may_not_use_is_refused_by_name(both: Tenants) -> None:
    secret = both.ours.key("small-only", models=("small",))
    assert chat(both.gateway.url, "small", key=secret).status == 200
    for named in ("large", "alpha/large", "no-such-model"):
        reply = chat(both.gateway.url, named, key=secret)
        assert reply.status == 403
        assert reply.error["param"] == "model"
        assert named in reply.error["message"]
        assert "small" in reply.error["message"]
    assert all(seen.body["model"] == "small" for seen in both.provider.seen)


def test_the_refusal_is_in_the_dialect_of_who_asked(both: Tenants) -> None:
    secret = both.ours.key("small-only-2", models=("small",))
    body = {"model": "large", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
    reply = call(
        both.gateway.url, "POST", "/v1/messages", body, key=None, headers={"x-api-key": secret}
    )
    assert reply.status == 403
    assert reply.json["type"] == "error"
    assert reply.json["error"]["type"] == "permission_error"


def test_auto_chooses_among_the_models_that_the_key_may_use(both: Tenants) -> None:
    secret = both.ours.key("large-only", models=("large",))
    reply = chat(both.gateway.url, "auto", key=secret)
    assert reply.headers["x-tierwise-model"] == "large"
    both.gateway.settle()
    name = reply.headers["x-tierwise-decision-id"]
    decision = call(both.gateway.url, "GET", f"/v1/decisions/{name}", key=secret).json["decision"]
    (small,) = [one for one in decision["candidates"] if one["model"] == "small"]
    assert small["role"] == "excluded"
    assert "key" in small["why"]


def test_a_policy_that_the_key_may_not_use_is_refused(both: Tenants) -> None:
    secret = both.ours.key("stepwise-only", policies=("stepwise",))
    assert chat(both.gateway.url, "stepwise", key=secret).status == 200
    assert chat(both.gateway.url, "auto", key=secret).status == 403
    reply = chat(both.gateway.url, "small", key=secret, headers={"x-tierwise-policy": "auto"})
    assert (reply.status, reply.error["param"]) == (403, "x-tierwise-policy")


def test_only_what_the_key_may_use_is_listed(both: Tenants) -> None:
    secret = both.ours.key("listed", models=("small",), policies=("auto",))
    url = both.gateway.url
    names = [one["id"] for one in call(url, "GET", "/v1/models", key=secret).json["data"]]
    assert names == ["auto", "small"]
    assert call(url, "GET", "/v1/models/small", key=secret).status == 200
    assert call(url, "GET", "/v1/models/alpha/small", key=secret).status == 200
    for hidden in ("large", "stepwise", "alpha/large", "none"):
        assert call(url, "GET", f"/v1/models/{hidden}", key=secret).status == 404
    google = call(url, "GET", "/v1beta/models", key=secret).json["models"]
    assert [one["name"] for one in google] == ["models/auto", "models/small"]


def test_a_key_has_limits_of_its_own_that_can_be_changed(both: Tenants) -> None:
    secret = both.ours.key("slow", rpm=1)
    assert [chat(both.gateway.url, key=secret).status for _ in range(2)] == [200, 429]
    name = both.ours.keys["slow"].id
    both.accounts.keyring.change(OPERATOR, name, KeyChange(rpm=None))
    assert chat(both.gateway.url, key=secret).status == 200


def test_what_is_passed_through_needs_to_be_given(both: Tenants) -> None:
    url = both.gateway.url
    reply = call(url, "POST", "/v1/images/generations", {}, key=both.ours.secrets["admin"])
    assert reply.status == 403
    secret = both.ours.key("passing", passthrough=True)
    assert call(url, "POST", "/v1/images/generations", {}, key=secret).status != 403


def test_a_hard_budget_refuses_with_what_is_spent_and_when_it_renews(both: Tenants) -> None:
    secret = both.ours.key("poor")
    name = both.ours.keys["poor"].id
    budget = both.accounts.store.create_budget(
        OPERATOR, NewBudget(scope="key", owner=name, period="month", hard_usd=0.00003)
    )
    statuses = [chat(both.gateway.url, key=secret, max_tokens=5).status for _ in range(9)]
    assert statuses[0] == 200
    assert statuses[-1] == 402
    reply = chat(both.gateway.url, key=secret, max_tokens=5)
    message = reply.error["message"]
    assert reply.error["code"] == "budget_exceeded"
    for said in (budget.id, "monthly budget of key poor", "3e-05 USD", "renews at"):
        assert said in message
    shown = both.call("GET", f"budgets/{budget.id}").json
    assert 0 < shown["spent_usd"] <= 0.00006
    assert shown["set_aside_usd"] == 0
    assert both.call("PATCH", f"budgets/{budget.id}", {"hard_usd": 10}).status == 200
    assert chat(both.gateway.url, key=secret).status == 200


@pytest.mark.parametrize("named", ["vectors", "beta/vectors", "beta/beta-vectors"])
def test_a_hard_budget_bounds_embeddings_however_their_model_is_named(
    tmp_path: Path, named: str
) -> None:
    with Embeds() as embeds:
        data = embedding_config(embeds.url)
        sections = {name: data[name] for name in ("providers", "models")}
        with tenants(tmp_path, **sections) as found:
            secret = found.ours.key("poor")
            wanted = NewBudget(
                scope="key", owner=found.ours.keys["poor"].id, period="day", hard_usd=0.003
            )
            found.accounts.store.create_budget(OPERATOR, wanted)
            body = {"model": named, "input": "one"}
            statuses = [
                call(found.gateway.url, "POST", "/v1/embeddings", body, key=secret).status
                for _ in range(4)
            ]
    assert statuses == [200, 200, 402, 402]


@pytest.mark.parametrize("stream", [False, True])
def test_a_soft_budget_warns_and_serves(both: Tenants, stream: bool) -> None:
    name = f"warned-{stream}"
    secret = both.ours.key(name)
    budget = both.accounts.store.create_budget(
        OPERATOR,
        NewBudget(scope="key", owner=both.ours.keys[name].id, period="day", soft_usd=0),
    )
    reply = chat(both.gateway.url, key=secret, stream=stream)
    assert reply.status == 200
    assert budget.id in reply.headers["x-tierwise-budget-warning"]
    assert both.call("GET", f"budgets/{budget.id}").json["soft_passed"]


def test_a_budget_of_the_team_is_spent_by_all_of_its_keys(both: Tenants) -> None:
    from tierwise.accounts.wanted import NewTeam

    team = both.accounts.store.create_team(OPERATOR, NewTeam(name="pool", org=both.ours.id)).id
    secrets = [both.ours.key(f"pool-{n}", team=team) for n in range(2)]
    budget = both.accounts.store.create_budget(
        OPERATOR, NewBudget(scope="team", owner=team, period="total", hard_usd=100)
    )
    costs = [
        float(chat(both.gateway.url, key=one).headers["x-tierwise-cost-usd"]) for one in secrets
    ]
    shown = both.call("GET", f"budgets/{budget.id}").json
    assert shown["spent_usd"] == pytest.approx(sum(costs))
    assert shown["renews_at"] is None


def test_a_new_key_shows_its_secret_once_and_keeps_a_digest(both: Tenants) -> None:
    made = both.call("POST", "keys", {"name": "fresh", "org": both.ours.id}).json
    assert made["secret"].startswith("tw-")
    assert made["secret"].startswith(made["prefix"])
    again = both.call("GET", f"keys/{made['id']}")
    assert "secret" not in again.json
    database = Path(both.accounts.database.engine.url.database or "")
    stored = b"".join(file.read_bytes() for file in database.parent.iterdir())
    assert made["secret"].encode() not in stored
    audit = both.call("GET", "audit", key=OPERATOR_KEY)
    assert made["secret"].encode() not in audit.body


def test_every_act_is_in_the_audit_log_with_what_was_before(both: Tenants) -> None:
    made = both.call("POST", "teams", {"name": "before", "org": both.ours.id}).json
    both.call("PATCH", f"teams/{made['id']}", {"name": "after"})
    both.call("DELETE", f"teams/{made['id']}")
    listed = both.call("GET", "audit").json["data"]
    acts = [one for one in listed if one["target"] == made["id"]]
    assert [one["action"] for one in acts] == ["team.delete", "team.change", "team.create"]
    assert acts[1]["before"] == {"name": "before"}
    assert acts[1]["after"] == {"name": "after"}
    assert acts[1]["actor"] == "the key op of the configuration"
    assert acts[1]["org"] == both.ours.id


def test_what_is_done_to_the_gateway_itself_is_in_the_audit_log_too(both: Tenants) -> None:
    for order in ("drain", "restore"):
        assert both.call("POST", f"deployments/alpha/small/{order}").status == 200
    entries = both.call("GET", "audit?limit=2").json["data"]
    said = [(one["action"], one["target"], one["actor"]) for one in entries]
    actor = "the key op of the configuration"
    assert said == [
        ("deployment.restore", "alpha/small", actor),
        ("deployment.drain", "alpha/small", actor),
    ]
    key = both.ours.secrets["admin"]
    shown = both.call("GET", "audit", key=key).json["data"]
    assert not [one for one in shown if one["action"].startswith("deployment")]


def test_an_order_is_carried_out_though_the_audit_log_is_away(tmp_path: Path) -> None:
    with tenants(tmp_path) as found:
        with found.accounts.database.engine.begin() as connection:
            connection.execute(text("DROP TABLE account_audit"))
        reply = found.call("POST", "deployments/alpha/small/drain")
        assert (reply.status, reply.json["state"]) == (200, "drained")


def test_a_refused_act_leaves_nothing_behind(both: Tenants) -> None:
    before = both.call("GET", "audit").json["data"][0]["id"]
    reply = both.call("POST", "teams", {"name": "search", "org": both.ours.id})
    assert (reply.status, reply.error["code"]) == (409, "already_exists")
    assert both.call("GET", "audit").json["data"][0]["id"] == before


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("keys", {"name": ""}, "name"),
        ("keys", {"name": "x", "rpm": 0}, "rpm"),
        ("keys", {"name": "x", "colour": "red"}, "colour"),
        ("keys", {"name": "x", "expires_at": 1}, "expires_at"),
        ("keys", {"name": "x", "models": ["smal"]}, "models"),
        ("keys", {"name": "x", "policies": ["none"]}, "policies"),
        ("keys", {"name": "x", "role": "owner"}, "role"),
        ("keys", {"name": "x", "tags": ["t" * 100] * 20}, "tags"),
        ("budgets", {"scope": "org", "owner": "default", "period": "day"}, "hard_usd"),
        (
            "budgets",
            {"scope": "org", "owner": "default", "period": "day", "soft_usd": 2, "hard_usd": 1},
            "soft_usd",
        ),
    ],
)
def test_a_mistake_is_named(both: Tenants, path: str, body: dict[str, object], param: str) -> None:
    reply = both.call("POST", path, body)
    assert (reply.status, reply.error["param"]) == (400, param)


@pytest.mark.parametrize(
    ("method", "path", "body", "param", "wanted"),
    [
        ("POST", "teams", {"name": "x", "org": "ours"}, "org", "org_..."),
        ("POST", "keys", {"name": "x", "team": "search"}, "team", "team_..."),
        ("POST", "keys", {"name": "x", "user": "ann@ours.example"}, "user", "user_..."),
        (
            "POST",
            "budgets",
            {"scope": "team", "owner": "search", "period": "day", "hard_usd": 1},
            "owner",
            "team_...",
        ),
        ("GET", "keys?org=ours", None, "org", "org_..."),
        ("GET", "audit?org=ours", None, "org", "org_..."),
        ("DELETE", "teams/search", None, "id", "team_..."),
    ],
)
def test_a_name_in_place_of_an_id_is_named_with_what_to_give(
    both: Tenants, method: str, path: str, body: dict[str, object] | None, param: str, wanted: str
) -> None:
    reply = both.call(method, path, body)
    value = (body or {}).get(param) or path.replace("/", "=").partition("=")[2]
    assert reply.status in (400, 404)
    assert reply.error["param"] == param
    assert f"`{param}` is '{value}'" in reply.error["message"]
    assert wanted in reply.error["message"]


@pytest.mark.parametrize("kind", ["organisations", "teams", "users", "keys"])
@pytest.mark.parametrize("sign", ["\n", "\x85", "\u200b", "\u202e", "\u2066", "\ufeff", "\u3164"])
def test_a_name_with_what_nobody_sees_is_refused(both: Tenants, kind: str, sign: str) -> None:
    reply = both.call("POST", kind, {"name": f"ann{sign}"})
    assert (reply.status, reply.error["param"]) == (400, "name")
    assert "leave them out" in reply.error["message"]
    assert "regex" not in reply.error["message"]


@pytest.mark.parametrize("name", ["Ärger & Söhne", "日本語", "❤️", "हिन्दी", "שלום"])
def test_names_are_written_in_any_script(both: Tenants, name: str) -> None:
    reply = both.call("POST", "teams", {"name": name, "org": both.ours.id})
    assert (reply.status, reply.json.get("name")) == (200, name)


def test_lists_are_given_in_pages(both: Tenants) -> None:
    for n in range(3):
        both.ours.key(f"paged-{n}")
    query = f"keys?org={both.ours.id}&limit=2"
    seen: list[str] = []
    page = both.call("GET", query).json
    while True:
        seen += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            break
        page = both.call("GET", f"{query}&after={page['last_id']}").json
    assert (
        len(seen)
        == len(set(seen))
        == len(both.call("GET", f"keys?org={both.ours.id}").json["data"])
    )


def test_a_decision_of_another_organisation_does_not_exist(both: Tenants) -> None:
    url = both.gateway.url
    reply = chat(url, key=both.ours.secrets["member"])
    both.gateway.settle()
    path = f"/v1/decisions/{reply.headers['x-tierwise-decision-id']}"
    seen = {
        name: call(url, "GET", path, key=secret).status
        for name, secret in both.ours.secrets.items()
        if name in ("admin", "viewer", "member", "other", "lone")
    }
    assert seen == {"admin": 200, "viewer": 200, "member": 200, "other": 404, "lone": 404}
    theirs = {call(url, "GET", path, key=one).status for one in both.theirs.secrets.values()}
    assert theirs == {404}
    rated = {"decision_id": reply.headers["x-tierwise-decision-id"], "score": 1}
    assert call(url, "POST", "/v1/feedback", rated, key=both.theirs.secrets["admin"]).status == 404
    assert call(url, "POST", "/v1/feedback", rated, key=both.ours.secrets["member"]).status == 200


def test_an_admin_of_an_organisation_cannot_reach_beyond_it(both: Tenants) -> None:
    admin = both.ours.secrets["admin"]
    for field in ("gateway", "passthrough"):
        reply = both.call("POST", "keys", {"name": "more", field: True}, key=admin)
        assert reply.status == 403
    body = {"name": "spy", "org": both.theirs.id}
    assert both.call("POST", "keys", body, key=admin).status == 404
    body = {"name": "spy", "user": both.theirs.user}
    assert both.call("POST", "keys", body, key=admin).status == 404
    assert both.call("POST", "organisations", {"name": "mine"}, key=admin).status == 403


def test_a_key_that_operates_the_gateway_is_out_of_reach_of_its_organisation(
    both: Tenants,
) -> None:
    key, secret = both.accounts.keyring.create(
        OPERATOR, NewKey(name="root", org=both.ours.id, role="admin", gateway=True)
    )
    admin = both.ours.secrets["admin"]
    assert both.call("POST", f"keys/{key.id}/rotate", key=admin).status == 404
    assert key.id not in both.call("GET", "keys", key=admin).body.decode()
    assert both.call("GET", "organisations", key=secret.value).status == 200


def test_a_budget_of_a_key_that_operates_the_gateway_is_out_of_reach_too(both: Tenants) -> None:
    wanted = NewKey(name="kept", org=both.ours.id, role="admin", gateway=True)
    owner = both.accounts.keyring.create(OPERATOR, wanted)[0].id
    budget = both.accounts.store.create_budget(
        OPERATOR, NewBudget(scope="key", owner=owner, period="day", hard_usd=1)
    )
    admin = both.ours.secrets["admin"]
    assert both.call("DELETE", f"budgets/{budget.id}", key=admin).status == 404
    assert owner not in both.call("GET", "budgets", key=admin).body.decode()


def test_a_budget_of_an_organisation_is_not_lifted_by_those_whom_it_bounds(both: Tenants) -> None:
    admin = both.theirs.secrets["admin"]
    body = {"scope": "org", "owner": both.theirs.id, "period": "week", "hard_usd": 5}
    refused = both.call("POST", "budgets", body, key=admin)
    assert refused.status == 403
    assert "operate the gateway" in refused.error["message"]
    made = both.call("POST", "budgets", body)
    path = f"budgets/{made.json['id']}"
    assert both.call("GET", path, key=admin).json["hard_usd"] == 5
    assert both.call("PATCH", path, {"hard_usd": 500}, key=admin).status == 403
    assert both.call("DELETE", path, key=admin).status == 403
    assert both.call("DELETE", path).status == 200


def test_the_numbers_of_acts_tell_an_organisation_nothing_of_what_others_do(
    both: Tenants,
) -> None:
    admin = both.ours.secrets["admin"]
    both.ours.key("numbered-1")
    both.theirs.key("unseen")
    both.ours.key("numbered-2")
    acts = both.call("GET", "audit?limit=1000", key=admin).json["data"]
    assert [act["id"] for act in acts] == list(range(len(acts), 0, -1))
    page = both.call("GET", "audit?limit=2", key=admin).json
    further = both.call("GET", f"audit?limit=2&after={page['last_id']}", key=admin).json
    assert [*page["data"], *further["data"]] == acts[:4]


def test_a_budget_of_the_default_organisation_bounds_keys_of_the_configuration(
    both: Tenants,
) -> None:
    assert chat(both.gateway.url, key=KEY).status == 200
    budget = both.accounts.store.create_budget(
        OPERATOR, NewBudget(scope="org", owner="default", period="total", hard_usd=0)
    )
    assert chat(both.gateway.url, key=KEY).status == 402
    both.accounts.store.delete_budget(OPERATOR, budget.id)
    assert chat(both.gateway.url, key=KEY).status == 200


def test_a_conversation_is_not_that_of_another_organisation_with_its_name(both: Tenants) -> None:
    headers = {"x-tierwise-session": "s-1"}
    for tenant, model in ((both.ours, "large"), (both.theirs, "small")):
        chat(both.gateway.url, model, key=tenant.secrets["member"], headers=headers)
    held = both.gateway.orchestrator.sessions.held
    now = time.monotonic()
    assert held("s-1", now) is None
    found = [held(f"{one.id}\ns-1", now) for one in (both.ours, both.theirs)]
    assert [one.model for one in found if one is not None] == ["large", "small"]


@pytest.mark.parametrize(
    "path", ["audit?after=%C2%B2", "audit?after=99999999999999999999", "keys?after=%00", "keys/%00"]
)
def test_an_odd_id_is_none(both: Tenants, path: str) -> None:
    assert both.call("GET", path).status in (200, 404)
