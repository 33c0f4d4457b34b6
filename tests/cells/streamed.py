"""The answers of `answered` as their dialects stream them: event by event, as data is cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cells.answered import Body
from converse import frame


def stream_of(provider: str, answer: Body) -> bytes:
    """The bytes of the stream that says the same as a whole answer."""
    return b"".join(_STREAMS[provider](answer))


def _event(data: Any, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def _chat(answer: Body) -> Iterator[bytes]:
    (choice,) = answer["choices"]
    head = {"id": answer["id"], "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def chunk(delta: Body, finish: str | None = None, **fields: Any) -> bytes:
        one = {"index": 0, "delta": delta, "finish_reason": finish, **fields}
        return _event({**head, "choices": [one]})

    yield chunk({"role": "assistant", "content": ""})
    for name, value in choice["message"].items():
        if name == "tool_calls":
            for index, call in enumerate(value):
                began = {**call["function"], "arguments": ""}
                yield chunk({"tool_calls": [{**call, "index": index, "function": began}]})
                more = {"arguments": call["function"]["arguments"]}
                yield chunk({"tool_calls": [{"index": index, "function": more}]})
        elif name != "role" and value:
            logprobs = {"logprobs": choice["logprobs"]} if "logprobs" in choice else {}
            yield chunk({name: value}, **logprobs)
    yield chunk({}, choice["finish_reason"])
    yield _event({**head, "choices": [], "usage": answer["usage"]})
    yield b"data: [DONE]\n\n"


def _responses(answer: Body) -> Iterator[bytes]:
    number = 0

    def event(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        return _event({"type": kind, "sequence_number": number - 1, **fields}, kind)

    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=begun)
    for index, item in enumerate(answer["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        empty = {**item, "status": "in_progress"}
        empty |= {name: [] for name in ("content", "summary") if name in item}
        empty |= {"arguments": ""} if "arguments" in item else {}
        yield event("response.output_item.added", output_index=index, item=empty)
        for place, piece in enumerate(item.get("summary", ())):
            part = {**at, "summary_index": place}
            yield event("response.reasoning_summary_part.added", **part,
                        part={"type": "summary_text", "text": ""})  # fmt: skip
            yield event("response.reasoning_summary_text.delta", **part, delta=piece["text"])
        for place, piece in enumerate(item.get("content", ())):
            part = {**at, "content_index": place}
            kind = piece["type"]
            field = "refusal" if kind == "refusal" else "text"
            yield event("response.content_part.added", **part, part={**piece, field: ""})
            more = {"logprobs": piece.get("logprobs", [])} if field == "text" else {}
            yield event(f"response.{kind}.delta", **part, delta=piece[field], **more)
            for count, one in enumerate(piece.get("annotations", ())):
                yield event("response.output_text.annotation.added", **part,
                            annotation_index=count, annotation=one)  # fmt: skip
            yield event(f"response.{kind}.done", **part, **{field: piece[field]}, **more)
        if "arguments" in item:
            said = item["arguments"]
            yield event("response.function_call_arguments.delta", **at, delta=said)
            yield event("response.function_call_arguments.done", **at, arguments=said)
        yield event("response.output_item.done", output_index=index, item=item)
    yield event(f"response.{answer['status']}", response=answer)


def _anthropic(answer: Body) -> Iterator[bytes]:
    usage = {**answer["usage"], "output_tokens": 1}
    begun = {**answer, "content": [], "stop_reason": None, "usage": usage}

    def event(kind: str, **fields: Any) -> bytes:
        return _event({"type": kind, **fields}, kind)

    yield event("message_start", message=begun)
    for index, block in enumerate(answer["content"]):
        empty = {**block, "citations": None} if "citations" in block else dict(block)
        deltas: list[Body] = []
        match block["type"]:
            case "text":
                empty["text"] = ""
                deltas += [{"type": "citations_delta", "citation": one}
                           for one in block.get("citations", ())]  # fmt: skip
                deltas.append({"type": "text_delta", "text": block["text"]})
            case "thinking":
                empty |= {"thinking": "", "signature": ""}
                deltas.append({"type": "thinking_delta", "thinking": block["thinking"]})
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            case "tool_use":
                empty["input"] = {}
                said = json.dumps(block["input"], separators=(",", ":"))
                deltas.append({"type": "input_json_delta", "partial_json": said})
        yield event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    delta = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=delta, usage={"output_tokens": 7})
    yield event("message_stop")


def _gemini(answer: Body) -> Iterator[bytes]:
    (candidate,) = answer["candidates"]
    head = {"modelVersion": "m", "responseId": "r1"}
    end = {name: value for name, value in candidate.items() if name != "content"}
    *first, last = candidate["content"]["parts"] or [{"text": ""}]
    for part in first:
        content = {"role": "model", "parts": [part]}
        yield _event({"candidates": [{"index": 0, "content": content}], **head})
    content = {"role": "model", "parts": [last]}
    usage = answer["usageMetadata"]
    yield _event({"candidates": [{**end, "content": content}], "usageMetadata": usage, **head})


def _bedrock(answer: Body) -> Iterator[bytes]:
    yield frame("messageStart", {"role": "assistant"})
    for index, block in enumerate(answer["output"]["message"]["content"]):
        at = {"contentBlockIndex": index}
        if "toolUse" in block:
            call = block["toolUse"]
            start = {"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}}
            yield frame("contentBlockStart", {**at, "start": start})
            said = json.dumps(call["input"], separators=(",", ":"))
            yield frame("contentBlockDelta", {**at, "delta": {"toolUse": {"input": said}}})
        elif "reasoningContent" in block:
            for name, value in block["reasoningContent"]["reasoningText"].items():
                delta = {"reasoningContent": {name: value}}
                yield frame("contentBlockDelta", {**at, "delta": delta})
        else:
            yield frame("contentBlockDelta", {**at, "delta": block})
        yield frame("contentBlockStop", at)
    yield frame("messageStop", {"stopReason": answer["stopReason"]})
    yield frame("metadata", {"usage": answer["usage"], "metrics": {"latencyMs": 1}})


def _cohere(answer: Body) -> Iterator[bytes]:
    def event(kind: str, message: Body | None = None, **fields: Any) -> bytes:
        delta = {"delta": {"message": message}} if message is not None else {}
        return _event({"type": kind, **fields, **delta}, kind)

    yield event("message-start", {"role": "assistant", "content": []}, id=answer["id"])
    for index, block in enumerate(answer["message"].get("content", ())):
        kind = block["type"]
        began = {"content": {"type": kind, kind: ""}}
        yield event("content-start", began, index=index)
        yield event("content-delta", {"content": {kind: block[kind]}}, index=index)
        yield event("content-end", index=index)
    for index, call in enumerate(answer["message"].get("tool_calls", ())):
        began = {**call, "function": {**call["function"], "arguments": ""}}
        yield event("tool-call-start", {"tool_calls": began}, index=index)
        more = {"function": {"arguments": call["function"]["arguments"]}}
        yield event("tool-call-delta", {"tool_calls": more}, index=index)
        yield event("tool-call-end", index=index)
    end = {"finish_reason": answer["finish_reason"], "usage": answer["usage"]}
    yield _event({"type": "message-end", "delta": end}, "message-end")


_STREAMS = {
    "openai_compatible": _chat,
    "openai_responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "bedrock": _bedrock,
    "cohere": _cohere,
}
