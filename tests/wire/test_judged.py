"""Gates read answers of all dialects in the same words, whole and as events."""

from __future__ import annotations

import pytest
from msgspec import Raw

from tierwise.types import Completion, ToolCall
from tierwise.wire.conversation import Refusal, Text
from tierwise.wire.conversation import ToolCall as Called
from tierwise.wire.judged import completion_of, completion_of_events
from tierwise.wire.spoken import (
    Choice,
    Ended,
    Event,
    Finish,
    RefusalPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

LOGPROBS = Raw(b'{"content":[{"token":"a","logprob":-0.5}]}')


@pytest.mark.parametrize(
    ("finish", "read"),
    [
        ("stop", "stop"),
        ("stop_sequence", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("filter", "content_filter"),
        ("refusal", "content_filter"),
        ("pause", "stop"),
    ],
)
def test_every_end_has_a_word_that_gates_know(finish: Finish, read: str) -> None:
    assert completion_of(Choice(parts=(), finish=finish)).finish_reason == read
    assert completion_of_events([Ended(finish=finish)]).finish_reason == read


def test_a_pause_that_callers_cannot_end_is_an_answer_that_is_not_whole() -> None:
    assert (
        completion_of(Choice(parts=(), finish="pause"), paused="length").finish_reason == "length"
    )
    read = completion_of_events([Ended(finish="pause")], paused="length")
    assert read.finish_reason == "length"


def test_a_refusal_in_words_is_whole() -> None:
    choice = Choice(parts=(Refusal(text="I will not."),), finish="refusal")
    expected = Completion(text="", finish_reason="stop", refusal="I will not.")
    assert completion_of(choice) == expected
    events = [RefusalPiece(text="I will "), RefusalPiece(text="not."), Ended(finish="refusal")]
    assert completion_of_events(events) == expected


def test_events_say_what_the_whole_answer_says() -> None:
    call = Called(id="1", name="f", arguments='{"x":1}')
    parts = (Text(text="a"), call, Text(text="b"))
    whole = completion_of(Choice(parts=parts, finish="tool_calls", logprobs=LOGPROBS))
    events: list[Event] = [
        TextPiece(text="a", logprobs=LOGPROBS),
        ToolBegan(call=0, id="1", name="f"),
        ToolPiece(call=0, arguments='{"x"'),
        ToolPiece(call=0, arguments=":1}"),
        TextPiece(text="b"),
        Ended(finish="tool_calls"),
    ]
    assert whole.logprobs
    assert completion_of_events(events) == whole


def test_a_call_about_which_nothing_more_is_said_has_no_arguments() -> None:
    events = [ToolBegan(call=0, id="1", name="f"), ToolBegan(call=1, id="2", name="g", custom=True)]
    assert completion_of_events(events).tool_calls == (
        ToolCall(id="1", name="f", arguments="{}"),
        ToolCall(id="2", name="g", arguments=""),
    )
