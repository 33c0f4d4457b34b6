"""No text makes a gate raise, leave [0, 1] or read without a bound."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import a_task
from tierwise.gates import load_gates
from tierwise.types import Completion

NAMES = ("complete", "refusal", "format", "arithmetic", "citations")
GATES = load_gates(NAMES)
CONTEXT = "Answer in three sentences. Quote the text.\n" + "[1] All Gaul is divided in parts. " * 40

PIECES = st.sampled_from(
    (
        *"()[]{}=+-*/^%><.!?“”«»²٣五",
        *(
            "**",
            "==",
            "≈",
            "\\frac{1}{2}",
            "\\times",
            "1,234",
            "1.5",
            ".5",
            "3:30",
            "9**9**9",
            "$4",
        ),
        *("5%", "x", "of", '"All Gaul is divided in parts"', "[3]", "[1-999]", "```", "```json"),
        *("I can't help", "as an AI", "i cannot", "at most 50 words", "exactly 5 bullet points"),
        *("only yes or no", "1e999", "\x00", "\n", " "),
    )
)
TEXTS = st.one_of(
    st.text(max_size=400),
    st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=60).map(" ".join),
    st.lists(PIECES, max_size=60).map("".join),
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(question=TEXTS, text=TEXTS, reason=st.sampled_from([None, "stop", "length"]))
def test_any_text_gets_no_verdict_or_one_between_0_and_1(
    question: str, text: str, reason: str | None
) -> None:
    task = a_task(question + "\n" + CONTEXT)
    answer = Completion(text=text, finish_reason=reason)
    for name, gate in GATES.items():
        for asked in (task, a_task(question)):
            verdict = gate.judge(asked, answer)
            if verdict is not None:
                assert 0.0 <= verdict.p <= 1.0
                assert verdict.gate == name
                assert 0 < len(verdict.reason) <= 400


MEGABYTE = 1_000_000
HOSTILE = {
    "blanks": " ",
    "letters": "a",
    "brackets": "(",
    "sums": "1+",
    "powers": "9^",
    "equations": "1 + 1 = 3\n",
    "equals": "=",
    "one line of equations": "1 + 1 = ",
    "quotes": '"',
    "quoted words": '"a b c d e f',
    "open quotes": "“a ",
    "backticks": "`",
    "fences": "```a\n",
    "references": "[1",
    "dots": ".",
    "digits": "1",
    "commas": "1,",
    "fractions": "\\frac{",
    "sorry": "i'm sorry, ",
    "sentences": "i can ",
    "choices": 'only "a" or "b", ',
    "lengths": "write in at most 5 ",
    "languages": "answer in the ",
    "bullets": "- ",
    "lines": "\n",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("name", NAMES)
def test_a_megabyte_made_to_be_slow_ends(name: str, piece: str) -> None:
    """A search that tries every way to read such a text would not end before the sun does."""
    text = (piece * (MEGABYTE // len(piece) + 1))[:MEGABYTE]
    gate = GATES[name]
    for task in (a_task(CONTEXT), a_task(text[:100_000])):
        gate.judge(task, Completion(text="7" + text))


@pytest.mark.parametrize("name", ["refusal", "arithmetic", "citations"])
def test_what_lies_in_the_middle_of_a_huge_answer_is_not_read(name: str) -> None:
    """Work is bounded by what is read: the verdict of both ends is the verdict of the whole."""
    start = 'We read: "all Gaul is divided in parts". 1 + 1 = 2. ' + "So it is. " * 2000
    end = "So it is. " * 2000
    hidden = '"nobody ever wrote this down there" 1 + 1 = 3 [77] I cannot help. ' * 10_000
    gate, task = GATES[name], a_task(CONTEXT)
    assert gate.judge(task, Completion(text=start + hidden + end)) == gate.judge(
        task, Completion(text=start + end)
    )
