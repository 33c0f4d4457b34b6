"""Do the equations hold that an answer states?"""

from __future__ import annotations

import pytest

from builders import a_task
from tierwise.gates.arithmetic import ArithmeticGate
from tierwise.gates.equations import equations
from tierwise.gates.quantities import value_of
from tierwise.types import Completion


@pytest.mark.parametrize(
    "text",
    [
        "12 * 3 = 36",
        "$4.50 × 3 = $13.5",
        "5% of 80 = 4",
        "20% * 50 = 10",
        "1/4 = 25%",
        "0.25 * 100 = 25%",
        "1,234 * 2 = 2,468",
        "1.5 * 1,000,000 = 1,500,000",
        "2 + 3 = 1 + 4 = 5",
        "5 * 2 = 10 + 3 = 13",
        "15 x $4 = $60",
        "9 eggs * $2/egg = $18",
        "4 (Bruce's goals) + 12 (Michael's goals) = 16 goals",
        "10 / 3 = 3.33",
        "2 / 3 = 0.66",
        "100 / 7 = 14",
        "22 / 7 ≈ 3.1",
        "29 * 31 = about 900",
        "3,5 * 2 = 7",
        "1.234,50 * 2 = 2.469,00",
        "2 ** 3 = 8",
        "3² + 4² = 25",
        "-2^2 = -4",
        "3(4) = 12",
        r"\\frac{1}{2} \\times 4 = 2",
        "**3 + 4 = 7**",
        "- 3 + 4 = 7",
        "2. 3 + 4 = 7",
        "100/4 = <<100/4=25>>25 plants",
    ],
)
def test_what_is_right_as_it_is_written_passes(text: str) -> None:
    verdict = ArithmeticGate().judge(a_task(), Completion(text=text.replace("\\\\", "\\")))
    assert verdict is not None
    assert (verdict.gate, verdict.p) == ("arithmetic", 1.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12 * 3 = 35", "12 * 3 = 35 is wrong: it comes to 36"),
        ("So he pays $4.50 × 3 = $13.", "it comes to 13.5"),
        ("5% of 80 = 5", "it comes to 4"),
        ("1,234 * 2 = 2,486", "it comes to 2468"),
        ("2 + 3 = 5 * 2 = 11", "it comes to 10"),
        ("so 15 - 3 = 12 and 12 * 2 = 25", "it comes to 24"),
        ("10 / 3 = 3.5", "it comes to 3.333333333"),
        ("(3+4) * 2 = 15", "it comes to 14"),
        ("4 * 25 = 1000 apples", "it comes to 100"),
    ],
)
def test_what_is_wrong_is_shown_with_what_it_comes_to(text: str, reason: str) -> None:
    verdict = ArithmeticGate().judge(a_task(), Completion(text=text))
    assert verdict is not None
    assert verdict.p < 0.5
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "Paris.",
        "x = 5",
        "2x + 3 = 8",
        "x + 3 = 9",
        "6s + 9 = 3s + 27",
        "f(3) + 1 = 9",
        "sin(30) + 1 = 9",
        "sqrt 9 + 1 = 4",
        "log 100 + 1 = 3",
        "3:30 + 2 = 5:30",
        "2 hours * 60 = 7200 seconds",
        "3 feet + 4 inches = 40 inches",
        "$1.5 million * 2 = $3000000",
        "100 / 7 == 14.5",
        "3 * 4 != 13",
        "1 234 * 2 = 2 469",
        "9**9**9 = 3",
        "Day 3 = 2 * 4",
        "1/3 = 66 * 1/3",
        "6 turns/30 seconds * 2 = 12 turns",
        "7.5 / 1/2 = 15",
        "13 mod 5 + 1 = 4",
        "1.2.3 + 1 = 5",
        "C(4, 2) * 3 = 18",
        "3 * price = 12",
        "```python\ny = 3 - 4 = 5\n```",
    ],
)
def test_what_is_not_plain_arithmetic_is_left_alone(text: str) -> None:
    assert ArithmeticGate().judge(a_task(), Completion(text=text)) is None


def test_no_sum_can_grow() -> None:
    assert value_of(["9", "^", "9", "^", "9"]) is None
    assert value_of(["9", *["^", "9"] * 5000]) is None
    assert value_of(["("] * 5000) is None
    assert value_of(["1", "/", "0"]) is None
    assert value_of(["-", "8", "^", "(", "1", "/", "3", ")"]) == -2.0
    assert value_of([]) is None


def test_an_answer_full_of_equations_is_read_up_to_a_bound() -> None:
    assert sum(1 for _ in equations("1 + 1 = 2\n" * 5000)) == 200
