"""Budgets and limits of keys that use what is passed through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway import Reply, call, chat, until
from tenants import CONFIGURED, Tenants, tenants
from tierwise.accounts.types import OPERATOR
from tierwise.accounts.wanted import NewBudget
from tierwise.budget import Budget
from tierwise.ledger.spent import LedgerSpending

CHAT = "/passthrough/alpha/v1/chat/completions"
COST = 20e-6
"""Of one answer of `small`: 10 tokens of prompt and 5 of answer."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    folder = tmp_path_factory.mktemp("passed")
    server = {"api_keys": list(CONFIGURED), "passthrough": ["alpha"]}
    with tenants(folder, server=server) as found:
        yield found


@pytest.fixture
def world(running: Tenants) -> Tenants:
    running.provider.reset()
    running.gateway.forget()
    return running


def bounded(world: Tenants, name: str, **bounds: float) -> tuple[str, Budget]:
    """The secret of a key that may use what is passed through, and its budget."""
    secret = world.ours.key(name, passthrough=True)
    owner = world.ours.keys[name].id
    wanted = NewBudget(scope="key", owner=owner, period="total", **bounds)
    return secret, world.accounts.store.create_budget(OPERATOR, wanted)


def passed(world: Tenants, key: str, path: str = CHAT, method: str = "POST") -> Reply:
    body = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}
    return call(world.gateway.url, method, path, body if method == "POST" else None, key=key)


def spent(world: Tenants, budget: Budget) -> float:
    found: float = world.call("GET", f"budgets/{budget.id}").json["spent_usd"]
    return found


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", CHAT), ("POST", "/v1/images/generations"), ("GET", "/v1/files")],
)
def test_who_has_used_a_hard_budget_up_is_refused_before_anybody_is_asked(
    world: Tenants, method: str, path: str
) -> None:
    secret, budget = bounded(world, f"poor {method} {path}", hard_usd=0)
    refused = passed(world, secret, path, method)
    assert (refused.status, refused.error["code"]) == (402, "budget_exceeded")
    assert budget.id in refused.error["message"]
    assert not world.provider.seen


def test_what_a_passed_call_says_that_it_used_is_charged_and_ends_at_the_hard_budget(
    world: Tenants,
) -> None:
    secret, budget = bounded(world, "charged", hard_usd=1.5 * COST)
    assert [passed(world, secret).status for _ in range(3)] == [200, 200, 402]
    assert spent(world, budget) == pytest.approx(2 * COST)
    assert chat(world.gateway.url, key=secret).status == 402
    world.gateway.settle()
    last = world.gateway.orchestrator.ledger.asides()[0]
    assert last.cost_usd == pytest.approx(COST)
    # So it is charged after a restart, too.
    known = LedgerSpending(world.accounts.database.engine)
    until(lambda: known("key", budget.owner, 0.0) == pytest.approx(2 * COST), "the ledger's sum")


def test_what_a_passed_call_cost_that_does_not_say_so_is_not_charged(world: Tenants) -> None:
    secret, budget = bounded(world, "unknown", hard_usd=1)
    assert passed(world, secret, "/v1/images/generations").status == 404
    assert spent(world, budget) == 0


def test_a_passed_call_beyond_a_soft_budget_is_warned(world: Tenants) -> None:
    secret, budget = bounded(world, "warned", soft_usd=0.5 * COST)
    replies = [passed(world, secret) for _ in range(2)]
    warnings = [reply.headers.get("x-tierwise-budget-warning", "") for reply in replies]
    assert [budget.id in warning for warning in warnings] == [False, True]


def test_tokens_of_passed_calls_count_for_the_limits_of_their_key(world: Tenants) -> None:
    secret = world.ours.key("slow", passthrough=True, tpm=1)
    assert [passed(world, secret).status for _ in range(2)] == [200, 429]
