"""What a provider of each dialect is asked, read by that dialect's own rules.

It shares no code with the gateway, and knows only what the tests of clients need.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Ask:
    """One request.

    `texts` are those of the user, `pictures` media type (empty where only the provider could see
    it) and base64 or URL. `must` is the tool that has to be called, empty for any, None for free
    choice. `rounds` counts the turns that called tools, `results` are (id or place of the call,
    tool, what it gave). `number` tells it from all others.
    """

    dialect: str
    model: str
    stream: bool = False
    system: str = ""
    texts: list[str] = field(default_factory=list)
    pictures: list[tuple[str, str]] = field(default_factory=list)
    tools: dict[str, Json] = field(default_factory=dict)
    must: str | None = None
    schema: Json | None = None
    rounds: int = 0
    results: list[tuple[str, str, str]] = field(default_factory=list)
    body: Json = field(default_factory=dict)
    number: int = 0


def read_chat(body: Json) -> Ask:
    """A body of OpenAI's Chat Completions."""
    ask = Ask("openai-chat", body["model"], bool(body.get("stream")), body=body)
    names: dict[str, str] = {}
    for message in body["messages"]:
        content = message.get("content")
        pieces = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        text = "".join(one["text"] for one in pieces if one["type"] == "text")
        match message["role"]:
            case "system" | "developer":
                ask.system += text
            case "user":
                ask.texts.append(text)
                urls = [one["image_url"]["url"] for one in pieces if one["type"] == "image_url"]
                ask.pictures += map(_picture, urls)
            case "assistant":
                calls = message.get("tool_calls") or []
                names.update((call["id"], call["function"]["name"]) for call in calls)
                ask.rounds += bool(calls)
            case "tool":
                called = message["tool_call_id"]
                ask.results.append((called, names[called], text))
    for tool in body.get("tools") or ():
        ask.tools[tool["function"]["name"]] = tool["function"].get("parameters") or {}
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        ask.must = choice["function"]["name"]
    elif choice == "required":
        ask.must = ""
    form = body.get("response_format") or {}
    ask.schema = (form.get("json_schema") or {}).get("schema")
    return ask


def read_responses(body: Json) -> Ask:
    """A body of OpenAI's Responses."""
    ask = Ask("openai-responses", body["model"], bool(body.get("stream")), body=body)
    ask.system = body.get("instructions") or ""
    items = body["input"]
    names: dict[str, str] = {}
    calling = False
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        kind = item.get("type", "message")
        if kind == "function_call":
            names[item["call_id"]] = item["name"]
            ask.rounds += not calling
            calling = True
            continue
        calling = False
        if kind == "function_call_output":
            output = item["output"]
            if not isinstance(output, str):
                output = "".join(one.get("text", "") for one in output)
            ask.results.append((item["call_id"], names[item["call_id"]], output))
        elif kind == "message":
            content = item["content"]
            pieces = [{"text": content}] if isinstance(content, str) else content
            text = "".join(one.get("text", "") for one in pieces)
            if item["role"] == "user":
                ask.texts.append(text)
                urls = [one["image_url"] for one in pieces if one.get("type") == "input_image"]
                ask.pictures += map(_picture, urls)
            elif item["role"] != "assistant":
                ask.system += text
    for tool in body.get("tools") or ():
        ask.tools[tool["name"]] = tool.get("parameters") or {}
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        ask.must = choice.get("name", "")
    elif choice == "required":
        ask.must = ""
    form = (body.get("text") or {}).get("format") or {}
    ask.schema = form.get("schema")
    return ask


def read_anthropic(body: Json) -> Ask:
    """A body of Anthropic's Messages."""
    ask = Ask("anthropic", body["model"], bool(body.get("stream")), body=body)
    ask.system = _text_of(body.get("system"))
    names: dict[str, str] = {}
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        uses = [one for one in blocks if one["type"] == "tool_use"]
        names.update((one["id"], one["name"]) for one in uses)
        ask.rounds += bool(uses)
        results = [one for one in blocks if one["type"] == "tool_result"]
        for one in results:
            called = one["tool_use_id"]
            ask.results.append((called, names[called], _text_of(one.get("content"))))
        if message["role"] == "user" and not results:
            ask.texts.append(_text_of(blocks))
            for one in blocks:
                if one["type"] == "image":
                    source = one["source"]
                    picture = source.get("data") or source["url"]
                    ask.pictures.append((source.get("media_type", ""), picture))
    for tool in body.get("tools") or ():
        ask.tools[tool["name"]] = tool["input_schema"]
    choice = body.get("tool_choice") or {}
    if choice.get("type") in ("any", "tool"):
        ask.must = choice.get("name", "")
    form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    ask.schema = form.get("schema")
    return ask


