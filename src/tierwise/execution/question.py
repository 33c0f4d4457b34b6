"""A probe's question as a task of its own, whose answer is read by us and not by the caller."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from tierwise.gates.probe import Question
from tierwise.types import Task
from tierwise.wire.altered import drawn_again
from tierwise.wire.openai_chat import read_request

_ROOM_TO_THINK = 1000
"""Tokens that a reasoning model may spend before it says what it was asked for: it counts them as
part of the answer, and would fall silent within the few that a verdict takes."""


def as_task(question: Question, task: Task, model: str, *, reasons: bool) -> Task:
    """What to send to ask a question about a task.

    Without messages it is the caller's own body, whole instead of streamed, with only those fields
    changed that the question sets. Models that reason take no temperature.

    Args:
        model: whom to ask.
        reasons: whether that is a reasoning model.
    """
    temperature = None if reasons else question.temperature
    limit = question.max_tokens
    if limit is not None and reasons:
        limit += _ROOM_TO_THINK
    if question.messages:
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": m.role, "content": m.text} for m in question.messages],
        }
        if limit is not None:
            body["max_tokens"] = limit
        if temperature is not None:
            body["temperature"] = temperature
        return replace(read_request(msgspec.json.encode(body)), deadline=task.deadline)
    return drawn_again(task, temperature=temperature, limit=limit)
