"""What was meant by recorded requests of providers whose dialect no client speaks."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Raw

from tierwise.wire.conversation import (
    CacheMark,
    Conversation,
    Document,
    Foreign,
    Part,
    Reasoning,
    Sampling,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
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
    if effort:
        thinking = Thinking(effort=effort, budget=thinking.budget if thinking else None)
    turns = [_system(body["system"])] if body.get("system") else []
    turns += [_turn(message) for message in body["messages"]]
    tools, foreign = _tools((body.get("toolConfig") or {}).get("tools") or [])
    return Conversation(
        dialect="bedrock",
        model=model,
        turns=tuple(turns),
        tools=tools,
        foreign_tools=foreign,
        sampling=Sampling(
            temperature=sampling.get("temperature"),
            top_p=sampling.get("topP"),
            top_k=more.get("top_k"),
        ),
        max_tokens=sampling.get("maxTokens"),
        thinking=thinking,
        stream=stream,
        stream_usage=stream,
    )


def by_cohere(model: str, body: _Json, *, stream: bool) -> Conversation:
    """What a request of Cohere's chat means."""
    turns = [Turn(role=one["role"], parts=(Text(text=one["content"]),)) for one in body["messages"]]
    return Conversation(
        dialect="cohere", model=model, turns=tuple(turns), stream=stream, stream_usage=stream
    )


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


def _turn(message: _Json) -> Turn:
    parts = tuple(_part(one, mark) for one, mark in _marked(message["content"]))
    answers = message["role"] == "user" and any(isinstance(part, ToolResult) for part in parts)
    whole = all(isinstance(part, ToolResult) for part in parts)
    return Turn(role="tool" if answers and whole else message["role"], parts=parts)


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
        source = Source(media_type=_TYPES[document["format"]], data=document["source"]["bytes"])
        return Document(source=source, name=document["name"], cache=mark)
    if "reasoningContent" in one:
        thought = one["reasoningContent"]["reasoningText"]
        return Reasoning(text=thought["text"], signature=thought.get("signature"), origin="bedrock")
    raise AssertionError(f"a piece of an unknown kind: {list(one)}")


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
