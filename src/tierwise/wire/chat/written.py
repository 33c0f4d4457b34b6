"""Conversations, as requests in OpenAI's Chat Completions dialect."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from tierwise.wire.chat.thoughts import NAME
from tierwise.wire.chat.turns import Json, write_mark, write_turns
from tierwise.wire.conversation import Conversation, Foreign, Format, Thinking, Tool, ToolChoice
from tierwise.wire.effort import effort_of
from tierwise.wire.openai_chat import given

_encode = msgspec.json.Encoder().encode
_TIERS = {"standard_only": "default"}


def write_request(asked: Conversation) -> bytes:
    """The body that asks it of a provider of this dialect.

    Of another dialect's conversation, all that no provider must understand is left out.
    """
    own = asked.dialect == NAME
    body: Json = {"model": asked.model, "messages": write_turns(asked.turns, own=own)}
    body.update(_tools(asked, own=own))
    if asked.format is not None:
        body["response_format"] = _format(asked.format)
    body.update(_sampling(asked))
    if asked.thinking is not None:
        body.update(_own_thinking(asked.thinking) if own else _effort(asked.thinking))
    if asked.max_tokens is not None:
        body["max_tokens"] = asked.max_tokens
    if asked.stop:
        body["stop"] = asked.stop
    if asked.choices > 1:
        body["n"] = asked.choices
    if asked.logprobs:
        body["logprobs"] = True
    if asked.top_logprobs is not None and (own or asked.logprobs):
        # OpenAI refuses it alone, even where it asks for none.
        body["top_logprobs"] = asked.top_logprobs
    if asked.stream:
        body["stream"] = True
        if asked.stream_usage or not own:
            body["stream_options"] = {"include_usage": True}
    body.update(_labels(asked, own=own))
    if own:
        body.update(asked.hints)
        body.update(asked.own)
    return _encode(body)


def _labels(asked: Conversation, *, own: bool) -> Json:
    """What says whose the request is, and where it is kept."""
    body: Json = {}
    if asked.user is not None and not (own and "safety_identifier" in asked.hints):
        body["user"] = asked.user
    if asked.store is not None and (own or asked.store):
        body["store"] = asked.store
    # OpenAI takes labels only for what it stores.
    if given(asked.metadata) and (own or asked.store):
        body["metadata"] = asked.metadata
    if asked.service_tier is not None:
        tier = asked.service_tier
        body["service_tier"] = tier if own else _TIERS.get(tier, tier)
    if asked.cache_key is not None:
        body["prompt_cache_key"] = asked.cache_key
    if asked.verbosity is not None:
        body["verbosity"] = asked.verbosity
    if asked.cache is not None:
        body.update(write_mark(asked.cache))
    return body


def _tools(asked: Conversation, *, own: bool) -> Json:
    tools: list[Json | Raw] = [_tool(tool) for tool in asked.tools]
    tools += _foreign(asked.foreign_tools) if own else ()
    body: Json = {"tools": tools} if tools else {}
    if asked.tool_choice is not None and (tools or own):
        body["tool_choice"] = _choice(asked.tool_choice, asked.tools)
    if asked.parallel_tools is not None and (tools or own):
        body["parallel_tool_calls"] = asked.parallel_tools
    return body


def _foreign(tools: tuple[Foreign, ...]) -> list[Raw]:
    return [tool.raw for tool in tools if tool.origin == NAME]


def _tool(tool: Tool) -> Json:
    described: Json = {"name": tool.name}
    if tool.description is not None:
        described["description"] = tool.description
    written: Json
    if tool.custom:
        if given(tool.grammar):
            described["format"] = tool.grammar
        written = {"type": "custom", "custom": described}
    else:
        if given(tool.parameters):
            described["parameters"] = tool.parameters
        if tool.strict is not None:
            described["strict"] = tool.strict
        written = {"type": "function", "function": described}
    if tool.cache is not None:
        written.update(write_mark(tool.cache))
    return written


def _choice(choice: ToolChoice, tools: tuple[Tool, ...]) -> str | Json:
    if not choice.names or choice.mode == "none":
        return choice.mode
    custom = {tool.name for tool in tools if tool.custom}
    named: list[Json] = []
    for name in choice.names:
        kind = "custom" if name in custom else "function"
        named.append({"type": kind, kind: {"name": name}})
    if choice.mode == "required" and len(named) == 1:
        return named[0]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": named}}


def _format(wanted: Format) -> Json:
    if wanted.kind == "json":
        return {"type": "json_object"}
    # OpenAI wants a name; not every dialect has one.
    schema: Json = {"name": wanted.name or "answer", "schema": wanted.schema}
    if wanted.description is not None:
        schema["description"] = wanted.description
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}


def _sampling(asked: Conversation) -> Json:
    sampling = asked.sampling
    body: Json = {
        name: value
        for name in (
            "temperature",
            "top_p",
            "top_k",
            "seed",
            "frequency_penalty",
            "presence_penalty",
        )
        if (value := getattr(sampling, name)) is not None
    }
    if given(sampling.logit_bias):
        body["logit_bias"] = sampling.logit_bias
    return body


def _own_thinking(thinking: Thinking) -> Json:
    """OpenAI's word, or OpenRouter's object where that was used or more is said."""
    body: Json = {}
    wish: Json = {}
    if thinking.effort is not None and thinking.named is None:
        body["reasoning_effort"] = thinking.effort
    elif thinking.effort is not None:
        wish["effort"] = thinking.effort
    if thinking.budget == -1 or (thinking.budget == 0 and thinking.effort is None):
        wish["enabled"] = thinking.budget == -1
    elif thinking.budget is not None:
        wish["max_tokens"] = thinking.budget
    if thinking.shown is not None:
        wish["exclude"] = not thinking.shown
    if thinking.detail is not None:
        wish["summary"] = thinking.detail
    if wish:
        body["reasoning"] = wish
    return body


def _effort(thinking: Thinking) -> Json:
    """A word for it: no provider of this family but OpenRouter takes a count."""
    effort = effort_of(thinking)
    return {"reasoning_effort": effort} if effort is not None else {}
