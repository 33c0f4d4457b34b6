"""What gates judge: answers of any dialect, whole and as events, in the words that gates know."""

from __future__ import annotations

from collections.abc import Iterable

from tierwise.types import Completion, TokenLogprob, ToolCall
from tierwise.wire.conversation import Refusal, Text
from tierwise.wire.conversation import ToolCall as Called
from tierwise.wire.openai_logprobs import read_logprobs
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

_FINISHES: dict[Finish, str] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "filter": "content_filter",
}
"""What gates call the ends of answers; the rest is `stop`."""


def completion_of(choice: Choice, *, paused: str = "stop") -> Completion:
    """What a whole answer says.

    Args:
        paused: what gates call the end of one that waits to be asked to go on: `length` where
            callers cannot ask for that.
    """
    refusal = "".join(part.text for part in choice.parts if isinstance(part, Refusal)) or None
    return Completion(
        text="".join(part.text for part in choice.parts if isinstance(part, Text)),
        finish_reason=finish_for_gates(choice.finish, refusal=refusal, paused=paused),
        tool_calls=tuple(
            ToolCall(id=part.id, name=part.name, arguments=part.arguments)
            for part in choice.parts
            if isinstance(part, Called)
        ),
        refusal=refusal,
        logprobs=read_logprobs(choice.logprobs),
    )


def completion_of_events(events: Iterable[Event], *, paused: str = "stop") -> Completion:
    """What the events of a stream say, or of the beginning of one; `paused` is as above."""
    texts: list[str] = []
    refusals: list[str] = []
    calls: dict[int, tuple[ToolBegan, list[str]]] = {}
    logprobs: list[TokenLogprob] = []
    finish: Finish | None = None
    for event in events:
        match event:
            case TextPiece():
                texts.append(event.text)
                logprobs += read_logprobs(event.logprobs)
            case RefusalPiece():
                refusals.append(event.text)
            case ToolBegan():
                calls[event.call] = event, []
            case ToolPiece():
                calls[event.call][1].append(event.arguments)
            case Ended():
                finish = event.finish
            case _:
                pass
    refusal = "".join(refusals) or None
    return Completion(
        text="".join(texts),
        finish_reason=finish_for_gates(finish, refusal=refusal, paused=paused),
        tool_calls=tuple(_call(began, "".join(pieces)) for began, pieces in calls.values()),
        refusal=refusal,
        logprobs=tuple(logprobs),
    )


def finish_for_gates(finish: Finish | None, *, refusal: str | None, paused: str) -> str | None:
    """What gates call the end of an answer, with the words of the refusal if it is one."""
    if finish is None:
        return None
    if finish == "refusal" and refusal is None:
        return "content_filter"  # there is no answer, nor a word about it
    return paused if finish == "pause" else _FINISHES.get(finish, "stop")


def _call(began: ToolBegan, arguments: str) -> ToolCall:
    """Some providers say nothing at all where a tool takes no arguments."""
    if not (arguments or began.custom):
        arguments = "{}"
    return ToolCall(id=began.id, name=began.name, arguments=arguments)
