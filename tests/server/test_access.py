"""Who may do what: every endpoint, for every role, with every sort of key, and across tenants.

What is tried comes from the gateway's own table of routes, so that an endpoint for which nobody has
said who may use it fails here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from gateway import KEY, Reply, call, chat, config_for, until
from tenants import METRICS_KEY, OPERATOR_KEY, Body, Tenants, tenants
from tierwise.accounts.types import OPERATOR
from tierwise.accounts.wanted import NewBudget, NewKey, NewOrganisation, NewTeam, NewUser
from tierwise.config import from_mapping
from tierwise.orchestrator import Orchestrator
from tierwise.passing import _ANTHROPIC, _OPENAI
from tierwise.server.app import Gateway

Rule = Mapping[str, object]
"""The status that each of `ACTORS` gets; `PASSES` where it depends on the request alone."""

PASSES = "neither 401 nor 403"
ACTORS = ("op", "root", "config", "metrics", "admin", "viewer", "member", "other", "stranger")
"""`op` and `config` are keys of the configuration, with and without `admin`, and `metrics` is one
with `only: [metrics]`; `root` operates the gateway from the database. The others are of an
organisation: `member` is who owns what is asked for, `other` another member, `stranger` the admin
of another organisation."""


def rule(**statuses: object) -> Rule:
    """What each actor gets; who operates the gateway is alike, and `metrics` is refused."""
    statuses.setdefault("root", statuses["op"])
    statuses.setdefault("metrics", 403)
    assert set(statuses) == set(ACTORS), set(ACTORS) ^ set(statuses)
    return statuses


def everybody(status: object) -> Rule:
    """The same for all, but for a key that is good for metrics alone."""
    return {**dict.fromkeys(ACTORS, status), "metrics": 403}


VERTEX = "/v1/projects/{project}/locations/{location}/publishers/anthropic/models"
OPEN = None
"""For everybody, with or without a key."""
KEYED = everybody(PASSES)
WATCH = rule(op=200, config=200, admin=403, viewer=403, member=403, other=403, stranger=403)
SCRAPE = {**WATCH, "metrics": 200}
OPERATE = rule(op=PASSES, config=403, admin=403, viewer=403, member=403, other=403, stranger=403)
PASSED = rule(op=PASSES, config=PASSES, admin=403, viewer=403, member=403, other=403, stranger=403)
LIST = everybody(200)
RECORD = rule(op=200, config=404, admin=200, viewer=200, member=200, other=404, stranger=404)
KEPT = rule(op=404, config=404, admin=404, viewer=404, member=PASSES, other=404, stranger=404)
READ = RECORD
CHANGE = rule(op=200, config=404, admin=200, viewer=403, member=403, other=404, stranger=404)
OWN = rule(op=200, config=404, admin=200, viewer=403, member=200, other=404, stranger=404)
MAKE = rule(op=200, config=404, admin=200, viewer=403, member=403, other=403, stranger=404)
"""In our organisation, which is named in the body."""
MAKE_KEY = {**MAKE, "member": 200, "other": 200}
"""Members make keys of their own."""
MAKE_FOR = {**MAKE, "other": 404}
"""For an owner that others of the same organisation cannot see either."""
READ_ORG = {**READ, "other": 200}
OPERATE_ORG = rule(op=200, config=404, admin=403, viewer=403, member=403, other=403, stranger=404)
MAKE_ORG = rule(op=200, config=403, admin=403, viewer=403, member=403, other=403, stranger=403)
AUDIT = rule(op=200, config=403, admin=200, viewer=200, member=403, other=403, stranger=200)

RULES: dict[tuple[str, str], Rule | None] = {
    ("GET", "/health/live"): OPEN,
    ("GET", "/health/ready"): OPEN,
    ("GET", "/openapi.json"): OPEN,
    ("POST", "/v1/chat/completions"): KEYED,
    ("POST", "/v1/messages"): KEYED,
    ("POST", "/v1/responses"): KEYED,
    ("POST", "/v1/models/{model}:generateContent"): KEYED,
    ("POST", "/v1/models/{model}:streamGenerateContent"): KEYED,
    ("POST", "/v1beta/models/{model}:generateContent"): KEYED,
    ("POST", "/v1beta/models/{model}:streamGenerateContent"): KEYED,
    ("GET", "/v1/models"): LIST,
    ("POST", "/v1/models/{model:path}:countTokens"): KEYED,
    ("GET", "/v1/models/{model:path}"): LIST,
    ("GET", "/v1beta/models"): LIST,
    ("POST", "/v1beta/models/{model:path}:countTokens"): KEYED,
    ("GET", "/v1beta/models/{model:path}"): LIST,
    ("POST", "/v1/messages/count_tokens"): KEYED,
    ("POST", "/v1/responses/input_tokens"): KEYED,
    ("GET", "/v1/responses/{response}/input_items"): KEPT,
    ("POST", "/v1/responses/{response}/cancel"): KEPT,
    ("GET", "/v1/responses/{response}"): KEPT,
    ("DELETE", "/v1/responses/{response}"): KEPT,
    ("POST", "/v1/embeddings"): KEYED,
    **{
        ("POST", f"{family}/models/{{model:path}}:{verb}"): KEYED
        for family in ("/v1", "/v1beta", "/v1beta1/publishers/google")
        for verb in ("embedContent", "batchEmbedContents")
    },
    ("POST", f"{VERTEX}/claude-x:rawPredict"): KEYED,
    ("POST", f"{VERTEX}/claude-x:streamRawPredict"): KEYED,
    ("POST", f"{VERTEX}/count-tokens:rawPredict"): KEYED,
    ("GET", "/v1/decisions/{decision}"): RECORD,
    ("GET", "/v1/certificate"): KEYED,
    ("POST", "/v1/feedback"): KEYED,
    ("GET", "/v1/status"): WATCH,
    ("GET", "/metrics"): SCRAPE,
    ("POST", "/v1/admin/deployments/{deployment:path}/drain"): OPERATE,
    ("POST", "/v1/admin/deployments/{deployment:path}/restore"): OPERATE,
    ("POST", "/v1/admin/reload"): OPERATE,
    ("POST", "/v1/admin/cache/clear"): OPERATE,
    ("GET", "/v1/admin/organisations"): LIST,
    ("POST", "/v1/admin/organisations"): MAKE_ORG,
    ("GET", "/v1/admin/organisations/{id}"): READ_ORG,
    ("PATCH", "/v1/admin/organisations/{id}"): OPERATE_ORG,
    ("DELETE", "/v1/admin/organisations/{id}"): OPERATE_ORG,
    ("GET", "/v1/admin/teams"): LIST,
    ("POST", "/v1/admin/teams"): MAKE,
    ("GET", "/v1/admin/teams/{id}"): READ,
    ("PATCH", "/v1/admin/teams/{id}"): CHANGE,
    ("DELETE", "/v1/admin/teams/{id}"): CHANGE,
    ("GET", "/v1/admin/users"): LIST,
    ("POST", "/v1/admin/users"): MAKE,
    ("GET", "/v1/admin/users/{id}"): READ,
    ("PATCH", "/v1/admin/users/{id}"): CHANGE,
    ("DELETE", "/v1/admin/users/{id}"): CHANGE,
    ("GET", "/v1/admin/keys"): LIST,
    ("POST", "/v1/admin/keys"): MAKE_KEY,
    ("GET", "/v1/admin/keys/{id}"): READ,
    ("PATCH", "/v1/admin/keys/{id}"): CHANGE,
    ("DELETE", "/v1/admin/keys/{id}"): OWN,
    ("POST", "/v1/admin/keys/{id}/rotate"): OWN,
    ("GET", "/v1/admin/budgets"): LIST,
    ("POST", "/v1/admin/budgets"): MAKE_FOR,
    ("GET", "/v1/admin/budgets/{id}"): READ,
    ("PATCH", "/v1/admin/budgets/{id}"): CHANGE,
    ("DELETE", "/v1/admin/budgets/{id}"): CHANGE,
    ("GET", "/v1/admin/audit"): AUDIT,
    **{("POST", f"{family}/{{rest}}"): PASSED for family in (*_OPENAI, *_ANTHROPIC)},
    ("POST", "/passthrough/{provider}/{rest}"): PASSED,
}


def table() -> list[tuple[str, str]]:
    """Every method and path that the gateway serves."""
    config = from_mapping(config_for("http://127.0.0.1:9/v1"), {})
    endpoints = Gateway(Orchestrator.from_config(config), config)._endpoints
    found = [
        (method, route.path)
        for route in endpoints._rest.routes
        for method in route.methods
        if method != "HEAD"
    ]
    # Served before the table is looked at.
    found += [("POST", path) for path in endpoints._answers]
    for version in ("v1", "v1beta"):
        for verb in ("generateContent", "streamGenerateContent"):
            found.append(("POST", f"/{version}/models/{{model}}:{verb}"))
    found += [("POST", f"{VERTEX}/claude-x:{verb}") for verb in ("rawPredict", "streamRawPredict")]
    found += [("POST", f"{family}/{{rest}}") for family in (*_OPENAI, *_ANTHROPIC)]
    found.append(("POST", "/passthrough/{provider}/{rest}"))
    return sorted(set(found))


ROUTES = table()


def test_somebody_has_said_of_every_endpoint_who_may_use_it() -> None:
    assert set(ROUTES) == set(RULES)


class World:
    """The tenants, and things of ours that can be asked for."""

    def __init__(self, found: Tenants) -> None:
        self.tenants = found
        self._made = 0
        ours, accounts = found.ours, found.accounts
        root = NewKey(name="root", role="admin", gateway=True)
        self.keys = {
            "op": OPERATOR_KEY,
            "root": accounts.keyring.create(OPERATOR, root)[1].value,
            "config": KEY,
            "metrics": METRICS_KEY,
            "admin": ours.secrets["admin"],
            "viewer": ours.secrets["viewer"],
            "member": ours.secrets["member"],
            "other": ours.secrets["other"],
            "stranger": found.theirs.secrets["admin"],
        }
        answer = chat(found.gateway.url, key=self.keys["member"])
        found.gateway.settle()
        self._decision = answer.headers["x-tierwise-decision-id"]

    def path(self, path: str) -> str:
        """The path with names of things of ours, made for this call where it may end them."""
        under = path.removeprefix("/v1/admin/").partition("/")[0]
        values = {
            "{model}": "small",
            "{model:path}": "small",
            "{response}": self._response() if "{response}" in path else "",
            "{decision}": self._decision,
            "{deployment:path}": "alpha/small",
            "{rest}": "any",
            "{provider}": "alpha",
            "{project}": "p",
            "{location}": "l",
            "{id}": self._fresh(under) if "{id}" in path else "",
        }
        for name, value in values.items():
            path = path.replace(name, value)
        return path

    def body(self, method: str, path: str) -> Body | None:
        """A body that is right for those who may send it."""
        if method not in ("POST", "PATCH"):
            return None
        ours, name = self.tenants.ours, self._name()
        if method == "PATCH":
            return {"hard_usd": 9} if "budgets" in path else {"name": name}
        key = ours.keys["member"].id
        bodies: dict[str, Body] = {
            "/v1/admin/organisations": {"name": name},
            "/v1/admin/teams": {"name": name, "org": ours.id},
            "/v1/admin/users": {"name": name, "org": ours.id},
            "/v1/admin/keys": {"name": name, "org": ours.id},
            "/v1/admin/budgets": {"scope": "key", "owner": key, "period": "week", "hard_usd": 1},
        }
        if path == "/v1/admin/budgets":
            self._without_budget(key)
        return bodies.get(path, {})

    def _fresh(self, kind: str) -> str:
        """The id of something that `member` owns, and others of its organisation do not."""
        ours = self.tenants.ours
        makers: dict[str, Callable[[], str]] = {
            "organisations": lambda: ours.id,
            "teams": lambda: ours.team,
            "users": lambda: ours.user,
            "keys": lambda: self._key(user=ours.user),
            "budgets": self._budget,
        }
        return makers[kind]()

    def _key(self, **fields: Any) -> str:
        ours = self.tenants.ours
        wanted = NewKey(name=self._name(), org=ours.id, **fields)
        return self.tenants.accounts.keyring.create(OPERATOR, wanted)[0].id

    def _budget(self) -> str:
        key = self.tenants.ours.keys["member"].id
        self._without_budget(key)
        wanted = NewBudget(scope="key", owner=key, period="week", hard_usd=1)
        return self.tenants.accounts.store.create_budget(OPERATOR, wanted).id

    def _without_budget(self, key: str) -> None:
        store = self.tenants.accounts.store
        there = store.budget_of("key", key, "week")
        if there is not None:
            store.delete_budget(OPERATOR, there)

    def _response(self) -> str:
        body = {"model": "small", "input": "Hello"}
        reply = call(
            self.tenants.gateway.url, "POST", "/v1/responses", body, key=self.keys["member"]
        )
        name: str = reply.json["id"]
        return name

    def _name(self) -> str:
        self._made += 1
        return f"made-{self._made}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with tenants(tmp_path_factory.mktemp("access")) as found:
        yield World(found)


@pytest.fixture
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For calls that end what all others need."""
    with tenants(tmp_path_factory.mktemp("apart")) as found:
        yield World(found)


