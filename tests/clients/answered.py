"""What a provider of each dialect answers, written as its API does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from clients.asked import Ask, Json

READ, WRITTEN = 12, 7
"""Tokens that every answer says it took."""
SIGNATURE = "c2lnbmVkIGJ5IEdvb2dsZQ=="


@dataclass(frozen=True)
class Said:
    """One answer: a text, or calls of tools as (id, name, arguments)."""

    text: str = ""
    calls: tuple[tuple[str, str, Json], ...] = ()


def _pieces(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def _cuts(arguments: Json) -> Iterator[str]:
    text = json.dumps(arguments)
    for at in range(0, len(text), 7):
        yield text[at : at + 7]


def _data(event: Json) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _named(event: Json) -> bytes:
    return b"event: " + event["type"].encode() + b"\n" + _data(event)


def _chat_usage() -> Json:
    return {
        "prompt_tokens": READ,
        "completion_tokens": WRITTEN,
        "total_tokens": READ + WRITTEN,
        "prompt_tokens_details": {"cached_tokens": 4},
    }


def _chat_call(call: tuple[str, str, Json]) -> Json:
    function = {"name": call[1], "arguments": json.dumps(call[2])}
    return {"id": call[0], "type": "function", "function": function}


def chat_whole(ask: Ask, said: Said) -> Json:
    """A chat completion."""
    message: Json = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.calls:
        message["tool_calls"] = [_chat_call(call) for call in said.calls]
    finish = "tool_calls" if said.calls else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {
        "id": f"chatcmpl-{ask.number}",
        "object": "chat.completion",
        "created": 1,
        "model": ask.model,
        "choices": [choice],
        "usage": _chat_usage(),
    }


def chat_stream(ask: Ask, said: Said) -> Iterator[bytes]:
    """The chunks of a chat completion."""

    def chunk(delta: Json, finish: str | None = None, **more: Any) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        head = {"id": f"chatcmpl-{ask.number}", "object": "chat.completion.chunk", "created": 1}
        return _data({**head, "model": ask.model, "choices": choices, **more})

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(said.text):
        yield chunk({"content": piece})
    for index, (called, name, arguments) in enumerate(said.calls):
        begun = {"name": name, "arguments": ""}
        head = {"index": index, "id": called, "type": "function", "function": begun}
        yield chunk({"tool_calls": [head]})
        for cut in _cuts(arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": cut}}]})
    yield chunk({}, "tool_calls" if said.calls else "stop")
    if (ask.body.get("stream_options") or {}).get("include_usage"):
        yield chunk({}, choices=[], usage=_chat_usage())
    yield b"data: [DONE]\n\n"


def _anthropic_blocks(said: Said) -> list[Json]:
    text = [{"type": "text", "text": said.text}] if said.text else []
    uses = [
        {"type": "tool_use", "id": called, "name": name, "input": arguments}
        for called, name, arguments in said.calls
    ]
    return [*text, *uses]


def _anthropic(ask: Ask, content: list[Json], stop: str | None, usage: Json) -> Json:
    head = {"id": f"msg_{ask.number}", "type": "message", "role": "assistant", "model": ask.model}
    usage = {"cache_read_input_tokens": 4, "cache_creation_input_tokens": 0, **usage}
    return {**head, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def anthropic_whole(ask: Ask, said: Said) -> Json:
    """A message."""
    usage = {"input_tokens": READ - 4, "output_tokens": WRITTEN}
    stop = "tool_use" if said.calls else "end_turn"
    return _anthropic(ask, _anthropic_blocks(said), stop, usage)


def anthropic_stream(ask: Ask, said: Said) -> Iterator[bytes]:
    """The events of a message."""
    usage = {"input_tokens": READ - 4, "output_tokens": 1}
    yield _named({"type": "message_start", "message": _anthropic(ask, [], None, usage)})
    for index, block in enumerate(_anthropic_blocks(said)):
        if block["type"] == "text":
            begun: Json = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": one} for one in _pieces(said.text)]
        else:
            begun = {**block, "input": {}}
            cuts = ["", *_cuts(block["input"])]
            deltas = [{"type": "input_json_delta", "partial_json": one} for one in cuts]
        yield _named({"type": "content_block_start", "index": index, "content_block": begun})
        yield _named({"type": "ping"})
        for delta in deltas:
            yield _named({"type": "content_block_delta", "index": index, "delta": delta})
        yield _named({"type": "content_block_stop", "index": index})
    ended = {"stop_reason": "tool_use" if said.calls else "end_turn", "stop_sequence": None}
    counted = {"output_tokens": WRITTEN}
    yield _named({"type": "message_delta", "delta": ended, "usage": counted})
    yield _named({"type": "message_stop"})


def _gemini(ask: Ask, parts: list[Json], *, ends: bool) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if ends:
        candidate["finishReason"] = "STOP"
    usage = {
        "promptTokenCount": READ,
        "candidatesTokenCount": WRITTEN - 2,
        "thoughtsTokenCount": 2,
        "cachedContentTokenCount": 4,
        "totalTokenCount": READ + WRITTEN,
    }
    head = {"modelVersion": ask.model, "responseId": f"r-{ask.number}"}
    return {"candidates": [candidate], "usageMetadata": usage, **head}


def _gemini_calls(said: Said) -> list[Json]:
    """Calls have no ids here; the first has a signature that later models want back."""
    calls: list[Json] = [
        {"functionCall": {"name": name, "args": arguments}} for _, name, arguments in said.calls
    ]
    if calls:
        calls[0]["thoughtSignature"] = SIGNATURE
    return calls


def gemini_whole(ask: Ask, said: Said) -> Json:
    """A response of generateContent."""
    parts = [*([{"text": said.text}] if said.text else []), *_gemini_calls(said)]
    return _gemini(ask, parts, ends=True)


def gemini_stream(ask: Ask, said: Said) -> Iterator[bytes]:
    """Responses, one after another."""
    parts: list[Json] = [{"text": piece} for piece in _pieces(said.text)]
    parts += _gemini_calls(said)
    for place, part in enumerate(parts, 1):
        yield _data(_gemini(ask, [part], ends=place == len(parts))).replace(b"\n", b"\r\n")


def _responses_items(ask: Ask, said: Said) -> list[Json]:
    items: list[Json] = []
    if said.text:
        part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        head = {"id": f"msg_{ask.number}", "type": "message", "role": "assistant"}
        items.append({**head, "status": "completed", "content": [part]})
    for called, name, arguments in said.calls:
        head = {"id": f"fc_{called}", "type": "function_call", "status": "completed"}
        items.append({**head, "call_id": called, "name": name, "arguments": json.dumps(arguments)})
    return items


def _response(ask: Ask, items: list[Json], status: str) -> Json:
    usage = {
        "input_tokens": READ,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": WRITTEN,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": READ + WRITTEN,
    }
    return {
        "id": f"resp_{ask.number}",
        "object": "response",
        "created_at": 1,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": ask.model,
        "output": items,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": ask.body.get("tools") or [],
        "top_p": 1.0,
        "usage": usage if status == "completed" else None,
    }


def responses_whole(ask: Ask, said: Said) -> Json:
    """A response."""
    return _response(ask, _responses_items(ask, said), "completed")


def responses_stream(ask: Ask, said: Said) -> Iterator[bytes]:
    """The events of a response."""
    for number, event in enumerate(_responses_events(ask, said)):
        yield _named({**event, "sequence_number": number})


def _responses_events(ask: Ask, said: Said) -> Iterator[Json]:
    yield {"type": "response.created", "response": _response(ask, [], "in_progress")}
    yield {"type": "response.in_progress", "response": _response(ask, [], "in_progress")}
    for index, item in enumerate(_responses_items(ask, said)):
        place = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            part, begun = item["content"][0], {**item, "content": [], "status": "in_progress"}
            place |= {"content_index": 0}
            yield {"type": "response.output_item.added", "output_index": index, "item": begun}
            empty = {**part, "text": ""}
            yield {"type": "response.content_part.added", **place, "part": empty}
            for piece in _pieces(said.text):
                delta = {"delta": piece, "logprobs": []}
                yield {"type": "response.output_text.delta", **place, **delta}
            done = {"text": said.text, "logprobs": []}
            yield {"type": "response.output_text.done", **place, **done}
            yield {"type": "response.content_part.done", **place, "part": part}
        else:
            begun = {**item, "arguments": "", "status": "in_progress"}
            yield {"type": "response.output_item.added", "output_index": index, "item": begun}
            for cut in _cuts(json.loads(item["arguments"])):
                yield {"type": "response.function_call_arguments.delta", **place, "delta": cut}
            done = {"name": item["name"], "arguments": item["arguments"]}
            yield {"type": "response.function_call_arguments.done", **place, **done}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    items = _responses_items(ask, said)
    yield {"type": "response.completed", "response": _response(ask, items, "completed")}


def chat_error(status: int, message: str) -> Json:
    """An error of OpenAI's."""
    kind = "rate_limit_error" if status == 429 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": "temperature", "code": None}}


def anthropic_error(status: int, message: str) -> Json:
    """An error of Anthropic's."""
    kind = "rate_limit_error" if status == 429 else "invalid_request_error"
    error = {"type": kind, "message": message}
    return {"type": "error", "error": error, "request_id": "req_1"}


def gemini_error(status: int, message: str) -> Json:
    """An error of Google's."""
    kind = "RESOURCE_EXHAUSTED" if status == 429 else "INVALID_ARGUMENT"
    return {"error": {"code": status, "message": message, "status": kind}}


@dataclass(frozen=True)
class Writer:
    """How a dialect answers."""

    whole: Callable[[Ask, Said], Json]
    stream: Callable[[Ask, Said], Iterator[bytes]]
    error: Callable[[int, str], Json]


WRITERS = {
    "openai-chat": Writer(chat_whole, chat_stream, chat_error),
    "openai-responses": Writer(responses_whole, responses_stream, chat_error),
    "anthropic": Writer(anthropic_whole, anthropic_stream, anthropic_error),
    "gemini": Writer(gemini_whole, gemini_stream, gemini_error),
}
