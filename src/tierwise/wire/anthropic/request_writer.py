"""Writes requests of `POST /v1/messages`.

Instructions of other dialects all go into `system`, in order, wherever in the conversation they
stood: a turn of the role `system` between others is known only to models since Claude Opus 4.8, and
nobody here knows which one will answer. One that an Anthropic client put there itself stays.

Without `max_tokens`, which Anthropic requires and others do not, none is written: the adapter that
knows the model puts it in.

Effort: `output_config.effort`. An effort of another dialect asks for thoughts, so that `thinking`
is `adaptive` beside it where the API allows that.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from tierwise.wire.anthropic.blocks import NAME, write_blocks, write_mark
from tierwise.wire.anthropic.schema import closed
from tierwise.wire.conversation import Conversation, Thinking, Tool
from tierwise.wire.openai_chat import given
from tierwise.wire.unreadable import UNREADABLE

_EFFORTS = {"minimal": "low"}
"""Words of others for an effort, as Anthropic says them."""
_LEAST_BUDGET = 1024
"""Anthropic's least tokens to think with."""
_MODES = {"auto": "auto", "none": "none", "required": "any"}

_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


def write_request(asked: Conversation) -> bytes:
    """The body that asks it of Anthropic; what has no word there is left out."""
    system, messages = _write_turns(asked)
    body: dict[str, object] = {"model": asked.model}
    if asked.max_tokens is not None:
        body["max_tokens"] = asked.max_tokens
    if system:
        body["system"] = system
    body["messages"] = messages
    body.update(_write_tools(asked))
    body.update(_write_thinking(asked))
    body.update(_write_sampling(asked))
    if asked.stop:
        body["stop_sequences"] = asked.stop
    if asked.user is not None:
        body["metadata"] = {"user_id": asked.user}
    if asked.service_tier in ("auto", "default"):
        body["service_tier"] = "auto" if asked.service_tier == "auto" else "standard_only"
    if asked.cache is not None:
        body["cache_control"] = write_mark(asked.cache)
    if asked.stream:
        body["stream"] = True
    if asked.dialect == NAME:
        body.update({name: raw for name, raw in asked.own.items() if "." not in name})
    return _encode(body)


def _write_sampling(asked: Conversation) -> dict[str, object]:
    """How words are drawn.

    Models from 4.1 on refuse `temperature` beside `top_p`. Clients of other dialects often send
    both, and of the two 1 asks for nothing.
    """
    sampling = asked.sampling
    found = {
        name: value
        for name in ("temperature", "top_p", "top_k")
        if (value := getattr(sampling, name)) is not None
    }
    if asked.dialect != NAME and {"temperature", "top_p"} <= found.keys():
        if found["top_p"] == 1:
            del found["top_p"]
        elif found["temperature"] == 1:
            del found["temperature"]
    return found


def _write_turns(asked: Conversation) -> tuple[list[object], list[dict[str, object]]]:
    system: list[object] = []
    messages: list[dict[str, object]] = []
    for turn in asked.turns:
        content = write_blocks(turn.parts, asking=True)
        if turn.role in ("system", "developer"):
            if messages and asked.dialect == NAME:
                messages.append({"role": "system", "content": content})
            else:
                system += content
            continue
        if not content:
            continue
        role = "assistant" if turn.role == "assistant" else "user"
        last = messages[-1] if messages else None
        if last is not None and last["role"] == role:
            last["content"] = _joined(last["content"], content)
        else:
            messages.append({"role": role, "content": content})
    if not messages and system:
        # Instructions alone are a prompt for others; here somebody has to say something.
        return [], [{"role": "user", "content": system}]
    if messages and messages[-1]["role"] == "assistant":
        _without_end_blanks(messages[-1]["content"])
    return system, messages


def _joined(first: object, more: list[object]) -> list[object]:
    """The content of two turns of the same side; results of tools have to come first."""
    assert isinstance(first, list)  # noqa: S101 - as it was made above
    both = [*first, *more]
    return sorted(both, key=lambda one: not _is_result(one))


def _is_result(block: object) -> bool:
    return isinstance(block, dict) and block["type"] == "tool_result"


