"""A coding agent's loop in each dialect, by the maker's SDK."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clients.asked import Ask, Json
from clients.contract import Target
from clients.via_official import Anthropic, GoogleGenai, OpenAIChat, OpenAIResponses


@dataclass
class Turn:
    """What is said in one turn, and the calls as (id, name, arguments)."""

    text: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)


class Agent:
    """One conversation.

    Args:
        asked: what it begins with: system, texts and tools.
        more: parameters of its dialect.
    """

    def __init__(self, to: Target, asked: Ask, more: Json) -> None:
        self.to = to
        self.asked = asked
        self.more = more
        self.said: list[Any] = []
        self.begin()
        for text in asked.texts:
            self.tell(text)

    def begin(self) -> None:
        """What stands before the first turn."""

    def tell(self, text: str) -> None:
        """A turn of the user."""
        self.said.append({"role": "user", "content": text})

    def give(self, results: Sequence[tuple[str, str, str]]) -> None:
        """The results of calls, as (id, tool, text)."""
        raise NotImplementedError

    def ask(self, *, stream: bool) -> Turn:
        """The next turn of the model."""
        raise NotImplementedError


class ChatAgent(Agent):
    """By `openai`'s Chat Completions."""

    def begin(self) -> None:
        if self.asked.system:
            self.said.append({"role": "system", "content": self.asked.system})

    def give(self, results: Sequence[tuple[str, str, str]]) -> None:
        self.said += [
            {"role": "tool", "tool_call_id": called, "content": text} for called, _, text in results
        ]

    def ask(self, *, stream: bool) -> Turn:
        tools = [
            {"type": "function", "function": {"name": name, "parameters": schema}}
            for name, schema in self.asked.tools.items()
        ]
        asked = {"model": self.to.model, "messages": self.said, "tools": tools, **self.more}
        with OpenAIChat()._client(self.to) as client:
            if stream:
                message = _joined(client.chat.completions.create(**asked, stream=True))
            else:
                got = client.chat.completions.create(**asked)
                message = got.choices[0].message.model_dump(exclude_none=True)
        self.said.append(message)
        calls = [
            (one["id"], one["function"]["name"], json.loads(one["function"]["arguments"] or "{}"))
            for one in message.get("tool_calls") or ()
        ]
        return Turn(message.get("content") or "", calls)


def _joined(chunks: Any) -> Json:
    """The message that chunks make."""
    text, calls = "", dict[int, Json]()
    for chunk in chunks:
        delta = chunk.choices[0].delta
        text += delta.content or ""
        for one in delta.tool_calls or ():
            call = calls.setdefault(one.index, {"type": "function", "id": one.id, "function": {}})
            function = call["function"]
            function["name"] = function.get("name") or one.function.name
            function["arguments"] = function.get("arguments", "") + (one.function.arguments or "")
    message: Json = {"role": "assistant", "content": text}
    return {**message, "tool_calls": list(calls.values())} if calls else message


class ResponsesAgent(Agent):
    """By `openai`'s Responses, keeping nothing with the provider."""

    def give(self, results: Sequence[tuple[str, str, str]]) -> None:
        self.said += [
            {"type": "function_call_output", "call_id": called, "output": text}
            for called, _, text in results
        ]

    def ask(self, *, stream: bool) -> Turn:
        tools = [
            {"type": "function", "name": name, "parameters": schema, "strict": False}
            for name, schema in self.asked.tools.items()
        ]
        asked = {"model": self.to.model, "input": self.said, "tools": tools, "store": False}
        if self.asked.system:
            asked["instructions"] = self.asked.system
        with OpenAIResponses()._client(self.to) as client:
            if stream:
                with client.responses.stream(**asked, **self.more) as events:
                    got = events.get_final_response()
            else:
                got = client.responses.create(**asked, **self.more)
        self.said += [one.model_dump(exclude_none=True) for one in got.output]
        calls = [one for one in got.output if one.type == "function_call"]
        return Turn(
            got.output_text, [(one.call_id, one.name, json.loads(one.arguments)) for one in calls]
        )


