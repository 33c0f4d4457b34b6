"""Thresholds that keep a promise, and the promise itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from tierwise.certificate import Certificate
from tierwise.errors import ConfigError
from tierwise.learning.calibrate import Labelled
from tierwise.learning.certify import (
    NOTHING,
    Terms,
    baseline,
    bound,
    certify,
    loses_at,
    p_value,
    rows_needed,
    spent,
)
from tierwise.learning.trials import Trials, read_trials
from tierwise.learning.validate import validate

pytest.importorskip("sklearn")
pytest.importorskip("scipy")
GATES = ("complete", "token_confidence")
TODAY = date(2026, 3, 1)
TERMS = Terms(alpha=0.08, delta=0.1, horizon=300)
SHARED = Path(os.environ.get("TIERWISE_SHARED") or Path(__file__).parents[3] / "shared")


def trials(rows: int, tiers: int = 1, classes: int = 1) -> Trials:
    """A reference right nine times in ten, tiers right as often as their one gate says."""
    random = np.random.default_rng(0)
    p = random.beta(2.0, 0.8, (rows, tiers))
    right = random.random((rows, tiers)) < p
    return Trials(
        reference="big",
        tiers=tuple(f"small-{tier}" for tier in range(tiers)),
        sources=("made-up",),
        traffic=[f"class-{row % classes}" for row in range(rows)],
        answers=[
            tuple(
                Labelled(
                    verdicts={"token_confidence": float(p[row, tier])},
                    right=float(right[row, tier]),
                )
                for tier in range(tiers)
            )
            for row in range(rows)
        ],
        costs=np.full((rows, tiers), 0.001),
        reference_costs=np.full(rows, 0.01),
        reference_right=random.random(rows) < 0.9,
        lengths=random.integers(10, 500, rows).astype(float),
        novelty=random.random(rows),
    )


def test_the_bound_is_kept_on_requests_that_nothing_was_fitted_to() -> None:
    found = validate(trials(1200), TERMS, 20)
    assert found.broken <= TERMS.delta
    assert 0 < found.lost < TERMS.alpha
    assert found.saving > 0.3
    assert found.saving_low <= found.saving


def test_several_tiers_keep_the_bound_too() -> None:
    found = validate(trials(900, tiers=3), TERMS, 8)
    assert found.broken <= TERMS.delta
    assert found.small_share > 0.3


def test_a_threshold_promises_no_more_than_its_requests_prove() -> None:
    certificate = certify(trials(1500), TERMS, TODAY)
    [threshold] = certificate.thresholds
    assert threshold.bound <= TERMS.alpha
    assert threshold.wrong / threshold.rows < threshold.bound
    assert threshold.saving > 0.3
    assert certificate.threshold("anything") == threshold
    assert (certificate.fitted, certificate.calibrated) == (600, 900)


def test_a_stricter_promise_accepts_less() -> None:
    data = trials(2000)
    loose, strict = (
        certify(data, replace(TERMS, alpha=alpha), TODAY).threshold() for alpha in (0.12, 0.04)
    )
    assert strict.accept > loose.accept
    assert strict.accepted < loose.accepted
    assert strict.saving < loose.saving


def test_where_gates_cannot_tell_and_answers_are_bad_nothing_is_accepted() -> None:
    data = trials(600)
    hopeless = replace(
        data,
        answers=[
            (Labelled(verdicts={"token_confidence": 0.5 + row / 2000}, right=float(row % 5 == 0)),)
            for row in range(600)
        ],
    )
    threshold = certify(hopeless, replace(TERMS, alpha=0.02), TODAY).threshold()
    assert (threshold.accept, threshold.accepted, threshold.saving) == (NOTHING, 0.0, 0.0)


def test_classes_with_data_enough_get_thresholds_of_their_own() -> None:
    data = trials(2000, classes=2)
    named = replace(data, traffic=["rare" if row < 40 else name for row, name in
                                   enumerate(data.traffic)])  # fmt: skip
    certificate = certify(named, replace(TERMS, by="kind"), TODAY)
    assert {one.traffic for one in certificate.thresholds} == {"", "class-0", "class-1"}
    rest = certificate.threshold("rare")
    assert rest.traffic == ""
    assert rest.rows < 40
    assert rest.accept == NOTHING, "what is rare proves nothing"


def test_too_few_requests_are_an_error_that_says_how_many_are_needed() -> None:
    with pytest.raises(ConfigError, match=r"60 requests cannot prove alpha 0.05.*At least \d+"):
        certify(trials(60), Terms(), TODAY)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (Terms(alpha=0.0), "--alpha"),
        (Terms(delta=1.0), "--delta"),
        (Terms(by="weather"), "--by"),
        (Terms(horizon=10), "--horizon"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: Terms, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        certify(trials(300), terms, TODAY)


def test_without_losses_alpha_is_proved_by_as_many_requests_as_the_textbook_says() -> None:
    # (1 - alpha)^n <= delta: n = log 0.1 / log 0.95 = 44.9.
    assert rows_needed(0.05, 0.1, 1_000_000) == 45
    assert rows_needed(0.01, 0.1, 1_000_000) == 230


def test_a_promise_about_few_requests_takes_more_proof_than_one_about_many() -> None:
    assert p_value(10, 400, 0.05, horizon=100) > p_value(10, 400, 0.05, horizon=1_000_000)


def test_the_bound_is_the_alpha_that_the_test_just_proves() -> None:
    for wrong, rows in ((0, 100), (10, 400), (100, 2500)):
        found = bound(wrong, rows, 0.1, 500)
        assert wrong / rows < found < 1
        assert p_value(wrong, rows, found + 1e-6, 500) <= 0.1
        assert p_value(wrong, rows, found - 0.003, 500) > 0.1


def test_the_prediction_test_is_as_sure_as_it_says() -> None:
    """Whatever the true rate, few losses now and too many later come together seldom."""
    random = np.random.default_rng(0)
    rows, horizon, alpha, delta = 400, 300, 0.05, 0.1
    passes = max(k for k in range(rows) if p_value(k, rows, alpha, horizon) <= delta)
    for rate in (0.03, 0.04, 0.05, 0.06):
        now = random.binomial(rows, rate, 20_000)
        later = random.binomial(horizon, rate, 20_000)
        assert ((now <= passes) & (later > alpha * horizon)).mean() <= delta


def test_a_request_is_lost_from_the_threshold_on_at_which_a_wrong_answer_is_taken() -> None:
    score = np.array([[0.3, 0.8], [0.9, 0.5], [0.4, 0.7], [0.2, 0.6]])
    wrong = np.array([[True, False], [False, True], [True, True], [False, False]])
    # Below 0.3 the first request's wrong answer would be taken at once; the second's wrong answer
    # never is, since what comes before it scores higher.
    assert loses_at(score, wrong).tolist() == [0.3, -np.inf, 0.7, -np.inf]


def test_every_call_is_paid() -> None:
    score = np.array([[0.9, 0.9], [0.1, 0.9], [0.1, 0.1]])
    costs = np.array([[1.0, 2.0]] * 3)
    assert spent(score, 0.5, costs, np.full(3, 10.0)).tolist() == [1.0, 3.0, 13.0]


def test_a_baseline_counts_every_value_once() -> None:
    values = [float(n) for n in range(100)]
    found = baseline("length", values)
    assert sum(found.counts) == 100
    assert max(found.counts) <= 12
    assert baseline("flag", [0.0] * 95 + [1.0] * 5).counts == (95, 5)
    assert sum(baseline("gate complete", [1.0] * 50).counts) == 50


def test_a_certificate_survives_its_file(tmp_path: Path) -> None:
    certificate = certify(trials(600), replace(TERMS, alpha=0.1), TODAY)
    certificate.save(tmp_path / "certificate.json")
    assert Certificate.load(tmp_path / "certificate.json") == certificate
    assert certificate.created == "2026-03-01"
    assert certificate.expires == "2026-05-30"


def test_recorded_answers_are_judged_by_gates_and_by_their_log_probabilities(
    record: Callable[..., Path], tmp_path: Path
) -> None:
    prompts = {"a-1": "What is 1 + 1?", "a-2": "What is 2 + 2?", "a-3": "What is 3 + 3?"}
    rows = [(name, model, 1.0, 0.01) for name in prompts for model in ("small", "big")]
    folder = record(
        tmp_path / "told", prompts, rows,
        response=["2", "2", "", "4", "6", "6"], logprob=[-0.1, None, -0.2, None, None, None],
    )  # fmt: skip
    found = read_trials([folder], "big", ["small"], ["complete", "token_confidence"], by="dataset")
    assert [row[0].verdicts for row in found.answers] == [
        {"complete": 1.0, "token_confidence": pytest.approx(np.exp(-0.1))},
        {"complete": 0.0, "token_confidence": pytest.approx(np.exp(-0.2))},
        {"complete": 1.0},
    ]
    assert found.lengths.tolist() == [1, 0, 1]
    assert found.traffic == ["a", "a", "a"]


def test_recorded_log_probabilities_count_only_if_the_gateway_would_ask_for_them(
    record: Callable[..., Path], tmp_path: Path
) -> None:
    prompts = {"a-1": "What is 1 + 1?"}
    rows = [("a-1", model, 1.0, 0.01) for model in ("small", "big")]
    folder = record(tmp_path / "told", prompts, rows, response=["2", "2"], logprob=[-0.1, None])
    found = read_trials([folder], "big", ["small"], ["complete"])
    assert found.answers[0][0].verdicts == {"complete": 1.0}
    [note] = found.notes
    assert "token_confidence is not a gate" in note


@pytest.mark.parametrize(
    ("reference", "tiers", "words"),
    [("huge", ["small"], "no outcomes of huge"), ("big", ["big"], "at least one other model")],
)
def test_models_that_make_no_cascade_are_refused(
    traffic: Path, reference: str, tiers: list[str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read_trials([traffic], reference, tiers, ["complete"])


def test_on_recorded_answers_the_bound_holds_and_saves() -> None:
    folder = SHARED / "outcomes" / "cascades"
    if not (folder / "outcomes.parquet").is_file():
        pytest.skip("the recorded outcomes are not here")
    found = validate(read_trials([folder], "gpt-4o", ["gpt-4o-mini"], GATES), Terms(), 10)
    assert found.broken <= 0.1
    assert found.saving > 0.5
