"""What a report says of gates: figures worked out by hand, and any traffic against a plain sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_decision, a_plan, a_record, an_attempt
from tierwise.ledger import Feedback, Ledger, Report
from tierwise.ledger.gate_figures import FEWEST_CASES
from tierwise.types import Attempt, Record, Tier, Verdict

PLAN = a_plan(
    Tier(model="small", gates=("form", "judge"), accept=0.8),
    Tier(model="middle", gates=("form",), accept=0.5),
    Tier(model="large"),
)
MODELS = ("small", "middle", "large")


def answer(tier: int, outcome: str, cost: float, **gates: float) -> Attempt:
    model = MODELS[tier - 1]
    return an_attempt(
        deployment=f"near/{model}",
        model=model,
        tier=tier,
        outcome=outcome,
        cost_usd=cost,
        verdicts=tuple(Verdict(gate=gate, p=p, reason="so") for gate, p in gates.items()),
    )


def probe(cost: float, gate: str = "judge", **more: Any) -> Attempt:
    place: dict[str, Any] = {"deployment": "near/large", "model": "large", "tier": 1, **more}
    return an_attempt(outcome="probe", gate=gate, cost_usd=cost, **place)


def request(decision: str, *attempts: Attempt, reference: float = 1.0, **more: Any) -> Record:
    """A request that ended with the last of its attempts that is no probe."""
    last = [attempt for attempt in attempts if attempt.outcome != "probe"][-1]
    return a_record(
        decision=a_decision(PLAN, id=decision, at=1.0),
        attempts=attempts,
        cost_usd=sum(attempt.cost_usd for attempt in attempts),
        reference_cost_usd=reference,
        model=last.model,
        deployment=last.deployment,
        tier=last.tier,
        **more,
    )


def reported(records: Sequence[Record], feedback: Sequence[Feedback] = ()) -> Report:
    with Ledger.memory() as ledger:
        for record in records:
            ledger.record(lambda record=record: record)  # type: ignore[misc]
        for one in feedback:
            ledger.rated(one)
        assert ledger.flush()
        return ledger.report(now=100.0)


def rating(decision: str, score: float, source: str = "user", at: float = 50.0) -> Feedback:
    return Feedback(decision_id=decision, at=at, source=source, score=score)


@pytest.fixture(scope="module")
def story() -> Report:
    """Five requests, each of which the reference would have answered for 1 USD.

    1 `small` answers for 0.1, both gates pass it: saves 0.9.
    2 the same after a probe for 0.05: saves 0.85. Rated 1.
    3 `judge` rejects `small` (0.1, probe 0.05), `middle` is kept by `form` (0.3): saves 0.55.
      Rated 0.
    4 `form` rejects `small` (0.1), then `middle` (0.3); `large` answers (1.0): -0.4. Rated 1.
    5 `judge` rejects `small` (0.1, probe 0.05), and nobody else can answer: the draft it is.
      Rated 0.5.
    """
    return reported(
        [
            request("1", answer(1, "accepted", 0.1, form=1.0, judge=0.9)),
            request("2", answer(1, "accepted", 0.1, form=0.8, judge=0.9), probe(0.05)),
            request(
                "3",
                answer(1, "rejected", 0.1, form=1.0, judge=0.79),
                probe(0.05),
                answer(2, "accepted", 0.3, form=0.6),
            ),
            request(
                "4",
                answer(1, "rejected", 0.1, form=0.0, judge=0.9),
                answer(2, "rejected", 0.3, form=0.0),
                answer(3, "accepted", 1.0),
            ),
            request("5", answer(1, "rejected", 0.1, form=0.9, judge=0.1), probe(0.05)),
        ],
        [rating("2", 1.0), rating("3", 0.0), rating("4", 1.0), rating("5", 0.5)],
    )


def test_verdicts_pass_at_their_tiers_thresholds(story: Report) -> None:
    form, judge = story.by_gate["form"], story.by_gate["judge"]
    assert (form.verdicts, form.passed, form.pass_rate) == (7, 5, pytest.approx(5 / 7))
    assert (judge.verdicts, judge.passed, judge.pass_rate) == (5, 3, pytest.approx(3 / 5))
    assert list(story.by_gate) == ["form", "judge"]


def test_probes_are_billed_to_their_gate_and_counted_apart(story: Report) -> None:
    assert (story.probes, story.probe_usd) == (3, pytest.approx(0.15))
    assert (story.by_gate["judge"].probes, story.by_gate["judge"].cost_usd) == (
        3,
        pytest.approx(0.15),
    )
    assert (story.by_gate["form"].probes, story.by_gate["form"].cost_usd) == (0, 0)
    assert story.cost_usd == pytest.approx(0.1 + 0.15 + 0.45 + 1.4 + 0.15)
    assert story.wasted_usd == pytest.approx(0.1 + 0.4)
    assert story.upstream_errors == {}
    large = story.by_deployment["near/large"]
    assert (large.attempts, large.failures) == (4, 0)
    assert large.billed_usd == pytest.approx(1.15)


def test_a_gate_earns_the_saving_of_what_it_judged_and_was_kept_less_what_was_in_vain(
    story: Report,
) -> None:
    form, judge = story.by_gate["form"], story.by_gate["judge"]
    assert form.saved_usd == pytest.approx(0.9 + 0.85 + 0.55)
    assert (form.rejected, form.rejected_usd) == (2, pytest.approx(0.4))
    assert form.earned_usd == pytest.approx(form.saved_usd - 0.4)
    assert judge.saved_usd == pytest.approx(0.9 + 0.85)
    # The draft of 3 and its probe, and the probe of 5, whose draft was of use after all.
    assert (judge.rejected, judge.rejected_usd) == (2, pytest.approx(0.2))
    assert judge.earned_usd == pytest.approx(judge.saved_usd - 0.15 - 0.05)


def test_precision_is_the_mean_label_with_its_count(story: Report) -> None:
    form, judge = story.by_gate["form"], story.by_gate["judge"]
    assert (form.labelled_passed, form.precision) == (3, pytest.approx(0.5))
    assert (form.labelled_failed, form.label_failed) == (0, None)
    assert (judge.labelled_passed, judge.precision) == (1, 1.0)
    assert (judge.labelled_failed, judge.label_failed) == (1, 0.5)
    assert (story.labelled, story.mean_label) == (4, pytest.approx(0.625))


def test_tiers_say_how_many_answers_were_accepted_and_how_good_those_are(story: Report) -> None:
    one, two, three = (story.judged_by_tier[tier] for tier in "123")
    assert (one.judged, one.accepted, one.accept_rate) == (5, 2, pytest.approx(0.4))
    assert (one.labelled_accepted, one.precision) == (1, 1.0)
    assert (one.labelled_rejected, one.label_rejected) == (1, 0.5)
    assert (two.judged, two.accepted, two.precision) == (2, 1, 0.0)
    assert (three.judged, three.accept_rate, three.precision) == (0, None, 1.0)


def test_without_gates_and_feedback_there_are_no_figures_instead_of_zeros() -> None:
    found = reported([request("1", answer(3, "accepted", 1.0))])
    assert (found.by_gate, found.judged_by_tier, found.gates_that_do_not_pay) == ({}, {}, [])
    assert (found.labelled, found.mean_label, found.probes, found.probe_usd) == (0, None, 0, 0)


def test_a_self_check_at_the_answering_deployment_is_no_answer() -> None:
    checking = probe(0.05, deployment="near/small", model="small")
    found = reported([request("1", answer(1, "rejected", 0.1, judge=0.1), checking)])
    assert found.wasted_usd == 0
    assert found.by_gate["judge"].earned_usd == pytest.approx(-0.05)


def test_a_cancelled_request_saves_nothing_and_its_probes_are_paid_for() -> None:
    kept = answer(1, "accepted", 0.1, judge=0.9)
    found = reported([request("1", kept, probe(0.05), status="cancelled")])
    assert found.by_gate["judge"].saved_usd == 0
    assert found.by_gate["judge"].earned_usd == pytest.approx(-0.05)


def test_gates_that_cost_more_than_they_earn_are_named_the_worst_first() -> None:
    def rejected(number: int, gate: str, cost: float) -> Record:
        return request(
            f"{gate}-{number}",
            answer(1, "rejected", cost, **{gate: 0.0}),
            answer(3, "accepted", 1.0),
        )

    useless = [rejected(n, "useless", 0.1) for n in range(FEWEST_CASES)]
    worse = [rejected(n, "worse", 0.2) for n in range(FEWEST_CASES)]
    rare = [rejected(n, "rare", 0.9) for n in range(FEWEST_CASES - 1)]
    silent = [
        request(f"s{n}", answer(3, "accepted", 1.0), probe(0.01, "silent"))
        for n in range(FEWEST_CASES)
    ]
    useful = [request(f"u{n}", answer(1, "accepted", 0.1, useful=1.0)) for n in range(50)]
    found = reported([*useless, *worse, *rare, *silent, *useful])
    assert found.gates_that_do_not_pay == ["worse", "useless", "silent"]
    assert found.by_gate["rare"].earned_usd < 0


def test_the_latest_word_counts_and_users_before_judges() -> None:
    records = [request(n, answer(1, "accepted", 0.1, form=1.0)) for n in ("1", "2", "3")]
    found = reported(
        records,
        [
            rating("1", 0.0, at=60.0),
            rating("1", 1.0, at=70.0),
            rating("1", 0.0, "judge", at=80.0),
            rating("2", 0.25, "judge"),
            rating("2", 0.75, "score"),
            rating("3", 0.0, "hearsay"),
            rating("nobody", 1.0),
        ],
    )
    assert (found.labelled, found.mean_label) == (2, pytest.approx((1.0 + 0.75) / 2))


# Any traffic: the database's sums against those of a loop over the records.

_P = st.sampled_from([0.0, 0.5, 0.79, 0.8, 1.0])
_USD = st.integers(0, 64).map(lambda n: n / 64)  # sums of these are exact
_GATES = st.dictionaries(st.sampled_from(["form", "judge", "odd"]), _P, max_size=3)


@st.composite
def _requests(draw: st.DrawFn) -> tuple[Record, float | None]:
    attempts: list[Attempt] = []
    kept = draw(st.integers(1, 3))
    for tier in range(1, kept + 1):
        outcome = "accepted" if tier == kept else "rejected"
        if tier == kept < 3 and draw(st.booleans()):
            outcome = "rejected"  # the draft was all there was
        gates = draw(_GATES) if tier < 3 else {}
        attempts.append(answer(tier, outcome, draw(_USD), **gates))
        if gates and draw(st.booleans()):
            attempts.append(probe(draw(_USD), draw(st.sampled_from(sorted(gates))), tier=tier))
    status = draw(st.sampled_from(["ok", "ok", "ok", "cancelled"]))
    record = request("x", *attempts, reference=draw(_USD), status=status)
    return record, draw(st.none() | st.sampled_from([0.0, 0.25, 1.0]))


def _earned(records: Sequence[Record], gate: str) -> float:
    """The definition, word by word."""
    earned = 0.0
    for record in records:
        tries = [attempt for attempt in record.attempts if attempt.outcome != "probe"]
        last = tries[-1]
        names = {verdict.gate for verdict in last.verdicts}
        if record.status == "ok" and last.outcome == "accepted" and gate in names:
            earned += record.reference_cost_usd - record.cost_usd
            continue
        for attempt in record.attempts:
            if attempt.outcome == "probe" and attempt.gate == gate:
                earned -= attempt.cost_usd
            elif attempt.outcome == "rejected" and attempt is not last:
                accept = PLAN.tiers[attempt.tier - 1].accept
                if any(v.gate == gate and v.p < accept for v in attempt.verdicts):
                    earned -= attempt.cost_usd
    return earned


@settings(max_examples=60, deadline=None)
@given(st.lists(_requests(), max_size=12))
def test_any_traffic_adds_up_to_what_a_loop_over_its_records_says(
    traffic: list[tuple[Record, float | None]],
) -> None:
    records = [
        request(
            str(number), *record.attempts,
            reference=record.reference_cost_usd, status=record.status,
        )
        for number, (record, _) in enumerate(traffic)
    ]  # fmt: skip
    labels = {str(n): label for n, (_, label) in enumerate(traffic) if label is not None}
    found = reported(records, [rating(n, label) for n, label in labels.items()])
    for gate in ("form", "judge", "odd"):
        said = [
            (a, v, record)
            for record in records
            for a in record.attempts
            for v in a.verdicts
            if v.gate == gate
        ]
        assert (gate in found.by_gate) == bool(said)
        if not said:
            continue
        figures = found.by_gate[gate]
        assert figures.verdicts == len(said)
        assert figures.passed == sum(v.p >= PLAN.tiers[a.tier - 1].accept for a, v, _ in said)
        assert figures.earned_usd == _earned(records, gate)
        rated = [
            labels[record.decision.id]
            for a, v, record in said
            if a is [t for t in record.attempts if t.outcome != "probe"][-1]
            and record.status == "ok"
            and record.decision.id in labels
            and v.p >= PLAN.tiers[a.tier - 1].accept
        ]
        assert figures.labelled_passed == len(rated)
        assert figures.precision == (math.fsum(rated) / len(rated) if rated else None)
    probes = [a.cost_usd for r in records for a in r.attempts if a.outcome == "probe"]
    assert (found.probes, found.probe_usd) == (len(probes), sum(probes))
    billed = [a.cost_usd for r in records for a in r.attempts]
    assert found.cost_usd == sum(billed)
