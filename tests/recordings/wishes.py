"""What requests wish for beside what is said, and which calls their results answer.

Like `gist`, this reads each dialect by its own rules, and has to come to the same in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_Json = dict[str, Any]
_AT: dict[str, dict[str, tuple[str, ...]]] = {
    "openai-chat": {
        "longest": ("max_completion_tokens", "max_tokens"),
        "temperature": ("temperature",),
        "top_p": ("top_p",),
        "stop": ("stop",),
    },
    "openai-responses": {
        "longest": ("max_output_tokens",),
        "temperature": ("temperature",),
        "top_p": ("top_p",),
    },
    "anthropic": {
        "longest": ("max_tokens",),
        "temperature": ("temperature",),
        "top_p": ("top_p",),
        "stop": ("stop_sequences",),
    },
    "gemini": {
        "longest": ("maxOutputTokens", "max_output_tokens"),
        "temperature": ("temperature",),
        "top_p": ("topP", "top_p"),
        "stop": ("stopSequences", "stop_sequences"),
    },
    "bedrock": {
        "longest": ("maxTokens",),
        "temperature": ("temperature",),
        "top_p": ("topP",),
        "stop": ("stopSequences",),
    },
    "cohere": {
        "longest": ("max_tokens",),
        "temperature": ("temperature",),
        "top_p": ("p",),
        "stop": ("stop_sequences",),
    },
}


def wishes(dialect: str, body: _Json) -> _Json:
    """What is wished for, by names of no dialect."""
    within = body
    for name in ("generationConfig", "generation_config", "inferenceConfig"):
        within = body.get(name) or within
    found: _Json = {}
    for name, places in _AT[dialect].items():
        value = next((within[place] for place in places if within.get(place) is not None), None)
        if value not in (None, []):
            found[name] = [value] if name == "stop" and isinstance(value, str) else value
    return found


def answered(dialect: str, body: _Json) -> list[int]:
    """For each result of a tool, in order, the number of the call that it answers.

    The results that stand together may come in any order; those of others do not.
    """
    calls: list[str] = []
    found: list[int] = []
    for is_call, id in _LINKS[dialect](body):
        if is_call:
            calls.append(id)
        else:
            # The first of that name that has no result yet; ids may come again in later turns.
            open_ = [at for at, known in enumerate(calls) if known == id and at not in found]
            found.append(open_[0] if open_ else -1)
    return found


_Link = Iterator[tuple[bool, str]]


def _chat(body: _Json) -> _Link:
    for message in body["messages"]:
        for call in message.get("tool_calls") or ():
            yield True, call.get("id") or ""
        if message["role"] == "tool":
            yield False, message.get("tool_call_id") or ""


def _anthropic(body: _Json) -> _Link:
    for message in body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block["type"] == "tool_use":
                yield True, block["id"]
            elif block["type"] == "tool_result":
                yield False, block["tool_use_id"]


def _gemini(body: _Json) -> _Link:
    for content in body["contents"]:
        for part in content.get("parts") or ():
            call = part.get("functionCall") or part.get("function_call")
            given = part.get("functionResponse") or part.get("function_response")
            if call:
                yield True, call.get("id") or call["name"]
            elif given:
                yield False, given.get("id") or given["name"]


def _responses(body: _Json) -> _Link:
    for item in body["input"] if isinstance(body.get("input"), list) else ():
        if item.get("type") in ("function_call", "custom_tool_call"):
            yield True, item["call_id"]
        elif item.get("type") in ("function_call_output", "custom_tool_call_output"):
            yield False, item["call_id"]


def _bedrock(body: _Json) -> _Link:
    for message in body["messages"]:
        for block in message["content"]:
            if "toolUse" in block:
                yield True, block["toolUse"]["toolUseId"]
            elif "toolResult" in block:
                yield False, block["toolResult"]["toolUseId"]


_LINKS: dict[str, Callable[[_Json], _Link]] = {
    "openai-chat": _chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "openai-responses": _responses,
    "bedrock": _bedrock,
    "cohere": _chat,
}
