"""The figures of several workers are one, and labels stay few."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from tierwise.server import counted
from tierwise.server.counted import Counts, Sample, Snapshot, Spread
from tierwise.server.exposition import Board
from tierwise.server.families import SECONDS
from tierwise.server.scrape import exposed
from tierwise.types import Attempt, Decision, Plan, Profile, Record, Verdict

GONE = 2**22 + 1
"""No process has this id: Linux has none above 2^22."""


def figures(text: bytes) -> dict[str, float]:
    """All samples, by name and labels as they are written."""
    return {
        f"{sample.name}{sorted(sample.labels.items()) or ''}": sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def a_snapshot(pid: int, *samples: tuple[str, tuple[str, ...], float]) -> Snapshot:
    return Snapshot(pid, [Sample(*one) for one in samples], [])


def a_record(policy: str | None = "auto", model: str = "small", tier: int = 1) -> Record:
    profile = Profile(kind="chat", domain="general", difficulty=0.1)
    decision = Decision(
        id="d", at=1.0, requested="auto", policy=policy, reference="large", profile=profile,
        plan=Plan(tiers=()), candidates=(), reason="",
    )  # fmt: skip
    return Record(
        decision=decision, attempts=(), status="ok", cost_usd=1.0, reference_cost_usd=3.0,
        latency_s=0.2, model=model, tier=tier,
    )  # fmt: skip


def test_counts_are_added_and_others_joined_as_their_kind_wants() -> None:
    other = os.getppid()
    mine = a_snapshot(
        os.getpid(),
        ("tierwise_refused", ("code",), 2),
        ("tierwise_ledger_pending", (), 3),
        ("tierwise_shadow_price", ("m",), 0.1),
        ("tierwise_certificate_valid", ("p",), 1),
    )
    theirs = a_snapshot(
        other,
        ("tierwise_refused", ("code",), 5),
        ("tierwise_ledger_pending", (), 4),
        ("tierwise_shadow_price", ("m",), 0.3),
        ("tierwise_certificate_valid", ("p",), 0),
    )
    found = figures(exposed(mine, [theirs]))
    assert found["tierwise_refused_total[('code', 'code')]"] == 7
    assert found["tierwise_ledger_pending"] == 7
    assert found["tierwise_shadow_price[('model', 'm')]"] == pytest.approx(0.2)
    assert found["tierwise_certificate_valid[('policy', 'p')]"] == 0


def test_histograms_are_added_bucket_by_bucket() -> None:
    counts = [0] * (len(SECONDS) + 1)
    one, two = [*counts], [*counts]
    one[0], two[-1] = 3, 2
    mine = Snapshot(os.getpid(), [], [Spread("tierwise_request_seconds", ("p",), one, 0.1)])
    theirs = Snapshot(GONE, [], [Spread("tierwise_request_seconds", ("p",), two, 700.0)])
    found = figures(exposed(mine, [theirs]))
    name = "tierwise_request_seconds"
    assert found[f"{name}_bucket[('le', '0.05'), ('policy', 'p')]"] == 3
    assert found[f"{name}_bucket[('le', '300.0'), ('policy', 'p')]"] == 3
    assert found[f"{name}_bucket[('le', '+Inf'), ('policy', 'p')]"] == 5
    assert found[f"{name}_count[('policy', 'p')]"] == 5
    assert found[f"{name}_sum[('policy', 'p')]"] == pytest.approx(700.1)


def test_what_a_worker_that_ended_has_counted_stays_and_how_it_was_does_not() -> None:
    mine = a_snapshot(os.getpid(), ("tierwise_workers", (), 1))
    gone = a_snapshot(
        GONE,
        ("tierwise_workers", (), 1),
        ("tierwise_ledger_pending", (), 9),
        ("tierwise_requests", ("p", "m", "1", "ok"), 4),
        ("tierwise_saved_usd", ("p", "m"), 0.5),
    )
    found = figures(exposed(mine, [gone]))
    assert found["tierwise_workers"] == 1
    assert "tierwise_ledger_pending" not in found
    assert found["tierwise_saved_usd[('model', 'm'), ('policy', 'p')]"] == 0.5
    requests = [value for name, value in found.items() if name.startswith("tierwise_requests_t")]
    assert requests == [4]


def test_workers_find_each_other_on_the_board(tmp_path: Path) -> None:
    board = Board(tmp_path / "metrics")
    mine, theirs = a_snapshot(1, ("tierwise_workers", (), 1)), a_snapshot(2)
    board.show(mine)
    board.show(theirs)
    assert list(board.others(1)) == [theirs]
    (tmp_path / "metrics" / "3.json").write_bytes(b"")  # as of one that is just being written
    (tmp_path / "metrics" / "4.json").write_bytes(b'{"pid": "x"}')
    assert list(board.others(2)) == [mine]
    assert list(Board(None).others(1)) == []


def test_a_disk_that_takes_nothing_is_told_once_and_costs_a_worker_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(tmp_path / "metrics")
    in_the_way = tmp_path / "metrics" / "7.new"
    in_the_way.mkdir()
    board.show(a_snapshot(7))
    board.show(a_snapshot(7))
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    in_the_way.rmdir()
    board.show(a_snapshot(7))
    assert [other.pid for other in board.others(1)] == [7]


def test_labels_have_an_end_and_the_rest_is_counted_as_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counted, "MOST_VALUES", 3)
    counts = Counts()
    for number in range(10):
        counts.observe(a_record(policy=f"policy-{number}"))
        counts.add("tierwise_refused", f"code-{number}")
    values = {(one.name, one.labels): one.value for one in counts.samples()}
    assert values["tierwise_requests", ("policy-0", "small", "1", "ok")] == 1
    assert values["tierwise_requests", ("other", "small", "1", "ok")] == 7
    assert values["tierwise_refused", ("other",)] == 7
    assert sum(v for (name, _), v in values.items() if name == "tierwise_requests") == 10


def test_a_record_is_counted_by_all_that_it_says() -> None:
    verdicts = (
        Verdict(gate="complete", p=0.2, reason=""),
        Verdict(gate="numbers", p=0.9, reason=""),
    )
    rejected = Attempt(
        deployment="a/small", model="small", tier=1, outcome="rejected", verdicts=verdicts,
        latency_s=0.3,
    )  # fmt: skip
    accepted = Attempt(deployment="a/large", model="large", tier=2, outcome="accepted")
    counts = Counts()
    record = a_record(model="large", tier=2)
    counts.observe(replace(record, attempts=(rejected, accepted), failovers=2, stream=True))
    values = {(one.name, one.labels): one.value for one in counts.samples()}
    assert values["tierwise_requests", ("auto", "large", "2", "ok")] == 1
    assert values["tierwise_saved_usd", ("auto", "large")] == 2.0
    assert values["tierwise_failovers", ("auto",)] == 2
    assert values["tierwise_escalations", ("auto",)] == 1
    assert values["tierwise_attempts", ("a/small", "rejected")] == 1
    assert values["tierwise_verdicts", ("complete", "false")] == 1
    assert values["tierwise_verdicts", ("numbers", "true")] == 1
