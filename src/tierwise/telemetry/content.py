"""Prompts and answers for traces, where the configuration has them told.

They are written in the form of the conventions' `gen_ai.input.messages`, from the body as it came.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tierwise.types import Record

_PARTS = ("content", "parts")


def messages_of(record: Record) -> tuple[tuple[str, str | None], ...]:
    """The attributes that hold what was asked and answered; None where that is not kept."""
    asked = None if record.prompt is None else _json(_asked(record.prompt))
    answered = None
    if record.answer is not None:
        said = {"role": "assistant", "parts": [_part(record.answer)]}
        answered = _json([said])
    return ("gen_ai.input.messages", asked), ("gen_ai.output.messages", answered)


def _asked(body: str) -> list[dict[str, Any]]:
    """The messages of a body, in any of the dialects; the body as one where it has none."""
    try:
        read = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        read = None
    turns = None
    if isinstance(read, dict):
        turns = read.get("messages") or read.get("contents") or read.get("input")
    if isinstance(turns, str):
        turns = [{"role": "user", "content": turns}]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return [{"role": "user", "parts": [_part(body)]}]
    return [{"role": str(turn.get("role", "user")), "parts": _parts(turn)} for turn in turns]


def _parts(turn: dict[str, Any]) -> list[dict[str, Any]]:
    found: object = next((turn[name] for name in _PARTS if turn.get(name) is not None), [])
    if isinstance(found, str):
        return [_part(found)]
    if not isinstance(found, list):
        return []
    return [
        _part(one["text"])
        if isinstance(one, dict) and isinstance(one.get("text"), str)
        else {"type": str(one.get("type", "other")) if isinstance(one, dict) else "other"}
        for one in found
    ]


def _part(said: str) -> dict[str, str]:
    return {"type": "text", "content": said}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
