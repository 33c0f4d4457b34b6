"""Bedrock's Converse as tests need it: frames of its streams, and requests read back."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from tierwise.wire.conversation import (
    CacheMark,
    Conversation,
    Document,
    Format,
    Image,
    Part,
    Reasoning,
    Sampling,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)


def frame(kind: str, said: Mapping[str, Any] | bytes, message: str = "event") -> bytes:
    """One frame of AWS's event stream."""
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    named = {
        f":{message}-type": kind,
        ":content-type": "application/json",
        ":message-type": message,
    }
    return framed(named, payload)


def framed(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame with these headers."""
    head = b""
    for name, value in headers.items():
        key, said = name.encode(), value.encode()
        head += bytes([len(key)]) + key + b"\x07" + len(said).to_bytes(2) + said
    prelude = (len(head) + len(payload) + 16).to_bytes(4) + len(head).to_bytes(4)
    whole = prelude + zlib.crc32(prelude).to_bytes(4) + head + payload
    return whole + zlib.crc32(whole).to_bytes(4)


def a_stream(*texts: str, usage: Mapping[str, int] | None = None) -> list[bytes]:
    """The frames of an answer in these pieces."""
    pieces = [
        frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}, "p": "abc"})
        for text in texts
    ]
    counts = usage or {"inputTokens": 5, "outputTokens": 3, "totalTokens": 8}
    return [
        frame("messageStart", {"role": "assistant", "p": "ab"}),
        *pieces,
        frame("contentBlockStop", {"contentBlockIndex": 0}),
        frame("messageStop", {"stopReason": "end_turn"}),
        frame("metadata", {"usage": counts, "metrics": {"latencyMs": 1}}),
    ]


def an_answer(*content: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A whole answer."""
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 5, "outputTokens": 3, "totalTokens": 8},
        "metrics": {"latencyMs": 1},
        **fields,
    }


def read_back(body: Mapping[str, Any], *, origin: str = "anthropic") -> Conversation:
    """What a request for Converse asks, in words of no dialect."""
    inference = body.get("inferenceConfig", {})
    more = body.get("additionalModelRequestFields", {})
    output = body.get("outputConfig", {})
    tools = body.get("toolConfig", {})
    turns = []
    if body.get("system"):
        turns.append(Turn(role="system", parts=tuple(_parts(body["system"], origin))))
    for message in body["messages"]:
        turns += _turns(message, origin)
    thinking = more.get("thinking")
    effort = output.get("effort")
    return Conversation(
        dialect="openai-chat",
        model="m",
        turns=tuple(turns),
        tools=tuple(_tools(tools.get("tools", []))),
        tool_choice=_choice(tools.get("toolChoice")),
        format=_format(output.get("textFormat")),
        thinking=Thinking(effort=effort, budget=_budget(thinking)) if thinking or effort else None,
        sampling=Sampling(
            temperature=inference.get("temperature"),
            top_p=inference.get("topP"),
            top_k=more.get("top_k"),
        ),
        max_tokens=inference.get("maxTokens"),
        stop=tuple(inference.get("stopSequences", ())),
        metadata=Raw(json.dumps(body.get("requestMetadata", None)).encode()),
        service_tier=body.get("serviceTier", {}).get("type"),
    )


def _turns(message: Mapping[str, Any], origin: str) -> list[Turn]:
    parts = list(_parts(message["content"], origin))
    if message["role"] == "assistant":
        return [Turn(role="assistant", parts=tuple(parts))]
    results = tuple(part for part in parts if isinstance(part, ToolResult))
    others = tuple(part for part in parts if not isinstance(part, ToolResult))
    found = [Turn(role="tool", parts=results)] if results else []
    return [*found, *([Turn(role="user", parts=others)] if others else [])]


def _parts(content: list[dict[str, Any]], origin: str) -> list[Part]:
    found: list[Part] = []
    for block in content:
        if "cachePoint" in block:
            mark = CacheMark(ttl=block["cachePoint"].get("ttl"))
            found[-1] = type(found[-1])(**{**_fields(found[-1]), "cache": mark})
        else:
            ((kind, said),) = block.items()
            found.append(_part(kind, said, origin))
    return found


def _part(kind: str, said: Any, origin: str) -> Part:
    match kind:
        case "text":
            return Text(text=said)
        case "image":
            return Image(
                source=Source(media_type=f"image/{said['format']}", data=said["source"]["bytes"])
            )
        case "document":
            types = {"txt": "text/plain", "pdf": "application/pdf"}
            return Document(
                source=Source(media_type=types[said["format"]], data=said["source"]["bytes"]),
                name=said["name"],
                cited=said.get("citations", {}).get("enabled", False),
                context=said.get("context"),
            )
        case "toolUse":
            return ToolCall(
                id=said["toolUseId"], name=said["name"], arguments=json.dumps(said["input"])
            )
        case "toolResult":
            return ToolResult(
                call_id=said["toolUseId"],
                parts=tuple(_parts(said["content"], origin)),
                failed=said.get("status") == "error",
            )
        case "reasoningContent" if "reasoningText" in said:
            return Reasoning(**said["reasoningText"], origin=origin)
        case "reasoningContent":
            redacted = base64.b64decode(said["redactedContent"]).decode()
            return Reasoning(redacted=redacted, origin=origin)
    raise AssertionError(f"no test knows {kind}")


def _tools(listed: list[dict[str, Any]]) -> list[Tool]:
    found: list[Tool] = []
    for one in listed:
        if "cachePoint" in one:
            mark = CacheMark(ttl=one["cachePoint"].get("ttl"))
            found[-1] = Tool(**{**_fields(found[-1]), "cache": mark})
            continue
        spec = one["toolSpec"]
        found.append(
            Tool(
                name=spec["name"],
                description=spec.get("description"),
                parameters=Raw(json.dumps(spec["inputSchema"]["json"]).encode()),
                strict=spec.get("strict"),
            )
        )
    return found


def _choice(said: Mapping[str, Any] | None) -> ToolChoice | None:
    if said is None:
        return None
    if "tool" in said:
        return ToolChoice(mode="required", names=(said["tool"]["name"],))
    return ToolChoice(mode="required" if "any" in said else "auto")


def _format(said: Mapping[str, Any] | None) -> Format | None:
    if said is None:
        return None
    schema = said["structure"]["jsonSchema"]
    return Format(
        kind="schema",
        schema=Raw(schema["schema"].encode()),
        name=schema.get("name"),
        description=schema.get("description"),
    )


def _budget(thinking: Mapping[str, Any] | None) -> int | None:
    if thinking is None:
        return None
    return {"disabled": 0, "adaptive": -1}.get(thinking["type"], thinking.get("budget_tokens"))


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
