"""What a request comes to, read from its bytes by each dialect's own rules.

Like `said`, this is the other reader. It tells who says what, which tools were called with what
results, and which may be called: that has to be the same whatever the dialect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

_Json = dict[str, Any]
Gist = list[tuple[str, ...]]
"""Who says what, in order, and then the tools by name."""


def gist(dialect: str, body: bytes | _Json) -> Gist:
    """The gist of a request of a dialect."""
    asked = json.loads(body) if isinstance(body, bytes) else body
    found = [(*one[:-1], _plain(one[-1])) for one in _GIST[dialect](asked)]
    media = sorted(("media", one) for name in _SAID for one in _media(asked.get(name)))
    found = [one for one in found if one[-1]]
    system = "".join(one[-1] for one in found if one[0] == "system")
    rest = [one for one in found if one[0] != "system"]
    merged: Gist = [("system", system)] if system and rest else []
    if system and not rest:
        rest = [("user", system)]  # some have to be asked something
    for one in rest:
        if one[0] in ("user", "assistant") and merged and merged[-1][0] == one[0]:
            merged[-1] = (one[0], merged[-1][1] + one[1])
        else:
            merged.append(one)
    return [*media, *sorted(one for one in merged if one[0] == "tool"), *_others(merged)]


_SAID = ("messages", "contents", "input")
_PLACES = frozenset(
    {
        *("data", "bytes", "url", "uri", "fileUri", "file_uri"),
        *("image_url", "video_url", "document_url", "file_url", "file_data"),
    }
)
_OTHERS = frozenset(
    {
        *("args", "arguments", "annotations", "citations", "reasoning_details", "action"),
        *("functionCall", "function_call", "toolUse", "tool_calls", "reasoningContent"),
    }
)
"""Where else such names stand, with something else in them."""
_SHOWN = 64


def _media(value: Any) -> Iterator[str]:
    """The beginnings of what pictures, sounds, films and files consist of, or where they are."""
    if isinstance(value, list):
        for one in value:
            yield from _media(one)
    elif isinstance(value, dict) and not _is_no_medium(value):
        for name, held in value.items():
            if name in _PLACES and isinstance(held, str):
                yield _bytes(held)[:_SHOWN]
            elif name not in _OTHERS:
                yield from _media(held)


def _is_no_medium(block: _Json) -> bool:
    """A call, a thought, or a document that is text, which others have no documents for."""
    kind = str(block.get("type"))
    held = block.get("inlineData") or block.get("inline_data") or block
    media_type = str(held.get("mimeType") or held.get("mime_type") or held.get("media_type"))
    return kind in ("tool_use", "server_tool_use", "redacted_thinking") or (
        media_type.startswith(("text/", "application/json"))
    )


def _bytes(held: str) -> str:
    """Base64 in one alphabet, without what says of what."""
    data = held.partition(";base64,")[2] if held.startswith("data:") else held
    return data if "://" in data else data.replace("-", "+").replace("_", "/").rstrip("=")


def _plain(text: str) -> str:
    """Without what depends on how pieces are put together, and on how JSON is written."""
    if text[:1] in ("{", "["):
        text = _sorted(text)
    return "".join(text.split())


def _others(merged: Gist) -> Gist:
    return [one for one in merged if one[0] != "tool"]


def _sorted(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def _arguments(value: Any) -> str:
    if isinstance(value, str):
        try:
            found = json.loads(value or "{}")
        except ValueError:
            found = None
        # What is no object stands in one where calls have one.
        value = found if isinstance(found, dict) else {"arguments": value}
    return json.dumps(value, sort_keys=True)


def _texts(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(
        one if isinstance(one, str) else one.get("text") or one.get("refusal") or ""
        for one in content or ()
        if isinstance(one, str) or "thinking" not in str(one.get("type"))
    )


def _chat(body: _Json) -> Iterator[tuple[str, ...]]:
    for message in body["messages"]:
        role = message["role"]
        if role == "tool":
            yield "result", _texts(message.get("content"))
            continue
        said = "system" if role in ("system", "developer") else role
        yield said, _texts(message.get("content"))
        for call in message.get("tool_calls") or ():
            if "function" in call:
                yield "call", call["function"]["name"], _arguments(call["function"]["arguments"])
    for tool in body.get("tools") or ():
        if tool.get("type") == "function":
            yield "tool", tool["function"]["name"]


def _anthropic(body: _Json) -> Iterator[tuple[str, ...]]:
    yield "system", _texts(body.get("system"))
    for message in body["messages"]:
        content = message["content"]
        if isinstance(content, str):
            yield message["role"], content
            continue
        for block in content:
            match block["type"]:
                case "text":
                    yield message["role"], block["text"]
                case "tool_use":
                    yield "call", block["name"], _arguments(block["input"])
                case "tool_result":
                    yield "result", _texts(block.get("content"))
    for tool in body.get("tools") or ():
        if tool.get("type") in (None, "custom"):
            yield "tool", tool["name"]


def _gemini(body: _Json) -> Iterator[tuple[str, ...]]:
    system = body.get("systemInstruction") or body.get("system_instruction") or {}
    yield "system", _texts(system.get("parts"))
    for content in body["contents"]:
        role = "assistant" if content.get("role") == "model" else "user"
        for part in content.get("parts") or ():
            if "functionCall" in part:
                yield "call", part["functionCall"]["name"], _arguments(part["functionCall"]["args"])
            elif "functionResponse" in part:
                yield "result", _given(part["functionResponse"]["response"])
            elif not part.get("thought"):
                yield role, part.get("text") or ""
    for tool in body.get("tools") or ():
        for one in tool.get("functionDeclarations") or tool.get("function_declarations") or ():
            yield "tool", one["name"]


def _given(response: _Json) -> str:
    """A result, where it is the only thing that a response says."""
    if len(response) == 1:
        (value,) = response.values()
        return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return json.dumps(response, sort_keys=True)


def _responses(body: _Json) -> Iterator[tuple[str, ...]]:
    yield "system", body.get("instructions") or ""
    given = body.get("input") or []
    if isinstance(given, str):
        yield "user", given
        given = []
    for item in given:
        kind = item.get("type", "message")
        if kind == "message":
            role = "system" if item["role"] in ("system", "developer") else item["role"]
            yield role, _texts(item["content"])
        elif kind == "function_call":
            yield "call", item["name"], _arguments(item["arguments"])
        elif kind == "function_call_output":
            yield "result", _texts(item["output"])
    for tool in body.get("tools") or ():
        if tool.get("type") == "function":
            yield "tool", tool["name"]


def _bedrock(body: _Json) -> Iterator[tuple[str, ...]]:
    yield "system", _texts(body.get("system"))
    for message in body["messages"]:
        for block in message["content"]:
            if "text" in block:
                yield message["role"], block["text"]
            elif "toolUse" in block:
                yield "call", block["toolUse"]["name"], _arguments(block["toolUse"]["input"])
            elif "toolResult" in block:
                yield "result", _texts(block["toolResult"]["content"])
    for tool in (body.get("toolConfig") or {}).get("tools") or ():
        if "toolSpec" in tool:
            yield "tool", tool["toolSpec"]["name"]


_GIST: dict[str, Callable[[_Json], Iterator[tuple[str, ...]]]] = {
    "openai-chat": _chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "openai-responses": _responses,
    "bedrock": _bedrock,
    "cohere": _chat,
}
