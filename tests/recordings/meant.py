"""What was meant by recorded requests of providers whose dialect no client speaks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from msgspec import Raw

from tierwise.wire.chat.sources import read_url
from tierwise.wire.conversation import (
    Audio,
    CacheMark,
    Conversation,
    Document,
    Foreign,
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
    Video,
)

_Json = dict[str, Any]
_TYPES = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "html": "text/html",
    "md": "text/markdown",
}


def by_bedrock(model: str, body: _Json, *, stream: bool) -> Conversation:
    """What a request of Converse means."""
    sampling, more = body.get("inferenceConfig") or {}, body.get("additionalModelRequestFields")
    more = more or {}
    thinking = None
    if "thinking" in more:
        budget = more["thinking"].get("budget_tokens", -1)
        thinking = Thinking(budget=0 if more["thinking"]["type"] == "disabled" else budget)
    effort = (more.get("output_config") or {}).get("effort") or more.get("reasoning_effort")
    effort = effort or (more.get("reasoningConfig") or {}).get("maxReasoningEffort")
    if effort:
        thinking = Thinking(effort=effort, budget=thinking.budget if thinking else None)
    turns = [_system(body["system"])] if body.get("system") else []
    turns += [turn for message in body["messages"] for turn in _turns(message)]
    tools, foreign = _tools((body.get("toolConfig") or {}).get("tools") or [])
    return Conversation(
        dialect="bedrock",
        model=model,
        turns=tuple(turns),
        tools=tools,
        foreign_tools=foreign,
        tool_choice=_choice((body.get("toolConfig") or {}).get("toolChoice")),
        stop=tuple(sampling.get("stopSequences") or ()),
        sampling=Sampling(
            temperature=sampling.get("temperature"),
            top_p=sampling.get("topP"),
            top_k=more.get("top_k"),
        ),
        max_tokens=sampling.get("maxTokens"),
        thinking=thinking,
        metadata=Raw(json.dumps(body["requestMetadata"]).encode())
        if body.get("requestMetadata")
        else Raw(b""),
        service_tier=(body.get("serviceTier") or {}).get("type"),
        stream=stream,
        stream_usage=stream,
    )


def by_cohere(model: str, body: _Json, *, stream: bool) -> Conversation:
    """What a request of Cohere's chat means."""
    turns = [Turn(role=one["role"], parts=tuple(_said(one))) for one in body["messages"]]
    choice = body.get("tool_choice")
    return Conversation(
        dialect="cohere",
        model=model,
        turns=tuple(turns),
        tools=tuple(_tool_of_cohere(one, body) for one in body.get("tools") or ()),
        tool_choice=ToolChoice(mode=choice.lower()) if choice else None,
        format=_format_of_cohere(body.get("response_format") or {}),
        stop=tuple(body.get("stop_sequences") or ()),
        sampling=Sampling(
            temperature=body.get("temperature"),
            top_p=body.get("p"),
            top_k=body.get("k"),
            seed=body.get("seed"),
            frequency_penalty=body.get("frequency_penalty"),
            presence_penalty=body.get("presence_penalty"),
        ),
        max_tokens=body.get("max_tokens"),
        thinking=_thinking_of_cohere(body.get("thinking")),
        stream=stream,
        stream_usage=stream,
    )


def _tool_of_cohere(tool: _Json, body: _Json) -> Tool:
    function = tool["function"]
    return Tool(
        name=function["name"],
        description=function.get("description"),
        parameters=Raw(json.dumps(function.get("parameters") or {}).encode()),
        strict=True if body.get("strict_tools") else None,
    )


def _format_of_cohere(wanted: _Json) -> Format | None:
    if wanted.get("type") != "json_object":
        return None
    if "json_schema" not in wanted:
        return Format(kind="json")
    return Format(kind="schema", schema=Raw(json.dumps(wanted["json_schema"]).encode()))


def _thinking_of_cohere(wanted: _Json | None) -> Thinking | None:
    if wanted is None:
        return None
    return Thinking(budget=0 if wanted["type"] == "disabled" else wanted.get("token_budget", -1))


def _said(message: _Json) -> Iterator[Part]:
    if message["role"] == "tool":
        parts = tuple(_of_cohere(message["content"]))
        yield ToolResult(call_id=message["tool_call_id"], parts=parts)
        return
    if message.get("tool_plan"):
        yield Text(text=message["tool_plan"])
    yield from _of_cohere(message.get("content") or [])
    for call in message.get("tool_calls") or ():
        function = call["function"]
        yield ToolCall(id=call["id"], name=function["name"], arguments=function["arguments"])


