"""A Gemini request, read. The model stands in its URL, and so does whether it streams."""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from tierwise.errors import InvalidRequest
from tierwise.wire.conversation import (
    Conversation,
    Foreign,
    Format,
    Sampling,
    Thinking,
    Tool,
    ToolChoice,
)
from tierwise.wire.gemini.fields import Fields, as_json, wrong
from tierwise.wire.gemini.schema import json_schema
from tierwise.wire.gemini.turns import NAME, read_system, read_turns
from tierwise.wire.mistakes import Mistakes
from tierwise.wire.unreadable import UNREADABLE

_MODES = frozenset({"MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"})
_TIERS = {"standard": "default", "unspecified": "auto"}
_A_BODY = '{"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}'
_explained = Mistakes(f"a JSON object such as {_A_BODY}", {}).explained
_decode = msgspec.json.Decoder().decode


def read_request(body: bytes) -> Conversation:
    """What the body of `:generateContent` asks; the model and `stream` are not in it.

    Raises:
        InvalidRequest: it is wrong; names the field, the value and the remedy.
    """
    try:
        return _read(Fields(_decode(body), ""))
    except UNREADABLE as error:
        raise _explained(error, body) from None


def _read(body: Fields) -> Conversation:
    model = (body.text("model") or "").removeprefix("models/")
    system = body.take("systemInstruction")
    turns = [] if system is None else [read_system(system, body.place("systemInstruction"))]
    at = body.place("contents")
    turns.extend(read_turns(body.each("contents"), len(turns)))
    if len(turns) == (system is not None):
        raise InvalidRequest(f"`{at}` is missing or empty. Send {_A_BODY}.", param=at)
    asked = Conversation(dialect=NAME, model=model, turns=tuple(turns))
    own: dict[str, Raw] = {}
    asked = _with_tools(asked, body, own)
    asked = _with_config(asked, body, own)
    safety, labels = body.take("safetySettings"), body.take("labels")
    tier = body.text("serviceTier")
    return replace(
        asked,
        safety=Raw(b"") if safety is None else as_json(safety),
        metadata=Raw(b"") if labels is None else as_json(labels),
        service_tier=None if tier is None else _TIERS.get(tier.lower(), tier.lower()),
        store=body.flag("store"),
        own={**own, **body.rest()},
    )


def _with_tools(asked: Conversation, body: Fields, own: dict[str, Raw]) -> Conversation:
    tools: list[Tool] = []
    foreign: list[Foreign] = []
    for value, at in body.each("tools"):
        fields = Fields(value, at)
        for one, place in fields.each("functionDeclarations"):
            tools.append(_tool(Fields(one, place)))
        foreign += [
            Foreign(origin=NAME, what=name, raw=as_json({name: held}))
            for name, held in fields.left.items()
        ]
    config = body.inner("toolConfig")
    choice = None
    calling = config.inner("functionCallingConfig") if config else None
    if calling is not None:
        choice, strict = _choice(calling)
        if strict:
            tools = [replace(tool, strict=True) for tool in tools]
        own.update(calling.rest("toolConfig.functionCallingConfig."))
    if config is not None:
        own.update(config.rest("toolConfig."))
    return replace(asked, tools=tuple(tools), foreign_tools=tuple(foreign), tool_choice=choice)


def _tool(fields: Fields) -> Tool:
    name = fields.text("name")
    if not name:
        at = fields.place("name")
        raise InvalidRequest(f"`{at}` is missing. Name the function.", param=at)
    schema = fields.take("parametersJsonSchema")
    if schema is None:
        schema = json_schema(fields.take("parameters"))
    return Tool(
        name=name,
        description=fields.text("description"),
        parameters=Raw(b"") if schema is None else as_json(schema),
        hints=fields.rest(),
    )


def _choice(calling: Fields) -> tuple[ToolChoice | None, bool]:
    """Which functions may be called, and whether calls must satisfy their schemas."""
    written = calling.text("mode") or "AUTO"
    mode = written.upper()
    if mode not in _MODES:
        wanted = "one of AUTO, ANY, NONE, VALIDATED"
        raise wrong(calling.place("mode"), written, wanted)
    names = calling.texts("allowedFunctionNames")
    if mode == "ANY":
        return ToolChoice(mode="required", names=names), False
    if mode == "NONE":
        return ToolChoice(mode="none"), False
    if mode == "MODE_UNSPECIFIED" and not names:
        return None, False
    return ToolChoice(mode="auto", names=names), mode == "VALIDATED"


def _with_config(asked: Conversation, body: Fields, own: dict[str, Raw]) -> Conversation:
    config = body.inner("generationConfig")
    if config is None:
        return asked
    before = "generationConfig."
    logprobs = config.flag("responseLogprobs") or False
    top = config.whole("logprobs", 0, 20)
    asked = replace(
        asked,
        sampling=Sampling(
            temperature=config.number("temperature"),
            top_p=config.number("topP"),
            top_k=config.whole("topK", 0),
            seed=config.whole("seed"),
            frequency_penalty=config.number("frequencyPenalty"),
            presence_penalty=config.number("presencePenalty"),
        ),
        max_tokens=config.whole("maxOutputTokens", 1),
        stop=config.texts("stopSequences"),
        choices=config.whole("candidateCount", 1, 128) or 1,
        logprobs=logprobs,
        top_logprobs=top,
        thinking=_thinking(config, own),
        format=_format(config),
    )
    if config.left.get("responseModalities") == ["TEXT"]:
        config.take("responseModalities")  # as it is without saying so
    resolution = config.take("mediaResolution")
    hints = {} if resolution is None else {before + "mediaResolution": as_json(resolution)}
    own.update(config.rest(before))
    return replace(asked, hints=hints)


def _thinking(config: Fields, own: dict[str, Raw]) -> Thinking | None:
    fields = config.inner("thinkingConfig")
    if fields is None:
        return None
    level = (fields.text("thinkingLevel") or "").lower()
    found = Thinking(
        effort=None if level in ("", "thinking_level_unspecified") else level,
        budget=fields.whole("thinkingBudget", -1),
        shown=fields.flag("includeThoughts"),
    )
    own.update(fields.rest("generationConfig.thinkingConfig."))
    return found


def _format(config: Fields) -> Format | None:
    """The form of the answer. Kinds other than JSON are Gemini's own and stay in the rest."""
    kind = config.left.get("responseMimeType")
    if isinstance(kind, str) and kind not in ("application/json", "text/plain"):
        return None
    config.text("responseMimeType")
    schema = config.take("responseJsonSchema")
    if schema is None:
        schema = json_schema(config.take("responseSchema"))
    if schema is not None:
        return Format(kind="schema", schema=as_json(schema))
    return Format(kind="json") if kind == "application/json" else None
