"""Who may see and do what in the dashboard: every page and form, for every role and sort of key.

What is tried comes from the site's own table of routes, so that a page for which nobody has said
who may see it fails here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

import pytest

from gateway import config_for
from pages import Answer, Client, Person, sign_in
from tenants import Tenants
from tierwise.accounts.types import OPERATOR
from tierwise.accounts.wanted import NewBudget, NewKey
from tierwise.config import from_mapping
from tierwise.dashboard.site import Site
from tierwise.orchestrator import Orchestrator
from tierwise.server.app import Gateway

PASSES = "no 303, 401, 403 or 404"
ROLES = ("operator", "admin", "member", "viewer", "alien")
"""`member` is who owns what is asked for; `alien` the admin of another organisation."""
Rule = Mapping[str, object]


def rule(operator: object, admin: object, member: object, viewer: object, alien: object) -> Rule:
    return dict(zip(ROLES, (operator, admin, member, viewer, alien), strict=True))


OPEN = None
"""For everybody: to sign in, out, and what the pages are made of."""
ALL = rule(200, 200, 200, 200, 200)
RECORD = rule(200, 200, 200, 200, 404)
OWN = rule(200, 200, 200, 403, 404)
DONE = rule(303, 303, 303, 403, 404)
ADMIN = rule(303, 303, 403, 403, 404)
OPERATE = rule(PASSES, 403, 403, 403, 403)

RULES: dict[tuple[str, str], Rule | None] = {
    ("GET", "/"): ALL,
    ("GET", "/dashboard"): OPEN,
    ("GET", "/dashboard/"): OPEN,
    ("GET", "/dashboard/requests"): ALL,
    ("GET", "/dashboard/requests/{id}"): RECORD,
    ("GET", "/dashboard/models"): ALL,
    ("GET", "/dashboard/keys"): ALL,
    ("POST", "/dashboard/keys"): rule(200, 200, 200, 403, 200),
    ("POST", "/dashboard/keys/{id}/rotate"): OWN,
    ("POST", "/dashboard/keys/{id}/revoke"): DONE,
    ("POST", "/dashboard/budgets"): ADMIN,
    ("POST", "/dashboard/budgets/{id}/delete"): ADMIN,
    ("GET", "/dashboard/audit"): rule(200, 200, 403, 403, 200),
    ("GET", "/dashboard/policies"): ALL,
    ("GET", "/dashboard/policies/{name:path}"): OPERATE,
    ("POST", "/dashboard/policies/{name:path}/preview"): OPERATE,
    ("POST", "/dashboard/policies/{name:path}/apply"): OPERATE,
    ("GET", "/dashboard/playground"): ALL,
    ("POST", "/dashboard/playground/ask"): rule(200, 200, 200, 403, 200),
    ("GET", "/dashboard/login"): OPEN,
    ("POST", "/dashboard/login"): OPEN,
    ("POST", "/dashboard/logout"): OPEN,
    ("GET", "/dashboard/oidc"): OPEN,
    ("GET", "/dashboard/oidc/callback"): OPEN,
    ("GET", "/dashboard/static/{name}"): OPEN,
}


def table() -> set[tuple[str, str]]:
    """Every method and path of the site."""
    config = from_mapping(config_for("http://127.0.0.1:9/v1"), {})
    pages = Gateway(Orchestrator.from_config(config), config)._endpoints._pages
    return {
        (method, route.path)  # type: ignore[attr-defined]
        for route in Site(pages)._application.routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }


def test_somebody_has_said_of_every_page_who_may_see_it() -> None:
    assert table() == set(RULES)


class Things:
    """What `member` owns, made for each call since some calls end it."""

    def __init__(self, both: Tenants) -> None:
        self._both = both

    def path(self, path: str) -> str:
        """A path that names such things."""
        if "{id}" not in path:
            return path.replace("{name:path}", "auto")
        if "/requests/" in path:
            ours = self._both.gateway.orchestrator.ledger.recent(100)
            mine = next(
                r.decision.id
                for r in ours
                if r.owner is not None and r.owner.key == self._both.ours.keys["member"].id
            )
            return path.replace("{id}", mine)
        made = self._budget() if "/budgets/" in path else self._key()
        return path.replace("{id}", made)

    def fields(self, path: str) -> dict[str, object]:
        """A form that is right for those who may send it."""
        if path == "/dashboard/keys":
            return {"name": "made", "role": "viewer"}
        if path == "/dashboard/budgets":
            key = self._key()
            return {"owner": f"key:{key}", "period": "day", "hard_usd": "1"}
        return {"name": "auto", "quality": "0.5"} if "/policies/" in path else {}

    def _key(self) -> str:
        ours = self._both.ours
        wanted = NewKey(name="hers", org=ours.id, user=ours.user)
        return self._both.accounts.keyring.create(OPERATOR, wanted)[0].id

    def _budget(self) -> str:
        wanted = NewBudget(scope="key", owner=self._key(), period="day", hard_usd=1)
        return self._both.accounts.store.create_budget(OPERATOR, wanted).id


@pytest.fixture
def things(both: Tenants) -> Things:
    return Things(both)


def visit(person: Person, method: str, path: str, things: Things) -> Answer:
    named = things.path(path)
    if method == "GET":
        return person.get(named)
    if path.endswith("/ask"):
        body = json.dumps({"model": "small", "prompt": "hello"})
        return person.client.request("POST", named, body, {"x-csrf-token": person.token()})
    return person.post(named, **things.fields(path))


GUARDED = sorted(route for route, known in RULES.items() if known is not OPEN)


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_every_role_gets_what_its_rule_says(
    people: dict[str, Person], things: Things, method: str, path: str
) -> None:
    known = RULES[method, path]
    assert known is not None
    for role in ROLES:
        status = visit(people[role], method, path, things).status
        if known[role] == PASSES:
            assert status not in (303, 401, 403, 404), f"{role} got {status}"
        else:
            assert status == known[role], f"{role} got {status}"


@pytest.fixture(scope="module")
def over(both: Tenants) -> dict[str, tuple[Client, str]]:
    """Whoever is let in no more, with the token that their forms had."""
    keyring, org = both.accounts.keyring, both.ours.id
    ends = time.time() + 2
    gone, secret = keyring.create(OPERATOR, NewKey(name="gone", org=org, role="admin"))
    wanted = NewKey(name="brief", org=org, role="admin", expires_at=ends)
    brief = keyring.create(OPERATOR, wanted)[1]
    revoked, expired = (sign_in(both.gateway.url, one.value) for one in (secret, brief))
    found = {
        "nobody": (Client(both.gateway.url), "0" * 64),
        "made up": (Client(both.gateway.url, {"tierwise_session": "made-up"}), "0" * 64),
        "revoked": (revoked.client, revoked.token()),
        "expired": (expired.client, expired.token()),
    }
    keyring.revoke(OPERATOR, gone.id)
    time.sleep(max(0.0, ends - time.time()) + 0.05)
    return found


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_no_wrong_revoked_or_expired_login_gets_anywhere(
    over: dict[str, tuple[Client, str]], things: Things, method: str, path: str
) -> None:
    for name, (client, token) in over.items():
        named, fields = things.path(path), {"token": token, **things.fields(path)}
        answer = client.get(named) if method == "GET" else client.post(named, **fields)
        assert answer.status in (303, 401, 403), (name, answer.status)
        assert answer.status != 303 or "/dashboard/login" in answer.headers["location"], name
        assert "Tierwise" not in answer.text, name
