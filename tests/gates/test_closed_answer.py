"""What does a text end on, and do two texts end on the same?"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tierwise.gates.closed_answer import ClosedAnswer, asked, extract, same

SHARED = Path(os.environ.get("TIERWISE_SHARED") or Path(__file__).parents[3] / "shared")
CHOICE = "Which is a fruit?\nA) a brick\nB) the pear\nC) a pier\nAnswer:"
LETTERS = "Which is a fruit?\n\nChoices:\nA: a brick\nB: the pear\nC: a pier\n\nAnswer: "
SUM = "Ada has 70 shells and finds 2 more. How many shells has she now?"
NAME = "Who wrote Faust?"
TRUTH = "Is water wet? Answer yes or no."
CODE = "What does f return?\ndef f(x):\n    return x\nassert f('a b') == ??"


@pytest.mark.parametrize("prompt", [CHOICE, LETTERS])
@pytest.mark.parametrize(
    "answer",
    ["B", "b", "(B)", "B)", "**B**", "B.", "B: the pear", "The pear", "pear.", "B the pear",
     "I think it grows on trees.\nThe answer is (B).", "Answer: B", "Final answer: **B**",
     "So it is $\\boxed{B}$", '{"reasoning": "it grows", "answer": "B"}'],
)  # fmt: skip
def test_a_choice_is_read_in_all_its_forms(prompt: str, answer: str) -> None:
    assert extract(prompt, answer) == ClosedAnswer("choice", "b")


@pytest.mark.parametrize("answer", ["D", "I do", "As a model I cannot choose.", "It depends."])
def test_what_chooses_none_of_the_options_is_no_choice(answer: str) -> None:
    assert extract(CHOICE, answer) is None


@pytest.mark.parametrize(
    "answer",
    ["72", "#### 72", "70 + 2 = 72\n#### 72 shells", "The answer is $72.00", "She has 72.",
     "70 + 2 is\n\nso she has 72 shells now.", "\\boxed{72}", "$\\boxed{72}$", "72 shells",
     "**72**", "Answer: 72.", '```json\n{"reasoning": "70 + 2", "answer": 72}\n```',
     'Here: {"reasoning": "\\(70\\)", "answer": "72"}', "The answer is: $\\frac{144}{2}$"],
)  # fmt: skip
def test_a_number_is_read_in_all_its_forms(answer: str) -> None:
    assert extract(SUM, answer) == ClosedAnswer("number", "72")


@pytest.mark.parametrize(
    ("answer", "value"),
    [("$70,000", "70000"), ("-$10,000.50", "-20001/2"), ("3/4", "3/4"), ("0.75", "3/4"),
     ("150%", "150"), ("x = 5", "5"), ("She pays $18,000 in a year.", "18000"),
     ("It comes to 12 after 3 years, that is 1,200.", "1200")],
)  # fmt: skip
def test_numbers_are_read_by_value(answer: str, value: str) -> None:
    assert extract(SUM, answer) == ClosedAnswer("number", value)


@pytest.mark.parametrize("answer", ["Yes", "yes.", "**Yes**, it is.", "True", "Yes, it clings."])
def test_yes_is_read_in_all_its_forms(answer: str) -> None:
    assert extract(TRUTH, answer) == ClosedAnswer("truth", "yes")


def test_a_formula_is_read_without_its_typesetting() -> None:
    one = extract("Solve it.", "Thus $\\boxed{\\dfrac{\\sqrt{3}}{2}}$.")
    other = extract("Solve it.", "\\boxed{ \\frac{\\sqrt 3}{2} }")
    assert one is not None
    assert one == other
    assert one.kind == "formula"


def test_json_is_compared_by_value() -> None:
    one = extract("List them.", '{"b": 1, "a": [2]}')
    other = extract("List them.", '```json\n{\n "a": [2],\n "b": 1\n}\n```')
    assert one is not None
    assert one == other


def test_every_sign_of_a_literal_counts() -> None:
    kept = extract(CODE, '{"answer": "\'a  b\'"}')
    lost = extract(CODE, '{"answer": "a b"}')
    assert kept is not None
    assert lost is not None
    assert not same(kept, lost)
    assert same(lost, ClosedAnswer("json", "a b"))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Goethe", "goethe.", True),
        ("Goethe", "Johann Wolfgang von Goethe", True),
        ("The Beatles", "Beatles", True),
        ("Ångström", "Angstrom", True),
        ("Goethe", "Schiller", False),
        ("Goethe", "not Goethe", False),
        ("Louis XIV", "Louis XV", False),
    ],
)
def test_names_are_the_same_whatever_surrounds_them(one: str, other: str, alike: bool) -> None:
    first, second = extract(NAME, one), extract(NAME, other)
    assert first is not None
    assert second is not None
    assert same(first, second) is alike
    assert same(second, first) is alike


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("33.33", "33.3333", True),
        ("1000", "1001", False),
        ("2.5", "2.6", False),
        ("5", "5.0", True),
    ],
)
def test_roundings_of_a_fraction_are_the_same_but_not_of_whole_numbers(
    one: str, other: str, alike: bool
) -> None:
    first, second = extract(SUM, one), extract(SUM, other)
    assert first is not None
    assert second is not None
    assert same(first, second) is alike


def test_answers_of_different_kinds_differ() -> None:
    assert not same(ClosedAnswer("number", "1"), ClosedAnswer("text", "1"))


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (NAME, ""),
        (NAME, "Faust is a tragic play in two parts, written over some sixty years by one man."),
        ("Write a function that adds 1 to 2 numbers.", "```python\ndef f(x):\n    return x\n```"),
        ("Write a poem.", "The moon is up,\nthe stars are out"),
    ],
)
def test_an_open_answer_has_no_final_one(prompt: str, answer: str) -> None:
    assert extract(prompt, answer) is None


def test_a_prompt_is_read_once_for_many_answers() -> None:
    wanted = asked(CHOICE)
    assert extract(wanted, "B") == extract(CHOICE, "B")


def test_nothing_that_a_model_may_say_breaks_it() -> None:
    for text in ("{", "[" * 5000, "\\boxed{", "#### ", "1/0", "é" * 60_000, '{"answer": }', "```"):
        for prompt in (CHOICE, SUM, NAME, TRUTH, CODE, ""):
            extract(prompt, text)


def recordings(source: str) -> Path:
    folder = SHARED / "outcomes" / source
    if not (folder / "outcomes.parquet").is_file():
        pytest.skip(f"the recorded outcomes of {source} are not here")
    pytest.importorskip("pyarrow")
    return folder


@pytest.mark.parametrize(
    ("source", "dataset"),
    [("cascades", "gsm8k"), ("cascades", "mmlu"), ("zeroeval", "gsm8k"),
     ("zeroeval", "math_level5"), ("routerbench", "arc_challenge")],
)  # fmt: skip
def test_right_answers_agree_with_each_other_and_not_with_wrong_ones(
    source: str, dataset: str
) -> None:
    import pyarrow.parquet as pq

    folder = recordings(source)
    prompts = {
        row["prompt_id"]: row["prompt"]
        for row in pq.read_table(folder / "prompts.parquet").to_pylist()
        if row["dataset"] == dataset
    }
    few = dict(list(prompts.items())[:200])
    found: dict[str, list[tuple[float, ClosedAnswer | None]]] = {name: [] for name in few}
    for row in pq.read_table(folder / "outcomes.parquet").to_pylist():
        if row["prompt_id"] in few and row["response"] and row["score"] is not None:
            answer = extract(few[row["prompt_id"]], row["response"])
            found[row["prompt_id"]].append((row["score"], answer))
    right = [answer for group in found.values() for score, answer in group if score == 1]
    pairs = [
        (other_score, same(one, other))
        for group in found.values()
        for at, (score, one) in enumerate(group)
        for other_score, other in group[at + 1 :]
        if score == 1 and one is not None and other is not None
    ]
    agree = [alike for score, alike in pairs if score == 1]
    wrongly = [alike for score, alike in pairs if score == 0]
    assert sum(answer is None for answer in right) <= 0.02 * len(right)
    assert sum(agree) >= 0.97 * len(agree)
    assert sum(wrongly) <= 0.12 * len(wrongly)


def test_long_texts_take_no_time_to_speak_of() -> None:
    wanted, text = asked(SUM), "so 12 + 5 = 17 and then = " * 40_000
    begin = time.process_time()
    extract(wanted, text)
    assert time.process_time() - begin < 2.0  # quadratic matching would take minutes
