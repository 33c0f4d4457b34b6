"""A provider that wants to see thoughts again finds a place for them in every message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tierwise.wire.chat.given_back import with_thoughts

CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "blue"}


def a_body(*said: dict[str, Any]) -> bytes:
    messages = [{"role": "user", "content": "Hi"}, *said, RESULT]
    return json.dumps({"model": "m", "messages": messages}, separators=(",", ":")).encode()


def thoughts(body: bytes) -> list[Any]:
    messages = json.loads(with_thoughts(body))["messages"]
    assert all("reasoning_content" not in m for m in messages if m["role"] != "assistant")
    return [m.get("reasoning_content") for m in messages if m["role"] == "assistant"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ""), ({"reasoning_content": None}, ""), ({"reasoning_content": "Hm"}, "Hm"),
        ({"reasoning": "Hm"}, "Hm"), ({"reasoning": {"x": 1}}, ""),
    ],
    ids=str,
)  # fmt: skip
def test_a_message_has_what_was_thought_or_nothing(fields: Any, expected: str) -> None:
    said = {"role": "assistant", "content": None, "tool_calls": [CALL], **fields}
    assert thoughts(a_body(said)) == [expected]


def test_once_a_tool_was_called_messages_without_calls_have_it_too() -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "Hm"}
    assert thoughts(a_body({"role": "assistant", "content": "Yes?"}, calls)) == ["", "Hm"]


@pytest.mark.parametrize(
    "body",
    [
        a_body({"role": "assistant", "content": "Yes?"}),
        a_body({"role": "assistant", "tool_calls": [CALL], "reasoning_content": ""}),
        b'{"messages":"assistant","tool_calls":1}', b'"assistant""tool_calls"',
    ],
)  # fmt: skip
def test_other_bodies_keep_their_bytes(body: bytes) -> None:
    assert with_thoughts(body) is body
