"""Conversations, as requests of Cohere's Chat API v2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from tierwise.wire.chat.sources import write_url
from tierwise.wire.conversation import (
    Conversation,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from tierwise.wire.failing import in_words
from tierwise.wire.features import Feature
from tierwise.wire.openai_chat import given

NAME = "cohere"
WORDS: Mapping[Feature, str] = {
    "image_data": "messages.content.image_url",
    "image_url": "messages.content.image_url",
    "document_text": "documents",
    "document_citations": "documents",
    "tools": "tools",
    "tool_choice_none": "tool_choice",
    "tool_choice_required": "tool_choice",
    # It is shown those alone that may be called.
    "tool_choice_named": "tools",
    "tool_choice_several": "tools",
    "json_mode": "response_format",
    "json_schema": "response_format.json_schema",
    "stop": "stop_sequences",
    "max_tokens": "max_tokens",
    "effort": "thinking",
    "thinking_budget": "thinking.token_budget",
    "seed": "seed",
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}
_BUDGETS = {"minimal": 512, "low": 2048, "medium": 8192}
"""Tokens for words of effort; any other word leaves it to the model."""
_encode = msgspec.json.Encoder().encode
Json = dict[str, object]


def write_request(asked: Conversation) -> bytes:
    """The body that asks it. What it has no words for is left out, and so are others' thoughts."""
    body: Json = {
        "model": asked.model,
        "messages": [message for turn in asked.turns for message in _messages(turn)],
        "stream": asked.stream,
    }
    documents = _documents(asked.turns)
    if documents:
        body["documents"] = documents
    body.update(_tools(asked))
    if asked.format is not None:
        wanted: Json = {"type": "json_object"}
        if given(asked.format.schema):
            wanted["json_schema"] = asked.format.schema
        body["response_format"] = wanted
    if asked.thinking is not None:
        body.update(_thinking(asked.thinking))
    body.update(_sampling(asked))
    return _encode(body)


def _sampling(asked: Conversation) -> Json:
    sampling = asked.sampling
    wishes: Json = {
        "temperature": sampling.temperature,
        "p": sampling.top_p,
        "k": sampling.top_k,
        "seed": sampling.seed,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "max_tokens": asked.max_tokens,
        "stop_sequences": asked.stop or None,
    }
    return {name: value for name, value in wishes.items() if value is not None}


def _thinking(thinking: Thinking) -> Json:
    """https://docs.cohere.com/docs/reasoning"""
    budget = thinking.budget
    if budget is None and thinking.effort is not None:
        budget = 0 if thinking.effort == "none" else _BUDGETS.get(thinking.effort, -1)
    if budget is None:
        return {}
    if budget == 0:
        return {"thinking": {"type": "disabled"}}
    wish: Json = {"type": "enabled"}
    if budget > 0:
        wish["token_budget"] = budget
    return {"thinking": wish}


def _tools(asked: Conversation) -> Json:
    choice = asked.tool_choice
    tools = [tool for tool in asked.tools if not tool.custom]
    if choice is not None and choice.names and choice.mode != "none":
        tools = [tool for tool in tools if tool.name in choice.names]
    if not tools:
        return {}
    body: Json = {"tools": [_tool(tool) for tool in tools]}
    if all(tool.strict for tool in tools):
        body["strict_tools"] = True
    if choice is not None and choice.mode != "auto":
        body["tool_choice"] = choice.mode.upper()
    return body


def _tool(tool: Tool) -> Json:
    function: Json = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = (
        tool.parameters if given(tool.parameters) else {"type": "object", "properties": {}}
    )
    return {"type": "function", "function": function}


def _documents(turns: Iterable[Turn]) -> list[Json]:
    """Texts that are to be cited, which it wants apart from what is said."""
    found: list[Json] = []
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, Document) and part.cited and part.text is not None:
                data = {"text": part.text}
                if part.name is not None:
                    data["title"] = part.name
                if part.context is not None:
                    data["context"] = part.context
                found.append({"id": f"doc_{len(found)}", "data": data})
    return found


def _messages(turn: Turn) -> list[Json]:
    if turn.role == "tool":
        return [_result(part) for part in turn.parts if isinstance(part, ToolResult)]
    if turn.role == "assistant":
        message = _assistant(turn)
        return [message] if message is not None else []
    role = "system" if turn.role == "developer" else turn.role
    content = _content(turn.parts)
    if role == "system":
        # It takes text alone here.
        return [{"role": role, "content": "\n\n".join(_texts(turn.parts))}]
    return [{"role": role, "content": content}] if content else []


def _assistant(turn: Turn) -> Json | None:
    """What the assistant said: beside calls, as the plan of them."""
    calls = [
        {
            "id": part.id,
            "type": "function",
            "function": {"name": part.name, "arguments": part.arguments or "{}"},
        }
        for part in turn.parts
        if isinstance(part, ToolCall)
    ]
    text = "".join(_texts(turn.parts))
    if calls:
        message: Json = {"role": "assistant", "tool_calls": calls}
        if text:
            message["tool_plan"] = text
        return message
    content: list[Json] = [
        {"type": "thinking", "thinking": part.text}
        for part in turn.parts
        if isinstance(part, Reasoning) and part.origin == NAME and part.text
    ]
    if text:
        content.append({"type": "text", "text": text})
    return {"role": "assistant", "content": content} if text else None


def _result(result: ToolResult) -> Json:
    """What a tool gave; it takes text alone."""
    content = "\n".join(_texts(in_words(result)))
    return {"role": "tool", "tool_call_id": result.call_id, "content": content}


def _texts(parts: Iterable[Part]) -> list[str]:
    return [
        part.text for part in parts if isinstance(part, Text | Refusal | Document) and part.text
    ]


def _content(parts: Iterable[Part]) -> list[Json]:
    content: list[Json] = []
    for part in parts:
        match part:
            case Text() | Refusal():
                content.append({"type": "text", "text": part.text})
            case Document() if part.text is not None and not part.cited:
                about = "\n".join(line for line in (part.name, part.context) if line)
                text = f"{about}\n\n{part.text}" if about else part.text
                content.append({"type": "text", "text": text})
            case Image():
                url = write_url(part.source)
                if url is not None:
                    image: Json = {"url": url}
                    if part.detail is not None:
                        image["detail"] = part.detail
                    content.append({"type": "image_url", "image_url": image})
    return content
