"""The numbers of an answer: sums, figures left unused, the look of the result."""

from __future__ import annotations

import pytest

from tierwise.gates.closed_answer import ClosedAnswer
from tierwise.gates.numbers import FEATURES, number_features

PROMPT = "Ann has 3 boxes of 12 eggs and eats 4. How many are left?"


def features(answer: str, result: str | None = None) -> dict[str, float]:
    closed = None if result is None else ClosedAnswer("number", result)
    return dict(zip(FEATURES, number_features(PROMPT, answer, closed), strict=True))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("3 * 12 = 36", 0), ("3 * 12 = 38", 1), ("3 x 12 - 4 = 32", 0), ("5 + 3 * 12 = 41", 0),
        ("<<3*12=36>>36", 0), ("$1,200 / 4 = $300", 0), ("20% * 50 = 10", 0), ("7 / 0 = 1", 0),
        ("4 - 36 = -32", 0), ("4 - 36 = 32", 1),
    ],
)  # fmt: skip
def test_sums_are_worked_out(text, wrong):
    assert features(text)["wrong_sums"] == wrong


def test_figures_of_the_question_that_an_answer_leaves_out_are_counted():
    assert features("3 boxes of 12 less 4")["figures_unused"] == 0
    assert features("3 boxes of 12")["figures_unused"] == 1


def test_the_look_of_a_result_is_told():
    assert features("", "5/2")["result_not_whole"] == 1
    assert features("", "-2")["result_negative"] == 1
    assert features("", "12")["result_was_given"] == 1
    assert features("")["result_size"] == 0


@pytest.mark.parametrize(
    "figures", ["1,", "1+", "1 + ", "1 ", "12%", "1 % ", "1.5 * $2 - "], ids=repr
)
def test_a_long_row_of_figures_is_gone_through_once(figures: str) -> None:
    # Gone through once more for each of its figures, it would take minutes.
    row = "= " + figures * (8000 // len(figures))
    assert features(row)["sums"] == 0


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("2 * 3 = 6", 0), ("2 * 3 = 7", 1), ("10% * 50 = 5 + 1 = 6", 0), ("x = 5 = 6 * 2 = 13", 1)],
)
def test_a_sum_is_found_wherever_it_begins(text: str, wrong: int) -> None:
    found = features(text)
    assert found["sums"] > 0
    assert found["wrong_sums"] == wrong