ENDS_ALL = {
    ("DELETE", "/v1/admin/organisations/{id}"),
    ("DELETE", "/v1/admin/teams/{id}"),
    ("DELETE", "/v1/admin/users/{id}"),
}


def answered(world: World, method: str, path: str, key: str | None) -> Reply:
    """What a call is answered."""
    url = world.tenants.gateway.url
    named, body = world.path(path), world.body(method, path)
    return call(url, method, named, body, key=key)


def ask(world: World, method: str, path: str, key: str | None) -> int:
    """The status of a call."""
    return answered(world, method, path, key).status


def check(world: World, method: str, path: str, actor: str) -> None:
    known = RULES[method, path]
    assert known is not None
    status = ask(world, method, path, world.keys[actor])
    if known[actor] == PASSES:
        assert status not in (401, 403), f"{actor} got {status}"
    else:
        assert status == known[actor], f"{actor} got {status}"


KEYED_ROUTES = [route for route in ROUTES if RULES.get(route) is not OPEN]


@pytest.mark.parametrize(("method", "path"), KEYED_ROUTES)
def test_every_role_gets_what_its_rule_says(world: World, method: str, path: str) -> None:
    if (method, path) in ENDS_ALL:
        pytest.skip("tried apart")
    for actor in ACTORS:
        check(world, method, path, actor)


