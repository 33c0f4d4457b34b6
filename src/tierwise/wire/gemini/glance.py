"""A glance at requests of `:generateContent`: see `wire.glance`.

Usual is what Google's own clients write: names in camelCase, lists where lists are meant. Media and
forms of answers are left to a whole reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from tierwise.types import Message, Part, Task
from tierwise.wire.gemini.turns import NAME
from tierwise.wire.glance import Unusual, said, thinks
from tierwise.wire.openai_chat import given
from tierwise.wire.unreadable import UNREADABLE

_ROLES = {None: "user", "user": "user", "model": "assistant", "function": "user", "tool": "user"}
_OF_RESULTS = frozenset({"id", "name", "response"})
_LISTS = frozenset({"functionDeclarations", "function_declarations"})
_encode = msgspec.json.Encoder().encode
_Elsewhere = Raw | UnsetType
"""What is here is left to a whole reading."""


class _Part(Struct):
    text: str | None = None
    thought: bool | None = None
    functionCall: Raw = Raw(b"")
    functionResponse: dict[str, Any] | None = None
    inlineData: _Elsewhere = UNSET
    fileData: _Elsewhere = UNSET
    function_call: _Elsewhere = UNSET
    function_response: _Elsewhere = UNSET
    inline_data: _Elsewhere = UNSET
    file_data: _Elsewhere = UNSET


class _Content(Struct):
    role: str | None = None
    parts: list[_Part] | None = None


class _Thinking(Struct):
    thinkingLevel: str | None = None
    thinkingBudget: int | None = None
    thinking_level: _Elsewhere = UNSET
    thinking_budget: _Elsewhere = UNSET


class _Config(Struct):
    maxOutputTokens: int | None = None
    candidateCount: int | None = None
    responseLogprobs: bool | None = None
    thinkingConfig: _Thinking | None = None
    responseMimeType: _Elsewhere = UNSET
    responseSchema: _Elsewhere = UNSET
    responseJsonSchema: _Elsewhere = UNSET
    max_output_tokens: _Elsewhere = UNSET
    candidate_count: _Elsewhere = UNSET
    response_logprobs: _Elsewhere = UNSET
    thinking_config: _Elsewhere = UNSET
    response_mime_type: _Elsewhere = UNSET
    response_schema: _Elsewhere = UNSET
    response_json_schema: _Elsewhere = UNSET


class _Request(Struct):
    contents: list[_Content]
    model: str | None = None
    systemInstruction: str | _Content | None = None
    tools: list[dict[str, Raw]] | None = None
    generationConfig: _Config | None = None
    system_instruction: _Elsewhere = UNSET
    generation_config: _Elsewhere = UNSET


_decode = msgspec.json.Decoder(_Request).decode
_ELSEWHERE: dict[type[Struct], tuple[UnsetType, ...]] = {
    kind: tuple(UNSET for one in msgspec.structs.fields(kind) if one.default is UNSET)
    for kind in (_Part, _Thinking, _Config, _Request)
}
"""What the last fields of an object are where nothing is left to a whole reading."""


def glance(body: bytes) -> Task | None:
    """The task that a body asks, model and stream left to its URL; None where only a whole reading
    tells."""
    try:
        return _task(_decode(body), body)
    except (*UNREADABLE, Unusual):
        return None


def _task(asked: _Request, body: bytes) -> Task:
    _usual(asked)
    config = asked.generationConfig or _Config()
    _usual(config)
    limit, choices = config.maxOutputTokens, config.candidateCount
    if not asked.contents or (limit is not None and limit < 1):
        raise Unusual
    if choices is not None and not 1 <= choices <= 128:
        raise Unusual
    return Task(
        body=body,
        dialect=NAME,
        model=(asked.model or "").removeprefix("models/"),
        messages=list(_messages(asked)),
        max_output_tokens=limit,
        choices=choices or 1,
        tools=any(_declares(tool) for tool in asked.tools or ()),
        logprobs=bool(config.responseLogprobs),
        reasoning=_reasons(config.thinkingConfig),
    )


def _usual(asked: Struct) -> None:
    """Raises `Unusual` where something of it is left to a whole reading."""
    nothing = _ELSEWHERE[type(asked)]
    if msgspec.structs.astuple(asked)[-len(nothing) :] != nothing:
        raise Unusual


def _messages(asked: _Request) -> Iterator[Message]:
    system = asked.systemInstruction
    if isinstance(system, str):
        yield Message("system", system)
    elif system is not None:
        yield said("system", [one for part in system.parts or () for one in _heard(part)])
    for content in asked.contents:
        if content.role not in _ROLES:
            raise Unusual
        yield from _turns(content, _ROLES[content.role])


def _turns(content: _Content, role: str) -> Iterator[Message]:
    """Results of tools are turns of their own."""
    parts: list[Part] = []
    results = any_before = False
    for part in content.parts or ():
        is_result = part.functionResponse is not None
        if any_before and is_result != results:
            yield said("tool" if results else role, parts)
            parts = []
        results, any_before = is_result, True
        parts += _heard(part)
    yield said("tool" if results else role, parts)


def _heard(part: _Part) -> list[Part]:
    """What analysis reads of a part."""
    _usual(part)
    result = part.functionResponse
    calls = given(part.functionCall)
    if (part.text is not None) + calls + (result is not None) != 1:
        raise Unusual
    if part.text is not None:
        return [] if part.thought else [Part("text", part.text)]
    return [] if result is None else _given_by(result)


def _given_by(result: dict[str, Any]) -> list[Part]:
    """What a tool gave: see `turns`."""
    response, name = result.get("response"), result.get("name")
    if not result.keys() <= _OF_RESULTS or not isinstance(name, str) or not name:
        raise Unusual
    if response is None:
        return []
    if not isinstance(response, dict):
        raise Unusual
    if len(response) == 1:
        key, value = next(iter(response.items()))
        if isinstance(value, str) and key in ("error", "output"):
            return [Part("text", value)]
        if key == "error":
            return [Part("text", _encode(value).decode())]
    return [Part("text", _encode(response).decode())]


def _declares(tool: dict[str, Raw]) -> bool:
    """Whether there is a tool in an object of `tools`."""
    return any(
        given(value) and not (name in _LISTS and not bytes(value).strip(b"[] \t\r\n"))
        for name, value in tool.items()
    )


def _reasons(thinking: _Thinking | None) -> bool:
    if thinking is None:
        return False
    _usual(thinking)
    level, budget = (thinking.thinkingLevel or "").lower(), thinking.thinkingBudget
    if budget is not None and budget < -1:
        raise Unusual
    effort = None if level in ("", "thinking_level_unspecified") else level
    return thinks(effort, budget)