def read_gemini(body: Json) -> Ask:
    """A body of Gemini's generateContent, whose path gave `model` and `stream`."""
    body = _camel(body)
    ask = Ask("gemini", body["model"], bool(body.get("stream")), body=body)
    ask.system = "".join(
        one.get("text", "") for one in (body.get("systemInstruction") or {}).get("parts", ())
    )
    for content in body["contents"]:
        parts = content["parts"]
        ask.rounds += any("functionCall" in one for one in parts)
        answers = [one["functionResponse"] for one in parts if "functionResponse" in one]
        for one in answers:
            given = one["response"]
            said = given.get("output", given.get("result", given))
            text = said if isinstance(said, str) else json.dumps(said)
            ask.results.append((str(len(ask.results)), one["name"], text))
        if content.get("role") != "model" and not answers:
            ask.texts.append("".join(one.get("text", "") for one in parts))
            held = [one["inlineData"] for one in parts if "inlineData" in one]
            ask.pictures += [(one["mimeType"], one["data"]) for one in held]
    for tool in body.get("tools") or ():
        for one in tool.get("functionDeclarations", ()):
            schema = one.get("parametersJsonSchema") or one.get("parameters") or {}
            ask.tools[one["name"]] = schema
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if calling.get("mode", "").upper() == "ANY":
        ask.must = (calling.get("allowedFunctionNames") or [""])[0]
    form = body.get("generationConfig") or {}
    ask.schema = form.get("responseJsonSchema") or form.get("responseSchema")
    return ask


def read_bedrock(body: Json) -> Ask:
    """A body of Amazon's Converse, whose path gave `model` and `stream`."""
    ask = Ask("bedrock", body["model"], bool(body.get("stream")), body=body)
    ask.system = "".join(one.get("text", "") for one in body.get("system") or ())
    names: dict[str, str] = {}
    for message in body["messages"]:
        content = message["content"]
        uses = [one["toolUse"] for one in content if "toolUse" in one]
        names.update((one["toolUseId"], one["name"]) for one in uses)
        ask.rounds += bool(uses)
        results = [one["toolResult"] for one in content if "toolResult" in one]
        for one in results:
            text = "".join(piece.get("text", "") for piece in one["content"])
            ask.results.append((one["toolUseId"], names[one["toolUseId"]], text))
        if message["role"] == "user" and not results:
            ask.texts.append("".join(one.get("text", "") for one in content))
    for tool in (body.get("toolConfig") or {}).get("tools", ()):
        if "toolSpec" in tool:
            ask.tools[tool["toolSpec"]["name"]] = tool["toolSpec"]["inputSchema"]["json"]
    return ask


_HELD_AS_THEY_ARE = frozenset({"parameters", "responseSchema", "args", "response"})


def _camel(value: Any) -> Any:
    """Google's own clients write names in snake_case here and there, which it takes as well."""
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for written, held in value.items():
        first, *words = written.split("_")
        name = first + "".join(word.capitalize() for word in words)
        opaque = name in _HELD_AS_THEY_ARE or name.endswith("JsonSchema")
        found[name] = held if opaque else _camel(held)
    return found


def _text_of(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(one["text"] for one in content if one["type"] == "text")


def _picture(url: str) -> tuple[str, str]:
    if not url.startswith("data:"):
        return "", url
    head, _, data = url.partition(",")
    return head.removeprefix("data:").partition(";")[0], data


READERS: dict[str, Callable[[Json], Ask]] = {
    "openai-chat": read_chat,
    "openai-responses": read_responses,
    "anthropic": read_anthropic,
    "gemini": read_gemini,
    "bedrock": read_bedrock,
}
