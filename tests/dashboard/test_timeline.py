"""One request as it is told: where its time went, what failed, and why this model answered."""

from __future__ import annotations

import pytest

from builders import a_record, an_attempt
from tierwise.dashboard.timeline import FAILED, opened
from tierwise.errors import UpstreamError
from tierwise.types import CACHE


def test_time_is_counted_from_when_the_request_came() -> None:
    told = opened(
        a_record(
            attempts=(
                an_attempt(outcome="rejected", began_s=0.0, latency_s=1.0),
                an_attempt(outcome="accepted", began_s=1.0, latency_s=2.0, ttft_s=0.5),
            ),
            latency_s=3.0,
            waited_s=0.5,
            analysis_s=0.25,
            routing_s=0.25,
        )
    )
    assert told.whole_s == pytest.approx(4.0)
    before, first, second = told.lanes
    assert (before.kind, first.kind, second.kind) == ("before", "bad", "good")
    assert (before.begins, before.ends) == (0.0, pytest.approx(0.25))
    assert (first.begins, first.ends) == (pytest.approx(0.25), pytest.approx(0.5))
    assert (second.begins, second.ends) == (pytest.approx(0.5), pytest.approx(1.0))
    assert second.first == pytest.approx(0.625)
    assert [step.began_s for step in told.steps] == [0.0, 1.0]


def test_calls_whose_beginning_nobody_noted_follow_one_another_to_the_end() -> None:
    calls = [an_attempt(began_s=None, latency_s=taken) for taken in (1.0, 2.0)]
    told = opened(a_record(attempts=tuple(calls), latency_s=4.0))
    assert [step.began_s for step in told.steps] == [1.0, 2.0]
    assert told.lanes[-1].ends == pytest.approx(1.0)


def test_an_answer_from_the_cache_has_no_calls() -> None:
    told = opened(a_record(attempts=(), deployment=CACHE, latency_s=0.0, analysis_s=None))
    assert [lane.kind for lane in told.lanes] in ([], ["before"])
    assert told.steps == ()
    assert "given again" in told.why


def test_every_upstream_error_has_words() -> None:
    def kinds(error: type[UpstreamError]) -> set[str]:
        return {error.kind}.union(*(kinds(one) for one in error.__subclasses__()))

    assert kinds(UpstreamError) == set(FAILED)


def test_a_failure_is_told_in_words() -> None:
    calls = (
        an_attempt(deployment="near/small", outcome="connect_failed"),
        an_attempt(deployment="far/small", outcome="accepted"),
    )
    told = opened(a_record(attempts=calls))
    assert told.steps[0].said == "failed: could not be reached"
    assert "near/small failed (could not be reached)" in told.why


def test_an_error_that_is_a_sentence_ends_once() -> None:
    told = opened(a_record(model=None, status="error", error="AllPathsFailed: nobody was there."))
    assert told.why == "No model answered: AllPathsFailed: nobody was there."


def test_calls_that_ran_beside_each_other_are_shown_beside_each_other() -> None:
    hedged = tuple(an_attempt(began_s=at, latency_s=0.5) for at in (0.0, 0.25))
    told = opened(a_record(attempts=hedged, latency_s=1.0, waited_s=0.0, analysis_s=0.0))
    first, second = (lane for lane in told.lanes if lane.kind != "before")
    assert (first.begins, first.ends) == (0.0, pytest.approx(0.5))
    assert (second.begins, second.ends) == (pytest.approx(0.25), pytest.approx(0.75))