@pytest.mark.parametrize(("method", "path"), sorted(ENDS_ALL))
def test_who_may_end_something_is_as_its_rule_says(apart: World, method: str, path: str) -> None:
    known = RULES[method, path]
    assert known is not None
    denied = [actor for actor in ACTORS if known[actor] != 200]
    allowed = [actor for actor in ACTORS if known[actor] == 200][:1]
    for actor in (*denied, *allowed):
        check(apart, method, path, actor)


@pytest.mark.parametrize(("method", "path"), KEYED_ROUTES)
def test_no_wrong_revoked_or_expired_key_gets_anywhere(
    world: World, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, org = world.tenants.accounts, world.tenants.ours.id
    keyring, now = accounts.keyring, time.time()
    revoked, gone = keyring.create(OPERATOR, NewKey(name="gone", org=org, role="admin"))
    keyring.revoke(OPERATOR, revoked.id)
    wanted = NewKey(name="brief", org=org, role="admin", expires_at=now - 30)
    with monkeypatch.context() as earlier:
        earlier.setattr(accounts.database, "now", lambda: now - 60)
        expired = keyring.create(OPERATOR, wanted)[1].value
    for key in (None, "", "wrong", "tw-" + "A" * 43, gone.value, expired):
        assert ask(world, method, path, key) == 401


@pytest.mark.parametrize(("method", "path"), KEYED_ROUTES)
def test_a_key_for_metrics_is_told_so_everywhere_else(world: World, method: str, path: str) -> None:
    reply = answered(world, method, path, METRICS_KEY)
    told = "This key is good for metrics only" in reply.body.decode()
    assert (reply.status, told) == ((200, False) if path == "/metrics" else (403, True))


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if RULES.get(r) is OPEN])
def test_what_is_open_needs_no_key(world: World, method: str, path: str) -> None:
    assert call(world.tenants.gateway.url, method, path, key=None).status == 200