class AnthropicAgent(Agent):
    """By `anthropic`. System, tools and the first words of the user are marked for the cache."""

    marks = 0

    def tell(self, text: str) -> None:
        block: Json = {"type": "text", "text": text}
        self.said.append({"role": "user", "content": [block if self.said else self._marked(block)]})

    def _marked(self, block: Json) -> Json:
        self.marks += 1
        return {**block, "cache_control": {"type": "ephemeral"}}

    def give(self, results: Sequence[tuple[str, str, str]]) -> None:
        content = [
            {"type": "tool_result", "tool_use_id": called, "content": text}
            for called, _, text in results
        ]
        self.said.append({"role": "user", "content": content})

    def ask(self, *, stream: bool) -> Turn:
        self.marks = 1
        tools = [{"name": name, "input_schema": one} for name, one in self.asked.tools.items()]
        tools[-1] = self._marked(tools[-1])
        asked: Json = {"model": self.to.model, "max_tokens": 4096, "messages": self.said}
        asked |= {"tools": tools, **self.more}
        if self.asked.system:
            asked["system"] = [self._marked({"type": "text", "text": self.asked.system})]
        with Anthropic()._client(self.to) as client:
            if stream:
                with client.messages.stream(**asked) as events:
                    got = events.get_final_message()
            else:
                got = client.messages.create(**asked)
        content = [block.model_dump(exclude_none=True) for block in got.content]
        self.said.append({"role": "assistant", "content": content})
        calls = [one for one in got.content if one.type == "tool_use"]
        text = "".join(block.text for block in got.content if block.type == "text")
        return Turn(text, [(one.id, one.name, one.input) for one in calls])


class GoogleAgent(Agent):
    """By `google-genai`."""

    def tell(self, text: str) -> None:
        self.said.append({"role": "user", "parts": [{"text": text}]})

    def give(self, results: Sequence[tuple[str, str, str]]) -> None:
        parts = [
            {
                "function_response": {
                    "id": called or None,
                    "name": name,
                    "response": {"output": text},
                }
            }
            for called, name, text in results
        ]
        self.said.append({"role": "user", "parts": parts})

    def ask(self, *, stream: bool) -> Turn:
        declared = [
            {"name": name, "parameters_json_schema": _lower(one)}
            for name, one in self.asked.tools.items()
        ]
        config: Json = {"tools": [{"function_declarations": declared}], **self.more}
        config["automatic_function_calling"] = {"disable": True}
        if self.asked.system:
            config["system_instruction"] = self.asked.system
        asked = {"model": self.to.model, "contents": self.said, "config": config}
        with GoogleGenai()._client(self.to) as client:
            if stream:
                chunks = list(client.models.generate_content_stream(**asked))
            else:
                chunks = [client.models.generate_content(**asked)]
        contents = [chunk.candidates[0].content for chunk in chunks if chunk.candidates]
        parts = [part for content in contents if content for part in content.parts or ()]
        self.said.append({"role": "model", "parts": parts})
        calls = [part.function_call for part in parts if part.function_call]
        text = "".join(part.text or "" for part in parts if not part.thought)
        return Turn(text, [(one.id or "", one.name, one.args or {}) for one in calls])


def _lower(schema: Any) -> Any:
    """A schema whose types are JSON Schema's, as they are OpenAPI's in old recordings."""
    if isinstance(schema, list):
        return [_lower(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: one.lower() if name == "type" and isinstance(one, str) else _lower(one)
        for name, one in schema.items()
    }


AGENTS: dict[str, type[Agent]] = {
    "openai-chat": ChatAgent,
    "openai-responses": ResponsesAgent,
    "anthropic": AnthropicAgent,
    "gemini": GoogleAgent,
}
