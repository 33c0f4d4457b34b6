"""Requests without what makes no difference, so that two that mean the same are equal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

_Json = dict[str, Any]
_SNAKE = re.compile(r"_([a-z])")


def normal(dialect: str, body: _Json) -> Any:
    """A request of a dialect in its plainest form."""
    return _bare(_NORMAL[dialect](json.loads(json.dumps(body))))


def _bare(value: Any) -> Any:
    """Without fields that say nothing."""
    if isinstance(value, dict):
        kept = {name: _bare(one) for name, one in value.items() if one is not None}
        return {name: one for name, one in kept.items() if one not in ({}, [])}
    if isinstance(value, list):
        return [_bare(one) for one in value]
    return value


def _without(body: _Json, *names: str) -> _Json:
    return {name: value for name, value in body.items() if name not in names}


def _chat(body: _Json) -> _Json:
    body = _without(body, "stream", "stream_options", "model")
    if body.get("n") == 1:
        del body["n"]
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    if body.get("modalities") == ["text"]:
        del body["modalities"]
    if isinstance(body.get("stop"), str):
        body["stop"] = [body["stop"]]
    thinking = body.pop("reasoning", None) or {}
    if thinking.get("effort"):
        body["reasoning_effort"] = thinking["effort"]
    for message in body["messages"]:
        message["content"] = [_part(one) for one in _plain(message.get("content"), "text")]
        if message["role"] == "tool":
            message.pop("name", None)  # that of the call
        for call in message.get("tool_calls") or ():
            call.pop("index", None)
            call.setdefault("type", "function")
            if "function" in call:
                call["function"]["arguments"] = _parsed(call["function"]["arguments"])
    for tool in body.get("tools") or ():
        if tool.get("function", {}).get("strict") is False:
            del tool["function"]["strict"]
    return body


def _part(part: Any) -> Any:
    """A part of content, in OpenAI's words where Mistral has others for it."""
    if isinstance(part.get("image_url"), str):
        return {**part, "image_url": {"url": part["image_url"]}}
    if "document_url" in part:
        file = {"file_data": part["document_url"], "filename": part.get("document_name")}
        return {"type": "file", "file": file}
    return part


def _anthropic(body: _Json) -> _Json:
    body = _without(body, "stream", "model", "anthropic_version")
    body["system"] = _plain(body.get("system"), "text")
    for message in body["messages"]:
        message["content"] = _plain(message["content"], "text")
        for block in message["content"]:
            if block.get("type") == "tool_result":
                block["content"] = _plain(block.get("content"), "text")
                if block.get("is_error") is False:
                    del block["is_error"]
    if body.get("tool_choice") == {"type": "auto"}:
        del body["tool_choice"]
    body["messages"] = _merged(body["messages"])
    if body.get("tools"):
        body["tools"].sort(key=lambda tool: str(tool["name"] if "name" in tool else tool["type"]))
    return body


def _merged(messages: list[_Json]) -> list[_Json]:
    """Turns of the same side are one to the API."""
    found: list[_Json] = []
    for message in messages:
        if found and found[-1]["role"] == message["role"]:
            found[-1]["content"] += message["content"]
        else:
            found.append(message)
    return found


def _gemini(body: _Json) -> _Json:
    body = _camel(body)
    system = body.get("systemInstruction")
    if system:
        system.pop("role", None)
    for content in body["contents"]:
        content.setdefault("role", "user")
        for part in content.get("parts") or ():
            _without_names(part.get("functionResponse") or {})
    config = body.get("generationConfig") or {}
    if config.get("responseModalities") == ["TEXT"]:
        del config["responseModalities"]
    if "responseSchema" in config:
        config["responseJsonSchema"] = _schema(config.pop("responseSchema"))
    for tool in body.get("tools") or ():
        for function in tool.get("functionDeclarations") or ():
            if "parameters" in function:
                function["parametersJsonSchema"] = _schema(function.pop("parameters"))
    return body


