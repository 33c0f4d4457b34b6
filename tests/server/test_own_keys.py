"""Members make keys for themselves, within what the key in their hands may do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway import Reply, call
from tenants import Tenants, tenants
from tierwise.accounts import own
from tierwise.accounts.types import OPERATOR, Actor
from tierwise.accounts.wanted import NewBudget, NewKey, NewTeam
from tierwise.errors import NotPermitted


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with tenants(tmp_path_factory.mktemp("own")) as found:
        yield found


def make(world: Tenants, key: str, **fields: Any) -> Reply:
    """What a key gets that asks for a key."""
    return world.call("POST", "keys", {"name": "mine", **fields}, key=key)


def hers(world: Tenants, name: str, **fields: Any) -> str:
    """A key of our user Ann."""
    return world.ours.key(name, user=world.ours.user, **fields)


def test_what_a_member_makes_is_theirs_and_works_and_is_revoked_by_them(world: Tenants) -> None:
    member = world.ours.secrets["member"]
    made = make(world, member, tags=["laptop"])
    assert made.status == 200
    shown = made.json
    assert (shown["org"], shown["user"], shown["team"]) == (
        world.ours.id, world.ours.user, world.ours.team,
    )  # fmt: skip
    assert (shown["role"], shown["tags"]) == ("member", ["laptop"])
    url = world.gateway.url
    assert call(url, "GET", "/v1/models", key=shown["secret"]).status == 200
    assert shown["id"] in {k["id"] for k in world.call("GET", "keys", key=member).json["data"]}
    rotated = world.call("POST", f"keys/{shown['id']}/rotate", {}, key=member)
    assert rotated.status == 200
    assert call(url, "GET", "/v1/models", key=shown["secret"]).status == 401
    assert world.call("DELETE", f"keys/{shown['id']}", key=member).status == 200
    assert call(url, "GET", "/v1/models", key=rotated.json["secret"]).status == 401


def test_the_audit_log_names_the_member_who_made_it(world: Tenants) -> None:
    made = make(world, world.ours.secrets["member"]).json
    (latest,) = world.call("GET", "audit?limit=1").json["data"]
    assert (latest["action"], latest["target"]) == ("key.create", made["id"])
    assert world.ours.keys["member"].id in latest["actor"]


def test_a_key_has_the_bounds_of_the_one_that_made_it(world: Tenants) -> None:
    ends = time.time() + 3600
    key = hers(
        world, "bounded", models=("small",), policies=("auto",), tags=("search",),
        priority="normal", expires_at=ends,
    )  # fmt: skip
    made = make(world, key).json
    assert {name: made[name] for name in ("models", "policies", "tags", "priority")} == {
        "models": ["small"], "policies": ["auto"], "tags": ["search"], "priority": "normal",
    }  # fmt: skip
    assert made["expires_at"] == pytest.approx(ends)
    less = make(world, key, priority="low", expires_at=ends - 60, tags=["search", "x"]).json
    assert (less["priority"], less["tags"]) == ("low", ["search", "x"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("models", ["small", "large"]),
        ("policies", ["hasty"]),
        ("priority", "high"),
        ("expires_at", 9e9),
        ("role", "admin"),
        ("gateway", True),
        ("passthrough", True),
    ],
)
def test_nobody_gives_more_than_they_have(world: Tenants, field: str, value: object) -> None:
    key = hers(
        world, f"less-{field}", models=("small",), policies=("auto",), priority="normal",
        expires_at=time.time() + 3600,
    )  # fmt: skip
    refused = make(world, key, **{field: value})
    assert refused.status == 403, refused.body
    assert field in refused.error["message"]


@pytest.mark.parametrize(
    ("field", "mine", "others"),
    [
        ("role", "member", "admin"),
        ("passthrough", False, True),
        ("models", ("small",), ()),
        ("models", ("small",), ("small", "large")),
        ("policies", ("auto",), ("hasty",)),
        ("priority", "normal", "high"),
        ("priority", "normal", None),
        ("expires_at", time.time() + 3600, time.time() + 7200),
        ("expires_at", time.time() + 3600, None),
        ("rpm", 5, 50),
        ("tpm", 500, None),
        ("concurrency", 1, 2),
    ],
)
def test_a_key_gives_no_new_secret_of_one_that_may_do_more(
    world: Tenants, field: str, mine: Any, others: Any
) -> None:
    named = f"{field}-{others}"
    less, more = hers(world, f"less-{named}", **{field: mine}), f"more-{named}"
    secret = hers(world, more, **{field: others})
    name = world.ours.keys[more].id
    refused = world.call("POST", f"keys/{name}/rotate", {}, key=less)
    assert refused.status == 403, refused.body
    assert field in refused.error["message"]
    itself = world.ours.keys[f"less-{named}"].id
    for target, key in ((name, secret), (itself, less)):
        assert world.call("POST", f"keys/{target}/rotate", {}, key=key).status == 200


def test_a_key_with_a_budget_gives_no_new_secret_of_one_without(world: Tenants) -> None:
    poor = hers(world, "poorer")
    hers(world, "richer")
    wanted = NewBudget(scope="key", owner=world.ours.keys["poorer"].id, period="day", hard_usd=1)
    world.accounts.store.create_budget(OPERATOR, wanted)
    name = world.ours.keys["richer"].id
    refused = world.call("POST", f"keys/{name}/rotate", {}, key=poor)
    assert refused.status == 403
    assert "a budget" in refused.error["message"]


@pytest.mark.parametrize(
    ("period", "hard_usd", "status"), [("day", 1, 200), ("day", 100, 403), ("month", 1, 403)]
)
def test_a_key_with_a_budget_gives_no_new_secret_of_one_with_a_larger_one(
    world: Tenants, period: Any, hard_usd: float, status: int
) -> None:
    less, more = f"less-{period}-{hard_usd}", f"more-{period}-{hard_usd}"
    secret, _ = (world.ours.key(name, user=world.ours.other_user) for name in (less, more))
    for name, bound in ((less, ("day", 1)), (more, (period, hard_usd))):
        owner = world.ours.keys[name].id
        wanted = NewBudget(scope="key", owner=owner, period=bound[0], hard_usd=bound[1])
        world.accounts.store.create_budget(OPERATOR, wanted)
    path = f"keys/{world.ours.keys[more].id}/rotate"
    assert world.call("POST", path, {}, key=secret).status == status


def test_a_mistyped_model_does_not_show_those_that_a_key_may_not_use(world: Tenants) -> None:
    refused = make(world, hers(world, "narrow", models=("small",)), models=["larg"])
    assert refused.status == 400
    assert "small" in refused.error["message"]
    assert "large" not in refused.error["message"]


def test_nobody_makes_a_key_for_somebody_else(world: Tenants) -> None:
    ours, theirs = world.ours, world.theirs
    store = world.accounts.store
    elsewhere = store.create_team(OPERATOR, NewTeam(name="another", org=ours.id)).id
    for field, value in (
        ("user", ours.other_user),
        ("user", theirs.user),
        ("team", elsewhere),
        ("team", theirs.team),
        ("org", theirs.id),
    ):
        refused = make(world, ours.secrets["member"], **{field: value})
        assert (refused.status, refused.error["code"]) == (404, "not_found"), (field, value)


@pytest.mark.parametrize("name", ["viewer", "lone"])
def test_who_only_looks_or_is_of_no_user_makes_none(world: Tenants, name: str) -> None:
    refused = make(world, world.ours.secrets[name])
    assert refused.status == 403
    assert "Ask an admin" in refused.error["message"]


@pytest.mark.parametrize("limit", ["rpm", "tpm", "concurrency"])
def test_limits_are_not_got_round_by_another_key(world: Tenants, limit: str) -> None:
    refused = make(world, hers(world, f"limited-{limit}", **{limit: 5}))
    assert refused.status == 403
    assert limit in refused.error["message"]


def test_a_budget_is_not_got_round_by_another_key(world: Tenants) -> None:
    key = hers(world, "poor")
    wanted = NewBudget(scope="key", owner=world.ours.keys["poor"].id, period="day", hard_usd=1)
    world.accounts.store.create_budget(OPERATOR, wanted)
    refused = make(world, key)
    assert refused.status == 403
    assert "a budget" in refused.error["message"]


def test_what_a_made_key_spends_counts_for_its_user_and_team(world: Tenants) -> None:
    team = world.ours.team
    secret = make(world, world.ours.secrets["member"]).json["secret"]
    wanted = NewBudget(scope="team", owner=team, period="total", hard_usd=0)
    budget = world.accounts.store.create_budget(OPERATOR, wanted).id
    body = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}
    try:
        assert (
            call(world.gateway.url, "POST", "/v1/chat/completions", body, key=secret).status == 402
        )
    finally:
        world.accounts.store.delete_budget(OPERATOR, budget)


def test_a_user_has_no_more_than_so_many(world: Tenants, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "MOST", 1)
    refused = make(world, world.ours.secrets["member"])
    assert refused.status == 403
    assert "1 valid keys already" in refused.error["message"]


def test_who_signs_in_without_a_key_makes_keys_of_their_user(world: Tenants) -> None:
    actor = Actor(name="ann", org=world.ours.id, role="member", user=world.ours.user)
    made, _ = world.accounts.keyring.create(actor, NewKey(name="by hand"))
    assert made.user == world.ours.user
    nobody = Actor(name="someone", org=world.ours.id, role="member")
    with pytest.raises(NotPermitted):
        world.accounts.keyring.create(nobody, NewKey(name="by hand"))
