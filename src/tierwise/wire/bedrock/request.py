"""What is asked, as Converse and ConverseStream take it.

Converse has one form for models of many makers, whose own parameters stand in
`additionalModelRequestFields`. They are written here in Anthropic's words; `fit` puts them into
those of whoever made the model, which nobody knows here.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from tierwise.wire.anthropic.schema import closed
from tierwise.wire.bedrock.turns import messages_of, system_of
from tierwise.wire.conversation import Conversation, Thinking, Tool, ToolCall
from tierwise.wire.features import Feature
from tierwise.wire.openai_chat import given
from tierwise.wire.unreadable import UNREADABLE

WORDS: dict[Feature, str] = {
    "image_data": "image",
    "audio_data": "audio",
    "video_data": "video",
    "document_data": "document",
    "document_text": "document",
    "document_citations": "document.citations",
    "tools": "toolConfig.tools",
    "tool_results_with_media": "toolResult.content",
    "tool_choice_required": "toolConfig.toolChoice.any",
    "tool_choice_named": "toolConfig.toolChoice.tool",
    "json_schema": "outputConfig.textFormat",
    "stop": "inferenceConfig.stopSequences",
    "max_tokens": "inferenceConfig.maxTokens",
    "effort": "outputConfig.effort",
    "thinking_budget": "additionalModelRequestFields.thinking",
    "temperature": "inferenceConfig.temperature",
    "top_p": "inferenceConfig.topP",
    "top_k": "additionalModelRequestFields.top_k",
    "service_tier": "serviceTier",
    "prefill": "messages",
}
_TIERS = frozenset({"priority", "default", "flex", "reserved"})
_NO_EFFORT = frozenset({"none", "minimal"})
_ANY_OBJECT = Raw(b'{"type":"object","properties":{}}')
_MOST_LABELS = 16
_LABEL = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
_encode = msgspec.json.Encoder().encode
_decode_labels = msgspec.json.Decoder(dict[str, str]).decode


def write_request(asked: Conversation) -> bytes:
    """The body that asks it."""
    tier = asked.service_tier
    body: dict[str, Any] = {
        "messages": messages_of(asked),
        "system": system_of(asked),
        "inferenceConfig": _inference(asked),
        "toolConfig": _tools(asked),
        "additionalModelRequestFields": _more(asked),
        "outputConfig": _output(asked),
        "requestMetadata": _labels(asked.metadata),
        "serviceTier": {"type": tier} if tier in _TIERS else None,
    }
    return _encode({name: value for name, value in body.items() if value})


def _inference(asked: Conversation) -> dict[str, Any]:
    found = {
        "maxTokens": asked.max_tokens,
        "temperature": asked.sampling.temperature,
        "topP": asked.sampling.top_p,
        "stopSequences": asked.stop or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _more(asked: Conversation) -> dict[str, Any]:
    """What Converse itself has no words for."""
    found: dict[str, Any] = {}
    if asked.sampling.top_k is not None:
        found["top_k"] = asked.sampling.top_k
    thinking = _thinking(asked.thinking)
    if thinking is not None:
        found["thinking"] = thinking
    return found


def _thinking(wanted: Thinking | None) -> dict[str, Any] | None:
    if wanted is None or wanted.budget is None:
        return None
    if wanted.budget > 0:
        return {"type": "enabled", "budget_tokens": wanted.budget}
    return {"type": "disabled" if wanted.budget == 0 else "adaptive"}


def _output(asked: Conversation) -> dict[str, Any]:
    found: dict[str, Any] = {}
    thinking = asked.thinking
    if thinking is not None and thinking.effort is not None and thinking.effort not in _NO_EFFORT:
        found["effort"] = thinking.effort
    wanted = asked.format
    if wanted is not None and wanted.kind == "schema":
        # The schema is JSON within a string. As Claude's own API does, Bedrock refuses one that
        # leaves open which properties there are, and limits of numbers and lengths:
        # docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
        schema: dict[str, Any] = {"schema": bytes(closed(wanted.schema)).decode()}
        if wanted.name:
            schema["name"] = wanted.name
        if wanted.description:
            schema["description"] = wanted.description
        found["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    return found


def _tools(asked: Conversation) -> dict[str, Any] | None:
    tools: list[dict[str, Any]] = []
    for tool in asked.tools:
        if tool.custom:
            continue
        tools.append({"toolSpec": _tool(tool)})
        if tool.cache is not None:
            point = {"type": "default", "ttl": tool.cache.ttl}
            tools.append({"cachePoint": {name: value for name, value in point.items() if value}})
    if not tools:
        # Calls in the conversation are refused without it, whether or not there may be more.
        names = dict.fromkeys(
            part.name for turn in asked.turns for part in turn.parts if isinstance(part, ToolCall)
        )
        tools = [{"toolSpec": _tool(Tool(name=name))} for name in names]
    if not tools:
        return None
    found: dict[str, Any] = {"tools": tools}
    choice = asked.tool_choice
    if choice is not None and asked.tools and choice.mode != "none":
        if len(choice.names) == 1:
            found["toolChoice"] = {"tool": {"name": choice.names[0]}}
        elif choice.mode == "required":
            found["toolChoice"] = {"any": {}}
    return found


def _tool(tool: Tool) -> dict[str, Any]:
    schema = tool.parameters if given(tool.parameters) else _ANY_OBJECT
    schema = closed(schema) if tool.strict else schema
    found: dict[str, Any] = {"name": tool.name, "inputSchema": {"json": schema}}
    if tool.description:
        found["description"] = tool.description
    if tool.strict:
        found["strict"] = True
    return found


def _labels(metadata: Raw) -> dict[str, str] | None:
    """The caller's labels; none if one of them is not as Bedrock takes them."""
    if not given(metadata):
        return None
    try:
        labels = _decode_labels(metadata)
    except UNREADABLE:
        return None
    words = [*labels, *(value for value in labels.values() if value)]
    fit = len(labels) <= _MOST_LABELS and all(_LABEL.fullmatch(word) for word in words)
    return labels if fit else None
