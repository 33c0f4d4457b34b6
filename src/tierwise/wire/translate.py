"""From one dialect to another: what is asked, and a stream of what is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

from msgspec.structs import replace

from tierwise.types import Message, Task
from tierwise.types import Part as Read
from tierwise.wire.conversation import (
    Audio,
    Conversation,
    Document,
    Image,
    Part,
    Refusal,
    Text,
    ToolResult,
    Turn,
    Video,
)
from tierwise.wire.dialect import dialect_named
from tierwise.wire.glance import said, thinks

CHAT = "openai-chat"
"""The dialect that stations work in which change a request or a stream in its middle."""
_MOST_BYTES = 256 << 10
"""Of a body whose conversation stays with its task."""
_ASKED = "asked"
_GLANCES = {
    "openai-responses": "tierwise.wire.responses.glance",
    "anthropic": "tierwise.wire.anthropic.glance",
    "gemini": "tierwise.wire.gemini.glance",
}


def conversation_of(task: Task) -> Conversation:
    """What a task asks, in words of no dialect.

    It is read once and stays with the task, as routing, translation and gates all want to know,
    unless it is large: nothing of that size is to be there twice for as long as a call takes.

    Raises:
        InvalidRequest: its body is wrong.
    """
    known = task.__dict__
    if _ASKED in known:
        found: Conversation = known[_ASKED]
        return found
    asked = dialect_named(task.dialect).read_request(task.body)
    wants_usage = task.wants_stream_usage
    asked = replace(asked, model=task.model, stream=task.stream, stream_usage=wants_usage)
    if len(task.body) <= _MOST_BYTES:
        known[_ASKED] = asked
    return asked


def in_dialect(task: Task, dialect: str, asked: Conversation | None = None) -> Task:
    """The task with its body in another dialect. Its client still reads the answer in its own.

    Args:
        asked: what it asks, if that was read already.
    """
    if task.dialect == dialect:
        return task
    body = dialect_named(dialect).write_request(asked or conversation_of(task))
    return replace(
        task, body=body, dialect=dialect, read_in=task.reads, wants_stream_usage=task.stream
    )


def as_chat(task: Task) -> Task:
    """The task with its body in OpenAI's chat dialect."""
    return in_dialect(task, CHAT)


def read_task(dialect: str, body: bytes) -> Task:
    """The task of a client's request in a dialect other than chat, read no further than needed.

    Raises:
        InvalidRequest: the body is wrong in what analysis reads of it.
    """
    return _glance_of(dialect)(body) or task_of(dialect_named(dialect).read_request(body), body)


@cache
def _glance_of(dialect: str) -> Callable[[bytes], Task | None]:
    """What glances at requests of a dialect, imported when the first one comes."""
    found: Callable[[bytes], Task | None] = import_module(_GLANCES[dialect]).glance
    return found


def task_of(asked: Conversation, body: bytes) -> Task:
    """The task of a request that a dialect has read from `body`."""
    thinking, wanted = asked.thinking, asked.format
    return Task(
        body=body,
        dialect=asked.dialect,
        model=asked.model,
        messages=[_message(turn) for turn in asked.turns],
        stream=asked.stream,
        wants_stream_usage=asked.stream_usage,
        max_output_tokens=asked.max_tokens,
        choices=asked.choices,
        tools=bool(asked.tools or asked.foreign_tools),
        logprobs=asked.logprobs,
        reasoning=thinking is not None and thinks(thinking.effort, thinking.budget),
        json_mode=wanted is not None and wanted.kind == "json",
        json_schema=bytes(wanted.schema)
        if wanted is not None and wanted.kind == "schema"
        else None,
    )


def _message(turn: Turn) -> Message:
    """What analysis and gates read of a turn: OpenAI's names for the types of parts."""
    return said(turn.role, list(_read(turn.parts)))


def _read(parts: tuple[Part, ...]) -> Iterator[Read]:
    for part in parts:
        match part:
            case Text() | Refusal():
                yield Read("text", part.text)
            case Image():
                yield Read("image_url")
            case Audio():
                yield Read("input_audio")
            case Video():
                yield Read("video_url")
            case Document():
                # A document that is text needs no model that can read files.
                yield Read("text", part.text) if part.text is not None else Read("file")
            case ToolResult():
                yield from _read(part.parts)