def _of_cohere(content: Any) -> Iterator[Part]:
    for one in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        if one["type"] == "thinking":
            yield Reasoning(text=one["thinking"], origin="cohere")
        elif one["type"] == "image_url":
            yield Image(source=read_url(one["image_url"]["url"]))
        elif one["type"] == "document":
            yield Text(text=one["document"]["data"]["text"])
        else:
            yield Text(text=one["text"])


def _marked(pieces: list[_Json]) -> list[tuple[_Json, CacheMark | None]]:
    """The pieces, each with the mark that stands behind it."""
    found: list[tuple[_Json, CacheMark | None]] = []
    for piece in pieces:
        if "cachePoint" in piece and found:
            found[-1] = (found[-1][0], CacheMark())
        else:
            found.append((piece, None))
    return found


def _system(blocks: list[_Json]) -> Turn:
    parts = [Text(text=one["text"], cache=mark) for one, mark in _marked(blocks)]
    return Turn(role="system", parts=tuple(parts))


def _turns(message: _Json) -> Iterator[Turn]:
    parts = [_part(one, mark) for one, mark in _marked(message["content"])]
    results = tuple(part for part in parts if isinstance(part, ToolResult))
    others = tuple(part for part in parts if not isinstance(part, ToolResult))
    if results:
        yield Turn(role="tool", parts=results)
    if others:
        yield Turn(role=message["role"], parts=others)


def _part(one: _Json, mark: CacheMark | None) -> Part:
    if "text" in one:
        return Text(text=one["text"], cache=mark)
    if "toolUse" in one:
        use = one["toolUse"]
        return ToolCall(
            id=use["toolUseId"], name=use["name"], arguments=json.dumps(use["input"]), cache=mark
        )
    if "toolResult" in one:
        result = one["toolResult"]
        return ToolResult(
            call_id=result["toolUseId"],
            parts=tuple(_part(piece, None) for piece in result["content"]),
            failed=result.get("status") == "error",
            cache=mark,
        )
    if "document" in one:
        document = one["document"]
        source = _source(document["source"], _TYPES.get(document["format"], document["format"]))
        return Document(
            source=source,
            name=document["name"],
            context=document.get("context"),
            cited=bool((document.get("citations") or {}).get("enabled")),
            cache=mark,
        )
    for kind, part in (("image", Image), ("video", Video), ("audio", Audio)):
        if kind in one:
            source = _source(one[kind]["source"], f"{kind}/{one[kind]['format']}")
            return part(source=source, cache=mark)
    if "reasoningContent" in one:
        if "redactedContent" in one["reasoningContent"]:
            sealed = base64.b64decode(one["reasoningContent"]["redactedContent"]).decode()
            return Reasoning(redacted=sealed, origin="anthropic")
        thought = one["reasoningContent"]["reasoningText"]
        return Reasoning(text=thought["text"], signature=thought.get("signature"), origin="bedrock")
    raise AssertionError(f"a piece of an unknown kind: {list(one)}")


def _source(source: _Json, media_type: str) -> Source:
    if "s3Location" in source:
        return Source(media_type=media_type, url=source["s3Location"]["uri"])
    return Source(media_type=media_type, data=source["bytes"])


def _choice(chosen: _Json | None) -> ToolChoice | None:
    if not chosen:
        return None
    if "tool" in chosen:
        return ToolChoice(mode="required", names=(chosen["tool"]["name"],))
    return ToolChoice(mode="required" if "any" in chosen else "auto")


def _tools(listed: list[_Json]) -> tuple[tuple[Tool, ...], tuple[Foreign, ...]]:
    tools, foreign = [], []
    for one, mark in _marked(listed):
        if "toolSpec" not in one:
            foreign.append(
                Foreign(origin="bedrock", what="systemTool", raw=Raw(json.dumps(one).encode()))
            )
            continue
        spec = one["toolSpec"]
        tools.append(
            Tool(
                name=spec["name"],
                description=spec.get("description"),
                parameters=Raw(json.dumps(spec["inputSchema"]["json"]).encode()),
                cache=mark,
            )
        )
    return tuple(tools), tuple(foreign)