def test_a_decision_about_no_answer_is_seen_by_whoever_sees_those_about_answers(
    world: World,
) -> None:
    ours, gateway = world.tenants.ours, world.tenants.gateway
    key = ours.key("passing", user=ours.user, passthrough=True)
    name = call(gateway.url, "GET", "/v1/files", key=key).headers["x-tierwise-decision-id"]
    ledger = gateway.orchestrator.ledger
    until(lambda: ledger.flush() and ledger.aside(name), "the request is booked")
    replies = {
        actor: call(gateway.url, "GET", f"/v1/decisions/{name}", key=secret)
        for actor, secret in world.keys.items()
    }
    assert {actor: reply.status for actor, reply in replies.items()} == dict(RECORD)
    assert replies["viewer"].json["owner"]["org"] == ours.id
    none = f"{name[:-4]}0000"
    nowhere = call(gateway.url, "GET", f"/v1/decisions/{none}", key=world.keys["stranger"])
    told = replies["stranger"].error["message"]
    assert told.replace(name, none) == nowhere.error["message"]


@pytest.mark.parametrize("kind", ["organisations", "teams", "users", "keys", "budgets", "audit"])
def test_lists_hold_nothing_of_other_organisations(world: World, kind: str) -> None:
    ours, theirs = world.tenants.ours, world.tenants.theirs
    for secret in (ours.secrets["admin"], ours.secrets["viewer"]):
        for query in ("", f"?org={theirs.id}", "?limit=1000"):
            body = world.tenants.call("GET", f"{kind}{query}", key=secret).body.decode()
            assert theirs.id not in body
            assert "theirs" not in body


