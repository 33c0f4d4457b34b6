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
from tierwise.state.void import Void, VoidNote, kept_note
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
    promises = Promises(
        {"stepwise": certified(), "other": certified()}, now=Clock(NOON), ledger=":memory:"
    )
    promises.saw(judged(10))
    promises.saw(judged(10, policy=None))
    assert {name: one.watch.requests for name, one in promises.all.items()} == {
        "stepwise": 1,
        "other": 0,
    }


def kept(folder: Path, policy: str = "stepwise", certificate: str = "abc") -> VoidNote:
    """The note beside a ledger in this folder."""
    note = kept_note(str(folder / "tierwise.db"), policy, certificate)
    assert note is not None
    return note


def promised(folder: Path, *, crew: Crew | None = None, **fields: Any) -> Promise:
    """The promise of a gateway that starts with a ledger in this folder."""
    clock = Clock(NOON)
    return Promise("stepwise", certified(**fields), crew, clock, kept=kept(folder))


def test_what_drift_has_voided_is_void_after_a_restart_and_says_since_when_and_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = promised(tmp_path)
    show(before, 40)
    clock = Clock(NOON + 9000)
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="tierwise.certificate"):
        after = Promise("stepwise", certified(), now=clock, kept=kept(tmp_path))
    assert after.void == before.void
    assert after.void is not None
    assert after.void.since == NOON
    assert after.now().void == after.void.reason
    [line] = caplog.messages
    assert f"void since {after.void.day}: {after.void.reason}" in line
    assert "The reference answers until" in line
    assert "tierwise calibrate --restore --policy stepwise" in line


def test_another_certificate_or_policy_beside_the_same_ledger_is_not_void(tmp_path: Path) -> None:
    show(promised(tmp_path), 40)
    for policy, certificate in (("stepwise", "new"), ("other", "abc")):
        note = kept(tmp_path, policy, certificate)
        one = Certified(certificate=a_certificate(), hash=certificate)
        assert Promise(policy, one, now=Clock(NOON), kept=note).void is None


def test_a_certificate_that_was_restored_holds_from_the_next_start_on(tmp_path: Path) -> None:
    running = promised(tmp_path)
    show(running, 40)
    assert kept(tmp_path).remove() == running.void
    assert running.void is not None, "it goes on as it was"
    assert promised(tmp_path).void is None
    assert kept(tmp_path).remove() is None


def test_its_last_day_and_another_router_are_seen_anew_at_each_start(tmp_path: Path) -> None:
    assert promised(tmp_path, expires="2026-02-01").void is not None
    other = Certified(certificate=a_certificate(), hash="abc", void="another router")
    assert Promise("stepwise", other, now=Clock(NOON), kept=kept(tmp_path)).void is not None
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_comes_later_knows_and_one_of_the_crew_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "crew").mkdir()
    show(promised(tmp_path), 40)
    caplog.clear()
    crew = Crew(2, tmp_path / "crew")
    with caplog.at_level(logging.WARNING, logger="tierwise.certificate"):
        workers = [promised(tmp_path, crew=crew) for _ in range(2)]
    assert all(one.now().void is not None for one in workers)
    assert len(caplog.messages) == 1


def test_with_a_ledger_in_memory_nothing_is_kept_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    promises = Promises({"stepwise": certified()}, now=Clock(NOON), ledger=":memory:")
    with caplog.at_level(logging.WARNING, logger="tierwise.certificate"):
        show(promises.all["stepwise"], 40)
    assert promises.all["stepwise"].void is not None
    assert "with a ledger in memory nothing is kept" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{", b'{"reason": 1}', b"\xff\xfe"])
def test_a_damaged_note_still_means_void(tmp_path: Path, content: bytes) -> None:
    note = kept(tmp_path)
    note.path.write_bytes(content)
    void = promised(tmp_path).void
    assert void is not None
    assert str(note.path) in void.reason


def test_who_writes_the_note_first_is_believed(tmp_path: Path) -> None:
    first, second = Void("one", NOON), Void("other", NOON + 1)
    assert kept(tmp_path).leave(first)
    assert not kept(tmp_path).leave(second)
    assert kept(tmp_path).read() == first
    assert [path.name for path in tmp_path.iterdir()] == [kept(tmp_path).path.name]


def test_without_links_the_note_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_here(*_: object) -> None:
        raise PermissionError("links are not supported")

    monkeypatch.setattr("os.link", none_here)
    void = Void("it drifted", NOON)
    assert kept(tmp_path).leave(void)
    assert kept(tmp_path).read() == void
    assert len(list(tmp_path.iterdir())) == 1


def test_a_note_that_cannot_be_written_voids_no_less(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    promise = promised(tmp_path / "not" / "there")
    with caplog.at_level(logging.WARNING, logger="tierwise.certificate"):
        show(promise, 40)
    assert promise.void is not None
    assert "cannot be written down" in caplog.text
