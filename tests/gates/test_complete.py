"""Is there a whole answer at all?"""

from __future__ import annotations

import pytest

from builders import a_task
from tierwise.gates.complete import CompleteGate
from tierwise.types import Completion, ToolCall

CALL = ToolCall(name="f", arguments="{}")
CUT = ToolCall(name="f", arguments='{"a": ')


@pytest.mark.parametrize(
    ("answer", "p", "word"),
    [
        (Completion(text="Paris.", finish_reason="stop"), 1.0, "whole"),
        (Completion(text="Paris."), 1.0, "whole"),
        (Completion(text=""), 0.0, "empty"),
        (Completion(text=" \n\t"), 0.0, "empty"),
        (Completion(text="", refusal="I can't"), 1.0, "whole"),
        (Completion(text="Par", finish_reason="length"), 0.0, "cut off"),
        (Completion(text="x", finish_reason="content_filter"), 0.0, "content filter"),
        (Completion(text="", tool_calls=(CALL,), finish_reason="tool_calls"), 1.0, "tool"),
        (Completion(text="", tool_calls=(CUT,), finish_reason="length"), 0.0, "cut off"),
        (Completion(text="", tool_calls=(CUT,), finish_reason="content_filter"), 0.0, "filter"),
    ],
)
def test_an_answer_is_complete_if_it_says_something_and_ends(
    answer: Completion, p: float, word: str
) -> None:
    verdict = CompleteGate().judge(a_task(), answer)
    assert (verdict.gate, verdict.p) == ("complete", p)
    assert word in verdict.reason


@pytest.mark.parametrize(
    "cut",
    [
        Completion(text="Par", finish_reason="length"),
        Completion(text="", tool_calls=(CUT,), finish_reason="length"),
    ],
)
def test_a_limit_that_the_caller_set_is_not_held_against_the_answer(cut: Completion) -> None:
    assert CompleteGate().judge(a_task(max_tokens=1), cut).p == 1.0


def test_an_empty_answer_is_empty_even_under_the_caller_s_limit() -> None:
    cut = Completion(text="", finish_reason="length")
    assert CompleteGate().judge(a_task(max_tokens=1), cut).p == 0.0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Let us see. " + "we can try the next multiple of 3, which is 9, " * 30, "over and over"),
        ("= 2(E + 5) " * 80 + "= 2(E", "over and over"),
        ("!" * 900, "over and over"),
        ("Here it is:\n```python\ndef f(x):\n    return", "block of code"),
        ('{"reasoning": "First we see that', "before it is closed"),
        ("The first is this. The second of them is what we have to find out now, and", "sentence"),
        ("...", "placeholder"),
        ("TODO", "placeholder"),
        ("[Your answer here]", "placeholder"),
    ],
)
def test_what_was_never_finished_is_hardly_acceptable(text: str, word: str) -> None:
    verdict = CompleteGate().judge(a_task(), Completion(text=text))
    assert verdict.p <= 0.2
    assert word in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "Friends",
        "3 + 4 = 7. So the answer is\n\n#### 7",
        "Some of them are:\n- the treaty of Vienna and what came after it in the end\n- Oslo",
        "```python\nprint(1)\n```",
        "```python\nprint(1)\n```\nIt prints one.",
        '```json\n{"answer": "7"}',
        "\n".join(f"| {i} | {i * i} | {i * i * i} |" for i in range(60)),
        "```python\ngrid = [" + "0, " * 400 + "0]\n```",
        "[1] says so. [2] does not.",
        "He wrote it. Richard Feynman and Murray Gell-Mann read it to Enrico Fermi (in 1950)",
    ],
)
def test_what_ends_as_such_answers_do_is_whole(text: str) -> None:
    assert CompleteGate().judge(a_task(), Completion(text=text)).p == 1.0


def test_a_provider_that_says_stop_is_believed_about_the_last_sentence() -> None:
    text = "The first is this. The second of them is what we have to find out now, and"
    said = Completion(text=text, finish_reason="stop")
    assert CompleteGate().judge(a_task(), said).p == 1.0


def test_a_loop_under_the_caller_s_limit_is_still_a_loop() -> None:
    text = "we can try the next multiple of 3, which is 9, " * 30
    cut = Completion(text=text, finish_reason="length")
    assert CompleteGate().judge(a_task(max_tokens=300), cut).p < 0.1