def _without_names(answer: _Json) -> None:
    """Takes the names from files in a result that it does not refer to by them."""
    if '"$ref"' in json.dumps(answer.get("response")):
        return
    for part in answer.get("parts") or ():
        for held in part.values():
            held.pop("displayName", None)


def _schema(value: Any) -> Any:
    """A schema of OpenAPI's kind as a JSON Schema."""
    if isinstance(value, list):
        return [_schema(one) for one in value]
    if not isinstance(value, dict):
        return value
    named = {_SNAKE.sub(lambda m: m[1].upper(), name): one for name, one in value.items()}
    if "properties" in named:
        named["properties"] = {n: _schema(one) for n, one in named["properties"].items()}
    kind = named.get("type")
    if isinstance(kind, str):
        named["type"] = kind.lower()
        if named.pop("nullable", False):
            named["type"] = [kind.lower(), "null"]
    rest = {n: _schema(one) for n, one in named.items() if n not in ("properties", "type")}
    return {**named, **rest}


def _camel(value: Any) -> Any:
    """Google takes names in either form; schemas and arguments are the caller's."""
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    theirs = {"args", "response", "parameters", "parametersJsonSchema", "responseSchema"}
    theirs |= {"responseJsonSchema", "labels"}
    named = {_SNAKE.sub(lambda m: m[1].upper(), name): one for name, one in value.items()}
    return {name: one if name in theirs else _camel(one) for name, one in named.items()}


def _responses(body: _Json) -> _Json:
    body = _without(body, "stream", "model")
    given = body.get("input") or []
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    for item in given:
        if item.get("type") == "message":
            del item["type"]
        if "content" in item:
            spoken = "output_text" if item.get("role") == "assistant" else "input_text"
            item["content"] = _plain(item["content"], spoken)
            for piece in item["content"]:
                if piece.get("annotations") == []:
                    del piece["annotations"]
        if item.get("type") == "function_call":
            item["arguments"] = _parsed(item["arguments"])
    body["input"] = given
    if (body.get("text") or {}).get("format") == {"type": "text"}:
        del body["text"]["format"]
    if body.get("tool_choice") == "auto":
        del body["tool_choice"]
    for tool in body.get("tools") or ():
        if tool.get("strict") is False:
            del tool["strict"]
    return body


def _cohere(body: _Json) -> _Json:
    body = _without(body, "stream", "model")
    for message in body["messages"]:
        message["content"] = _plain(message.get("content"), "text")
    return body


_ONLY_BEDROCK = (
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
)
"""What no client's dialect has words for, so that nobody can ask for it here."""
_OF_MODELS = frozenset(
    {"thinking", "output_config", "reasoning_effort", "reasoningConfig", "top_k", "inferenceConfig"}
)
"""The fields for single models of Bedrock that a client's words become; as for others, the same."""


def _bedrock(body: _Json) -> _Json:
    body = _without(body, *_ONLY_BEDROCK)
    more = body.get("additionalModelRequestFields") or {}
    body["additionalModelRequestFields"] = {
        name: value for name, value in more.items() if name in _OF_MODELS
    }
    if (body.get("toolConfig") or {}).get("toolChoice") == {"auto": {}}:
        del body["toolConfig"]["toolChoice"]
    for message in body["messages"]:
        for block in message["content"]:
            if block.get("toolResult", {}).get("status") == "success":
                del block["toolResult"]["status"]
    return body


def _plain(content: Any, kind: str) -> Any:
    """Content as a list of parts; an empty text says nothing."""
    if isinstance(content, str):
        return [{"type": kind, "text": content}] if content else []
    return content or []


def _parsed(text: Any) -> Any:
    if not isinstance(text, str):
        return text  # Mistral takes the object itself
    try:
        return json.loads(text)
    except ValueError:
        return text


_NORMAL: dict[str, Callable[[_Json], _Json]] = {
    "openai-chat": _chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "openai-responses": _responses,
    "cohere": _cohere,
    "bedrock": _bedrock,
}