def test_a_member_sees_what_is_its_own_alone(world: World) -> None:
    ours = world.tenants.ours
    listed = {
        kind: [
            one["id"]
            for one in world.tenants.call("GET", kind, key=ours.secrets["member"]).json["data"]
        ]
        for kind in ("organisations", "teams", "users")
    }
    assert listed == {"organisations": [ours.id], "teams": [ours.team], "users": [ours.user]}
    keys = world.tenants.call("GET", "keys", key=ours.secrets["member"]).json["data"]
    assert {one["user"] for one in keys} == {ours.user}
    (alone,) = world.tenants.call("GET", "keys", key=ours.secrets["lone"]).json["data"]
    assert alone["id"] == ours.keys["lone"].id


@pytest.mark.parametrize(
    ("path", "field"),
    [("keys", "team"), ("keys", "user"), ("users", "team")],
)
def test_nothing_can_be_made_a_part_of_another_organisation(
    world: World, path: str, field: str
) -> None:
    theirs = world.tenants.theirs
    value = theirs.team if field == "team" else theirs.user
    body = {"name": f"spy-{path}-{field}", field: value}
    reply = world.tenants.call("POST", path, body, key=world.keys["admin"])
    assert (reply.status, reply.error["code"]) == (404, "not_found")
    assert reply.error["param"] == field


@pytest.mark.parametrize("kind", ["teams", "users", "keys", "budgets", "organisations"])
def test_what_is_anothers_is_refused_in_the_very_words_of_what_is_not(
    world: World, kind: str
) -> None:
    name = world.path(f"/v1/admin/{kind}/{{id}}").rpartition("/")[2]
    there = world.tenants.call("GET", f"{kind}/{name}", key=world.keys["stranger"])
    none = name[:-4] + "0000"
    nowhere = world.tenants.call("GET", f"{kind}/{none}", key=world.keys["stranger"])
    assert (there.status, nowhere.status) == (404, 404)
    assert there.error["message"].replace(name, none) == nowhere.error["message"]


def test_a_users_role_bounds_that_of_its_keys(world: World) -> None:
    accounts, ours = world.tenants.accounts, world.tenants.ours
    user = accounts.store.create_user(OPERATOR, NewUser(name="looker", org=ours.id, role="viewer"))
    wanted = NewKey(name="strong", org=ours.id, user=user.id, role="admin")
    secret = accounts.keyring.create(OPERATOR, wanted)[1].value
    reply = world.tenants.call("POST", "teams", {"name": "by-looker"}, key=secret)
    assert reply.status == 403


def test_a_key_of_an_ended_organisation_is_none(world: World) -> None:
    accounts = world.tenants.accounts
    org = accounts.store.create_organisation(OPERATOR, NewOrganisation(name="brief")).id
    team = accounts.store.create_team(OPERATOR, NewTeam(name="t", org=org)).id
    wanted = NewKey(name="k", org=org, team=team)
    secret = accounts.keyring.create(OPERATOR, wanted)[1].value
    url = world.tenants.gateway.url
    assert call(url, "GET", "/v1/models", key=secret).status == 200
    assert world.tenants.call("DELETE", f"organisations/{org}").status == 200
    assert call(url, "GET", "/v1/models", key=secret).status == 401