def _without_end_blanks(content: object) -> None:
    """The API refuses an answer's beginning that ends with blanks."""
    last = content[-1] if isinstance(content, list) else None
    if isinstance(last, dict) and last["type"] == "text":
        last["text"] = last["text"].rstrip() or "."


def _write_tools(asked: Conversation) -> Iterator[tuple[str, object]]:
    choice = asked.tool_choice
    allowed = choice.names if choice is not None else ()
    narrowed = len(allowed) > 1 or (allowed and choice is not None and choice.mode != "required")
    tools: list[object] = [
        _write_tool(tool, asked)
        for tool in asked.tools
        if not tool.custom and (not narrowed or tool.name in allowed)
    ]
    tools += [tool.raw for tool in asked.foreign_tools if tool.origin == NAME]
    if not tools:
        return
    yield "tools", tools
    written: dict[str, object] = {}
    if choice is not None:
        written["type"] = _MODES[choice.mode]
        if len(allowed) == 1 and choice.mode == "required":
            written = {"type": "tool", "name": allowed[0]}
    if asked.parallel_tools is not None and written.get("type") != "none":
        written.setdefault("type", "auto")
        written["disable_parallel_tool_use"] = not asked.parallel_tools
    if written:
        yield "tool_choice", written


def _write_tool(tool: Tool, asked: Conversation) -> dict[str, object]:
    ours = asked.dialect == NAME
    out: dict[str, object] = {"name": tool.name}
    if tool.description is not None:
        out["description"] = tool.description
    schema = _object_schema(tool.parameters)
    out["input_schema"] = closed(schema) if tool.strict and not ours else schema
    if tool.strict is not None and (ours or tool.strict):
        out["strict"] = tool.strict
    if tool.cache is not None:
        out["cache_control"] = write_mark(tool.cache)
    if ours:
        out.update(tool.hints)
    return out


def _object_schema(parameters: Raw) -> Raw:
    """The schema of a tool's arguments, which has to say that it is an object's."""
    fields: dict[str, Raw] = {}
    if given(parameters):
        try:
            fields = _decode_fields(parameters)
        except UNREADABLE:
            return parameters
    if "type" in fields:
        return parameters
    return Raw(_encode({"type": "object", "properties": {}, **fields}))


def _write_thinking(asked: Conversation) -> Iterator[tuple[str, object]]:
    thinking = asked.thinking
    output: dict[str, object] = {}
    if asked.dialect == NAME:
        prefix = "output_config."
        for name, raw in asked.own.items():
            if name.startswith(prefix):
                output[name.removeprefix(prefix)] = raw
    if thinking is not None:
        effort = _EFFORTS.get(thinking.effort or "", thinking.effort)
        if effort is not None and effort != "none":
            output["effort"] = effort
        config = _thinking_config(asked, thinking)
        if config is not None:
            yield "thinking", config
    if asked.format is not None and asked.format.kind == "schema":
        schema = asked.format.schema
        schema = schema if asked.dialect == NAME else closed(schema)
        output["format"] = {"type": "json_schema", "schema": schema}
    if output:
        yield "output_config", output


def _thinking_config(asked: Conversation, thinking: Thinking) -> dict[str, object] | None:
    config: dict[str, object]
    if thinking.budget == 0 or (thinking.budget is None and thinking.effort == "none"):
        return {"type": "disabled"}
    if thinking.budget is not None and thinking.budget > 0:
        config = {"type": "enabled", "budget_tokens": max(_LEAST_BUDGET, thinking.budget)}
    elif thinking.budget is None and (asked.dialect == NAME or _keeps_from_thinking(asked)):
        return None
    else:
        config = {"type": "adaptive"}
    if thinking.shown is not None:
        config["display"] = "summarized" if thinking.shown else "omitted"
    return config


def _keeps_from_thinking(asked: Conversation) -> bool:
    """Whether the API refuses thoughts beside what else is asked: forced tools, temperature and
    `top_k` (platform.claude.com, "Extended thinking", "Feature compatibility")."""
    choice, sampling = asked.tool_choice, asked.sampling
    if choice is not None and choice.mode == "required":
        return True
    return sampling.temperature not in (None, 1) or sampling.top_k is not None
