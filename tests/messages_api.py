"""Small builders for Anthropic's Messages API: bodies, answers and streams."""

from __future__ import annotations

import json
from typing import Any

from builders import a_deployment
from tierwise.providers.anthropic import Anthropic
from tierwise.types import Task
from tierwise.wire.anthropic.request_reader import read_request
from tierwise.wire.conversation import Conversation
from tierwise.wire.translate import task_of

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"name": "weather", "description": "of a city", "input_schema": {"type": "object"}}


def a_body(messages: Any = None, **fields: Any) -> bytes:
    """The body of a request; a field that is None is left out."""
    body = {"model": "auto", "max_tokens": 64, "messages": messages or HELLO, **fields}
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def asked(messages: Any = None, **fields: Any) -> Conversation:
    """What such a body asks."""
    return read_request(a_body(messages, **fields))


def a_task(messages: Any = None, **fields: Any) -> Task:
    """The task of a client of the Messages API."""
    body = a_body(messages, **fields)
    return task_of(read_request(body), body)


def an_answer(*content: Any, **fields: Any) -> dict[str, Any]:
    """A whole answer; strings are texts."""
    blocks = [{"type": "text", "text": one} if isinstance(one, str) else one for one in content]
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-small",
        "content": blocks,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
        **fields,
    }


def a_call(name: str = "weather", **arguments: Any) -> dict[str, Any]:
    """A block that calls a tool."""
    return {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": arguments}


def an_event(kind: str, **fields: Any) -> bytes:
    """One server-sent event."""
    data = json.dumps({"type": kind, **fields})
    return f"event: {kind}\ndata: {data}\n\n".encode()


def a_start(**fields: Any) -> bytes:
    """The first event of a stream."""
    usage = {"input_tokens": 10, "output_tokens": 1}
    return an_event("message_start", message=an_answer(stop_reason=None, usage=usage, **fields))


def an_end(reason: str = "end_turn", **usage: int) -> bytes:
    """The last two events of a stream."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    last = an_event("message_delta", delta=delta, usage={"output_tokens": 5, **usage})
    return last + an_event("message_stop")


def a_block(index: int, begins: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    """The events of one block."""
    return b"".join(
        (
            an_event("content_block_start", index=index, content_block=begins),
            *(an_event("content_block_delta", index=index, delta=delta) for delta in deltas),
            an_event("content_block_stop", index=index),
        )
    )


def a_text(index: int, *texts: str) -> bytes:
    """The events of a block of text."""
    deltas = ({"type": "text_delta", "text": text} for text in texts)
    return a_block(index, {"type": "text", "text": ""}, *deltas)


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """What the events of a stream hold, each named by itself as by its type."""
    found: list[dict[str, Any]] = []
    for event in stream.split(b"\n\n"):
        if event:
            name, data = event.split(b"\n")
            found.append(json.loads(data.removeprefix(b"data: ")))
            assert name == b"event: " + found[-1]["type"].encode()
    return found


def an_adapter(**fields: Any) -> Anthropic:
    """The native adapter of a deployment at nobody's."""
    return Anthropic(a_deployment(**{"dialect": "anthropic", **fields}))
