"""Answers with one call of a tool at most, from providers that cannot be told so.

A client that forbids calls beside the first and forces one tool takes a second call of it for a
mistake. Gemini, Converse and Cohere have no word for that, so what comes after the first is taken
off; the model has said it in vain.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from tierwise.wire.conversation import Conversation, Part, ToolCall
from tierwise.wire.dialect import Dialect
from tierwise.wire.features import has_one_to_call
from tierwise.wire.spoken import Event, Spoken, ToolBegan, ToolPiece


def is_due(asked: Conversation, theirs: Dialect) -> bool:
    """Whether the answer of a provider of that dialect may have more calls than were asked for."""
    if asked.parallel_tools is not False or "one_tool_at_a_time" in theirs.words:
        return False
    return has_one_to_call(asked)


def with_one_call(spoken: Spoken) -> Spoken:
    """The answer with the first call of each of its choices."""
    choices = [replace(one, parts=tuple(_first(one.parts))) for one in spoken.choices]
    return replace(spoken, choices=tuple(choices))


def first_calls(events: Iterable[Event]) -> list[Event]:
    """The events without calls after the first."""
    return [one for one in events if not (isinstance(one, ToolBegan | ToolPiece) and one.call)]


def _first(parts: Iterable[Part]) -> Iterable[Part]:
    called = False
    for part in parts:
        if isinstance(part, ToolCall):
            if called:
                continue
            called = True
        yield part
