"""Many verdicts, one posterior."""

from __future__ import annotations

import pytest

from tierwise.certificate import Combination, Curve, GateEvidence
from tierwise.gates.combine import BASE, at, chance, log_odds, posterior
from tierwise.types import Verdict

SAME = Curve((0.0, 1.0), (0.0, 1.0))


def said(**p: float) -> list[Verdict]:
    return [Verdict(gate=gate, p=value, reason="") for gate, value in p.items()]


def a_combination(**fields: object) -> Combination:
    defaults = {
        "base": 0.6,
        "intercept": log_odds(0.6),
        "prior": 1.0,
        "prior_missing": 0.0,
        "gates": (GateEvidence(gate="tokens", curve=SAME, weight=1.0, missing=0.0),),
        "curve": SAME,
        "rows": 100,
    }
    return Combination(**{**defaults, **fields})  # type: ignore[arg-type]


FITTED = a_combination()


@pytest.mark.parametrize("combination", [None, FITTED], ids=["by default", "fitted"])
def test_a_hard_failure_rejects_whatever_the_others_say(combination: Combination | None) -> None:
    verdicts = said(complete=0.0, tokens=0.99, judge=0.99)
    assert posterior(verdicts, expected=0.99, combination=combination) == 0


def test_an_answer_that_no_gate_objects_to_is_taken() -> None:
    assert posterior([]) == 1
    assert posterior(said(complete=1.0, json_schema=1.0)) == 1


def test_gates_that_found_nothing_wrong_add_nothing_to_what_was_expected() -> None:
    assert posterior(said(complete=1.0, json_schema=1.0), expected=0.4) == 0.4


def test_one_verdict_alone_is_believed() -> None:
    assert posterior(said(tokens=0.35)) == pytest.approx(0.35)


def test_a_verdict_of_the_base_rate_is_no_evidence() -> None:
    assert posterior(said(tokens=BASE), expected=0.4) == pytest.approx(0.4)


def test_one_doubt_does_not_veto_what_others_praise() -> None:
    assert posterior(said(a=0.4, b=0.95, c=0.95)) > 0.6


def test_many_verdicts_that_agree_do_not_add_up_to_certainty() -> None:
    assert 0.9 < posterior(said(a=0.9, b=0.9, c=0.9)) < 0.97


@pytest.mark.parametrize("combination", [None, FITTED], ids=["by default", "fitted"])
def test_a_better_verdict_never_lowers_the_posterior(combination: Combination | None) -> None:
    steps = [0.05, 0.3, 0.5, 0.7, 0.9, 0.99]
    found = [
        posterior(said(tokens=p, other=0.8), expected=0.6, combination=combination) for p in steps
    ]
    assert found == sorted(found)
    assert found[0] < found[-1]


def test_a_fitted_combination_knows_what_a_gate_s_silence_means() -> None:
    silent = GateEvidence(gate="tokens", curve=SAME, weight=1.0, missing=-1.0)
    by = a_combination(gates=(silent,))
    assert posterior([], combination=by) == pytest.approx(chance(log_odds(0.6) - 1.0))


def test_a_gate_that_was_not_fitted_is_left_out() -> None:
    assert posterior(said(tokens=0.8, new=0.1), combination=FITTED) == pytest.approx(0.8)


def test_a_gate_of_weight_nought_does_not_matter() -> None:
    by = a_combination(gates=(GateEvidence(gate="tokens", curve=SAME, weight=0.0, missing=0.0),))
    assert posterior(said(tokens=0.1), combination=by) == posterior([], combination=by)


def test_a_curve_is_linear_between_its_knots_and_flat_beyond() -> None:
    curve = Curve((0.2, 0.4, 0.8), (0.1, 0.5, 0.9))
    assert [at(curve, x) for x in (0.0, 0.2, 0.3, 0.6, 0.8, 1.0)] == pytest.approx(
        [0.1, 0.1, 0.3, 0.7, 0.9, 0.9]
    )


def test_log_odds_and_chances_are_each_other_s_inverse() -> None:
    for p in (0.01, 0.3, 0.5, 0.99):
        assert chance(log_odds(p)) == pytest.approx(p)
    assert chance(-800) == pytest.approx(0)
    assert chance(800) == pytest.approx(1)
