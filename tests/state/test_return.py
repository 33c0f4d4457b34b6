"""Deployments that are left alone, and how they come back."""

from __future__ import annotations

import pytest

from builders import Clock
from standing import A, B, C, answer, fail
from tierwise.errors import (
    OutOfService,
    RateLimited,
    ServerFailed,
)
from tierwise.state.breaker import FAILURES_IN_ROW
from tierwise.state.ejection import EJECT_S, LOOK_S, MIN_CALLS
from tierwise.state.health import UNKNOWN_S, Health
from tierwise.types import Deployment


def test_a_drained_deployment_is_asked_by_nobody_until_it_is_restored(health: Health) -> None:
    health.started(A)
    health.drain(A)
    assert health.order([A, B]) == [B]
    assert health.last_resorts([A]) == []
    assert health.next_return_s([A]) == UNKNOWN_S
    assert health.next_return_s([A, B]) == 0
    assert health.why_out(A) == "drained by an operator"
    health.left(A)
    health.succeeded(A, 1.0, None)
    assert health.order([A]) == []
    health.restore(A)
    assert health.order([A]) == [A]


def test_restoring_lets_a_resting_deployment_be_tried_at_once(health: Health) -> None:
    fail(health, OutOfService("x"))
    fail(health, ServerFailed("x"), FAILURES_IN_ROW)
    assert health.order([A]) == []
    health.restore(A)
    assert health.order([A]) == [A]


@pytest.mark.parametrize("status", [402, 404])
def test_who_was_restored_is_looked_at_again_when_it_fails(
    health: Health, clock: Clock, status: int
) -> None:
    health.failed(A, OutOfService("x", status=status))
    health.restore(A)
    fail(health, ServerFailed("x"), FAILURES_IN_ROW)
    clock.forward(0.6)
    assert health.due_probe() is A


def spread(health: Health, failing: Deployment) -> None:
    """Each takes calls; one of them fails every third."""
    for place in range(3 * MIN_CALLS):
        for deployment in (A, B, C):
            if deployment is failing and place % 3 == 0:
                health.failed(deployment, ServerFailed("x"))
            else:
                answer(health, deployment)


def test_who_is_much_worse_than_its_siblings_is_left_alone_for_a_while(
    health: Health, clock: Clock
) -> None:
    spread(health, failing=B)
    clock.forward(LOOK_S)
    answer(health, A)
    assert B not in health.order([A, B, C])
    assert health.states[B.id].breaker.closed
    assert health.why_out(B) == "resting for 10 s (much worse than its siblings)"
    clock.forward(EJECT_S)
    assert B in health.order([A, B, C])


def test_restoring_brings_back_who_was_left_alone_for_being_worse(
    health: Health, clock: Clock
) -> None:
    spread(health, failing=B)
    clock.forward(LOOK_S)
    answer(health, A)
    assert B not in health.order([A, B, C])
    health.restore(B)
    assert B in health.order([A, B, C])


def test_siblings_that_are_out_keep_the_last_one_in(health: Health, clock: Clock) -> None:
    health.drain(A)
    fail(health, OutOfService("x"))
    health.failed(C, OutOfService("x"))
    for _ in range(2 * MIN_CALLS):
        health.failed(B, ServerFailed("x"))
        answer(health, B, times=3)
    clock.forward(LOOK_S)
    answer(health, B)
    assert health.order([A, B, C]) == [B]


def test_who_is_out_is_to_be_looked_at_and_tried_when_it_gives_signs_of_life(
    health: Health, clock: Clock
) -> None:
    assert health.due_probe() is None
    fail(health, ServerFailed("x"), FAILURES_IN_ROW)
    health.failed(B, OutOfService("x"))
    health.failed(C, RateLimited("x", retry_after=30))
    clock.forward(0.5)
    assert [health.due_probe(), health.due_probe(), health.due_probe()] == [A, B, None]
    clock.forward(0.1)
    assert health.order([A, B]) == []
    health.answers_probe(A)
    health.answers_probe(B)
    assert set(health.order([A, B])) == {A, B}
    clock.forward(1.0)
    assert health.due_probe() is A, "what answers a probe has not answered a request"


@pytest.mark.parametrize("status", [402, 404, 429])
def test_what_a_list_of_models_does_not_show_is_waited_for(
    health: Health, clock: Clock, status: int
) -> None:
    health.failed(A, OutOfService("no quota, or no such model", status=status))
    clock.forward(50.0)
    assert health.due_probe() is None
    health.answers_probe(A)
    assert health.order([A]) == []
    clock.forward(10.1)
    assert health.order([A]) == [A]


def test_an_answer_ends_a_rest_that_a_look_would_not_end(health: Health, clock: Clock) -> None:
    health.failed(A, OutOfService("no quota", status=402))
    answer(health, A)
    assert health.order([A]) == [A]
    fail(health, ServerFailed("x"), FAILURES_IN_ROW)
    clock.forward(0.6)
    assert health.due_probe() is A


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_right_again_shows_in_a_list_of_models(
    health: Health, clock: Clock, status: int
) -> None:
    health.failed(A, OutOfService("bad key", status=status))
    clock.forward(0.6)
    assert health.due_probe() is A
    health.answers_probe(A)
    assert health.order([A]) == [A]
