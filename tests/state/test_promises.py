"""Certificates at work: one process finds out, and all fall back."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from builders import Clock, a_certificate, a_decision, a_plan, a_record, an_attempt
from tierwise.certificate import Baseline
from tierwise.config.certified import Certified
from tierwise.state.promises import Crew, Promise, Promises
from tierwise.types import Candidate, Estimate, Record, Tier, Verdict

NOON = 1_772_366_400.0  # 1 March 2026, 12:00 UTC
PLAN = a_plan(Tier(model="small", gates=("refusal",), accept=0.75), "large")


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tierwise.state.drift.WINDOW", 40)


def certified(**fields: Any) -> Certified:
    return Certified(certificate=a_certificate(**fields), hash="abc")


def judged(length: int, *, novelty: float = 0.1, refused: bool = False, **fields: Any) -> Record:
    estimate = Estimate(
        quality=0.6, quality_low=0.5, cost_usd=0.1, cost_p90_usd=0.2, ttft_s=0.1, latency_s=1.0,
        novelty=novelty,
    )  # fmt: skip
    verdict = Verdict(gate="refusal", p=0.1 if refused else 1.0, reason="")
    attempt = an_attempt(p=0.8, length=length, verdicts=(verdict,))
    candidate = Candidate(model="small", role="tier", why="", estimate=estimate)
    defaults: dict[str, Any] = {"certificate": "abc", "promised": True, "policy": "stepwise"}
    decision = a_decision(PLAN, candidates=(candidate,), **{**defaults, **fields})
    return a_record(decision=decision, attempts=(attempt,))


def show(promise: Promise, records: int, length: int = 300, **fields: Any) -> None:
    for _ in range(records):
        promise.saw(judged(length, **fields))


def test_what_looks_as_it_did_at_calibration_voids_nothing() -> None:
    promise = Promise("stepwise", certified(), now=Clock(NOON))
    for number in range(80):
        promise.saw(judged(100 if number % 10 == 0 else 10))
    assert promise.void is None
    assert (promise.watch.requests, promise.watch.windows) == (80, 2)


def test_drift_voids_with_reason_and_moment_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    promise = Promise("stepwise", certified(), now=Clock(NOON))
    with caplog.at_level(logging.WARNING, logger="tierwise.certificate"):
        show(promise, 90)
    assert promise.void is not None
    assert "length" in promise.void.reason
    assert promise.void.since == NOON
    assert promise.now().void == promise.void.reason
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "The reference answers" in caplog.text


@pytest.mark.parametrize(
    ("baseline", "change"),
    [
        (Baseline("refusal", (0.5,), (990, 10)), {"refused": True}),
        (Baseline("novelty", (0.5,), (990, 10)), {"novelty": 0.9}),
        (Baseline("gate refusal", (0.5,), (10, 990)), {"refused": True}),
        (Baseline("posterior", (0.9,), (10, 990)), {}),
    ],
)
def test_refusals_novelty_verdicts_and_posteriors_are_watched(
    baseline: Baseline, change: dict[str, Any]
) -> None:
    promise = Promise("stepwise", certified(baselines=(baseline,)), now=Clock(NOON))
    show(promise, 40, **change)
    assert promise.void is not None
    assert baseline.name.removeprefix("gate ") in promise.void.reason


@pytest.mark.parametrize("other", [{"promised": False}, {"certificate": "older"}])
def test_only_requests_that_something_was_promised_about_are_looked_at(
    other: dict[str, Any],
) -> None:
    promise = Promise("stepwise", certified(), now=Clock(NOON))
    show(promise, 90, **other)
    assert (promise.void, promise.watch.requests) == (None, 0)


def test_what_one_worker_finds_void_is_void_for_all_and_not_for_the_next_certificate(
    tmp_path: Path,
) -> None:
    crew = Crew(2, tmp_path)
    one, other = (Promise("stepwise", certified(), crew, Clock(NOON)) for _ in range(2))
    show(one, 40)
    assert other.now().void is None, "it has not heard yet, and a request does not wait for that"
    other.saw(judged(10))
    assert other.now().void == one.now().void
    assert other.void == one.void
    restarted = Promise("stepwise", certified(), crew, Clock(NOON))
    assert restarted.now().void == one.now().void
    new = Certified(certificate=a_certificate(), hash="new")
    assert Promise("stepwise", new, crew, Clock(NOON)).void is None


def test_the_last_day_passes_while_it_serves() -> None:
    clock = Clock(NOON)
    promise = Promise("stepwise", certified(expires="2026-03-02"), now=clock)
    assert promise.now().void is None
    clock.forward(3 * 86_400)
    assert promise.now().void == "it expired on 2026-03-02"


def test_a_policy_s_requests_are_shown_to_its_own_watch() -> None:
    promises = Promises({"stepwise": certified(), "other": certified()}, now=Clock(NOON))
    promises.saw(judged(10))
    promises.saw(judged(10, policy=None))
    assert {name: one.watch.requests for name, one in promises.all.items()} == {
        "stepwise": 1,
        "other": 0,
    }
