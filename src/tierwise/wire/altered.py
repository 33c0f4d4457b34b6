"""A task of any dialect with something else asked: a turn more, less room, another draw.

It stays in its own dialect, so that a provider of that dialect is asked all that only it knows.
OpenAI's chat bodies keep the bytes of whatever is not changed.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from tierwise.types import Message, Task
from tierwise.wire.conversation import Conversation, Text, Turn
from tierwise.wire.dialect import dialect_named
from tierwise.wire.openai_chat import field_of, with_fields, with_messages
from tierwise.wire.translate import CHAT, conversation_of

Said = tuple[Literal["user", "assistant"], str]
"""Who says a further turn, and its text."""

_FORMS = ("structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar")
"""Fields of a chat body that ask for a form beside `response_format`."""
_LIMITS = ("max_tokens", "max_completion_tokens")


def asks_for_form(task: Task) -> bool:
    """Whether the answer is to have a form, which a note in the conversation might end up in, and
    which the second half of an answer does not have by itself."""
    if task.json_mode or task.json_schema is not None:
        return True
    return task.dialect == CHAT and any(field_of(task.body, name) is not None for name in _FORMS)


def with_turns(task: Task, *said: Said) -> Task:
    """The task with more turns at the end of its conversation."""
    if task.dialect == CHAT:
        added = [{"role": role, "content": text} for role, text in said]
        body = with_messages(task.body, added)
    else:
        asked = conversation_of(task)
        turns = [Turn(role=role, parts=(Text(text=text),)) for role, text in said]
        body = _written(task, replace(asked, turns=(*asked.turns, *turns)))
    messages = [*task.messages, *(Message(role, text) for role, text in said)]
    return replace(task, body=body, messages=messages)


def with_limit(task: Task, tokens: int) -> Task:
    """The task with another limit in place of the one that it has."""
    if task.dialect == CHAT:
        limits = {name: b"%d" % tokens for name in _LIMITS if field_of(task.body, name) is not None}
        body = with_fields(task.body, limits)
    else:
        body = _written(task, replace(conversation_of(task), max_tokens=tokens))
    return replace(task, body=body, max_output_tokens=tokens)


def drawn_again(task: Task, *, temperature: float | None, limit: int | None) -> Task:
    """The task for a second answer that nobody but us reads: whole, and with only those things
    changed that are given. With a seed, another sample would only repeat the first."""
    if task.dialect == CHAT:
        changes: dict[str, bytes | None] = {"stream": None, "stream_options": None}
        if temperature is not None:
            changes |= {"temperature": b"%g" % temperature, "seed": None}
        if limit is not None:
            changes |= {"max_tokens": b"%d" % limit, "max_completion_tokens": None}
        body = with_fields(task.body, changes)
    else:
        asked = replace(conversation_of(task), stream=False, stream_usage=False)
        if temperature is not None:
            drawn = replace(asked.sampling, temperature=temperature, seed=None)
            asked = replace(asked, sampling=drawn)
        if limit is not None:
            asked = replace(asked, max_tokens=limit)
        body = _written(task, asked)
    return replace(
        task,
        body=body,
        read_in=None,
        stream=False,
        wants_stream_usage=False,
        max_output_tokens=limit if limit is not None else task.max_output_tokens,
    )


def _written(task: Task, asked: Conversation) -> bytes:
    return dialect_named(task.dialect).write_request(asked)
