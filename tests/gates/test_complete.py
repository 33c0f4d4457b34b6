"""Is there a whole answer at all?"""

from __future__ import annotations

import pytest

from builders import a_task
from tierwise.gates.complete import CompleteGate
from tierwise.types import Completion, ToolCall

CALL = ToolCall(name="f", arguments="{}")


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
    ],
)
def test_an_answer_is_complete_if_it_says_something_and_ends(
    answer: Completion, p: float, word: str
) -> None:
    verdict = CompleteGate().judge(a_task(), answer)
    assert (verdict.gate, verdict.p) == ("complete", p)
    assert word in verdict.reason


def test_a_limit_that_the_caller_set_is_not_held_against_the_answer() -> None:
    cut = Completion(text="Par", finish_reason="length")
    assert CompleteGate().judge(a_task(max_tokens=1), cut).p == 1.0


def test_an_empty_answer_is_empty_even_under_the_caller_s_limit() -> None:
    cut = Completion(text="", finish_reason="length")
    assert CompleteGate().judge(a_task(max_tokens=1), cut).p == 0.0
