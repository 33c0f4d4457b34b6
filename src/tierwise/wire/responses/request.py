"""`POST /v1/responses`: what is asked, read and written."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import InvalidRequest
from tierwise.wire.conversation import (
    Conversation,
    Format,
    Sampling,
    Text,
    Thinking,
    ToolChoice,
    Turn,
)
from tierwise.wire.effort import effort_of
from tierwise.wire.openai_chat import given
from tierwise.wire.responses.invalid import explained
from tierwise.wire.responses.items import read_items, write_turns
from tierwise.wire.responses.tools import read_choice, read_tools, write_choice, write_tools
from tierwise.wire.responses.words import INSTRUCTIONS, OURS
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
_NOTHING = Raw(b"")


class _Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class _Format(Struct):
    type: str = "text"
    name: str | None = None
    schema: Raw = _NOTHING
    description: str | None = None
    strict: bool | None = None


class _Wording(Struct):
    format: _Format | None = None
    verbosity: str | None = None


class _Request(Struct):
    model: str
    input: str | list[Raw] | None = None
    instructions: str | None = None
    stream: bool | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = _NOTHING
    parallel_tool_calls: bool | None = None
    text: _Wording | None = None
    reasoning: _Reasoning | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: Raw = _NOTHING
    service_tier: str | None = None
    store: bool | None = None
    prompt_cache_key: str | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode
_READ = frozenset(_Request.__struct_fields__)
# They ask for parts of what hosted tools say, for the form of a stream or for a place in a cache,
# or bound how often hosted tools are called.
_HINTS = frozenset(
    {
        "include",
        "max_tool_calls",
        "prompt_cache_options",
        "prompt_cache_retention",
        "stream_options",
        "user",
    }
)
_DEFAULTS = {"background": b"false", "truncation": b'"disabled"'}
"""Fields that ask for nothing with this value."""


def read_request(body: bytes) -> Conversation:
    """What a client asks.

    Raises:
        InvalidRequest: the body is not JSON, or a field is missing or wrong; the message names the
            field and says what to send.
    """
    try:
        check_text(body)
        return _read(_decode_request(body), _decode_fields(body))
    except UNREADABLE as error:
        raise explained(error, body) from None


def _read(request: _Request, fields: dict[str, Raw]) -> Conversation:
    _check(request, fields)
    tools, hosted = read_tools(request.tools or [])
    own = {
        name: value
        for name, value in fields.items()
        if name not in _READ and name not in _HINTS and given(value)
        and bytes(value) != _DEFAULTS.get(name)
    }  # fmt: skip
    include = request.include or []
    return Conversation(
        dialect=OURS,
        model=request.model,
        turns=_turns(request),
        tools=tools,
        foreign_tools=hosted,
        tool_choice=_choice(request, fields, own),
        parallel_tools=request.parallel_tool_calls,
        format=_format(request, fields, own),
        thinking=_thinking(request, fields, own),
        sampling=Sampling(temperature=request.temperature, top_p=request.top_p),
        max_tokens=request.max_output_tokens,
        logprobs=LOGPROBS in include or bool(request.top_logprobs),
        top_logprobs=request.top_logprobs,
        stream=bool(request.stream),
        stream_usage=bool(request.stream),
        user=request.safety_identifier or request.user,
        metadata=request.metadata if given(request.metadata) else _NOTHING,
        service_tier=request.service_tier,
        store=request.store,
        cache_key=request.prompt_cache_key,
        verbosity=request.text.verbosity if request.text is not None else None,
        own=own,
        hints={name: fields[name] for name in fields if name in _HINTS and given(fields[name])},
    )


def _check(request: _Request, fields: dict[str, Raw]) -> None:
    """What the types do not say."""
    limit, top = request.max_output_tokens, request.top_logprobs
    if limit is not None and limit < 1:
        raise InvalidRequest(
            f"`max_output_tokens` is {limit}; it must be at least 1.", param="max_output_tokens"
        )
    if top is not None and not 0 <= top <= 20:
        raise InvalidRequest(
            f"`top_logprobs` is {top}; it must be between 0 and 20.", param="top_logprobs"
        )
    elsewhere = ("instructions", "prompt", "previous_response_id", "conversation")
    if request.input in (None, []) and not any(given(fields.get(n, _NOTHING)) for n in elsewhere):
        raise InvalidRequest(
            "`input` is missing or empty. Send a text, or a list such as "
            '[{"role": "user", "content": "Hello"}].',
            param="input",
        )
    if "conversation" in fields and "previous_response_id" in fields:
        both = [fields["conversation"], fields["previous_response_id"]]
        if all(given(one) for one in both):
            raise InvalidRequest(
                "`previous_response_id` cannot be used together with `conversation`. Leave out one "
                "of them.",
                param="previous_response_id",
            )


def _turns(request: _Request) -> tuple[Turn, ...]:
    turns: tuple[Turn, ...] = ()
    if request.instructions is not None:
        said = (Text(text=request.instructions),)
        turns = (Turn(role="system", parts=said, id=INSTRUCTIONS),)
    if isinstance(request.input, str):
        return (*turns, Turn(role="user", parts=(Text(text=request.input),)))
    return turns + read_items(request.input or [])


def _choice(request: _Request, fields: dict[str, Raw], own: dict[str, Raw]) -> ToolChoice | None:
    if not given(request.tool_choice):
        return None
    choice = read_choice(request.tool_choice)
    if choice is None:
        own["tool_choice"] = fields["tool_choice"]
    return choice


def _thinking(request: _Request, fields: dict[str, Raw], own: dict[str, Raw]) -> Thinking | None:
    asked = request.reasoning
    if asked is None:
        return None
    summary = asked.summary or asked.generate_summary
    if _more(fields["reasoning"], _Reasoning):
        own["reasoning"] = fields["reasoning"]
    if asked.effort is None and summary is None:
        return None
    shown = True if summary is not None else None
    return Thinking(effort=asked.effort, shown=shown, detail=summary)


def _format(request: _Request, fields: dict[str, Raw], own: dict[str, Raw]) -> Format | None:
    if request.text is None:
        return None
    if _more(fields["text"], _Wording):
        own["text"] = fields["text"]
    wanted = request.text.format
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return Format(kind="json")
    if wanted.type != "json_schema":
        own["text"] = fields["text"]
        return None
    if not given(wanted.schema):
        raise InvalidRequest(
            "`text.format.schema` is missing. Send the JSON Schema that the answer must satisfy.",
            param="text.format.schema",
        )
    return Format(
        kind="schema",
        schema=wanted.schema,
        name=wanted.name,
        description=wanted.description,
        strict=wanted.strict,
    )


def _more(raw: Raw, known: type[Struct]) -> bool:
    """Whether an object has more fields than those."""
    return any(
        name not in known.__struct_fields__ and given(value)
        for name, value in _decode_fields(raw).items()
    )


def write_request(asked: Conversation) -> bytes:
    """The body that asks it of a provider of this dialect."""
    ours = asked.dialect == OURS
    body: dict[str, object] = {"model": asked.model}
    turns = asked.turns
    if _is_instruction(turns, ours=ours):
        first = turns[0].parts
        body["instructions"] = "\n\n".join(one.text for one in first if isinstance(one, Text))
        turns = turns[1:]
    body["input"] = write_turns(turns, ours=ours)
    body.update(_parameters(asked))
    if asked.tools or asked.foreign_tools:
        body["tools"] = write_tools(asked)
    if (choice := write_choice(asked)) is not None:
        body["tool_choice"] = choice
    if wording := wording_of(asked):
        body["text"] = wording
    if reasoning := reasoning_of(asked):
        body["reasoning"] = reasoning
    if include := _include(asked, ours=ours):
        body["include"] = include
    if asked.stream:
        body["stream"] = True
    if ours:
        body.update((name, value) for name, value in asked.hints.items() if name != "include")
        body.update((name, value) for name, value in asked.own.items() if name not in body)
    elif asked.store is None:
        # Here alone answers are kept unless one says no.
        body["store"] = False
    return _encode(body)


def _is_instruction(turns: tuple[Turn, ...], *, ours: bool) -> bool:
    if not turns or turns[0].role != "system":
        return False
    if ours:
        return turns[0].id == INSTRUCTIONS
    return len(turns) > 1 and all(isinstance(part, Text) for part in turns[0].parts)


def _parameters(asked: Conversation) -> dict[str, object]:
    found = {
        "max_output_tokens": asked.max_tokens,
        "temperature": asked.sampling.temperature,
        "top_p": asked.sampling.top_p,
        "parallel_tool_calls": asked.parallel_tools,
        "top_logprobs": asked.top_logprobs,
        "service_tier": asked.service_tier,
        "store": asked.store,
        "safety_identifier": asked.user,
        "prompt_cache_key": asked.cache_key,
        "metadata": asked.metadata if given(asked.metadata) else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def wording_of(asked: Conversation) -> object | None:
    """The field `text`; None for none."""
    if asked.dialect == OURS and "text" in asked.own:
        return asked.own["text"]
    wording: dict[str, object] = {}
    if asked.format is not None:
        wording["format"] = _write_format(asked.format)
    if asked.verbosity is not None:
        wording["verbosity"] = asked.verbosity
    return wording or None


def _write_format(wanted: Format) -> dict[str, object]:
    if wanted.kind == "json":
        return {"type": "json_object"}
    written: dict[str, object] = {
        "type": "json_schema",
        "name": wanted.name or "answer",
        "schema": wanted.schema,
    }
    if wanted.strict is not None:
        written["strict"] = wanted.strict
    if wanted.description is not None:
        written["description"] = wanted.description
    return written


def reasoning_of(asked: Conversation) -> object | None:
    """The field `reasoning`; None for none."""
    if asked.dialect == OURS and "reasoning" in asked.own:
        return asked.own["reasoning"]
    thinking = asked.thinking
    if thinking is None:
        return None
    summary = thinking.detail or ("auto" if thinking.shown else None)
    effort = thinking.effort if asked.dialect == OURS else effort_of(thinking)
    found = {"effort": effort, "summary": summary}
    return {name: value for name, value in found.items() if value is not None} or None


def _include(asked: Conversation, *, ours: bool) -> list[str]:
    """What the answer is to hold beside its text.

    A caller of another dialect keeps the conversation itself, and so its thoughts too; models that
    do not think refuse to be asked for them.
    """
    if ours:
        raw = asked.hints.get("include")
        include: list[str] = msgspec.json.decode(raw) if raw is not None else []
    else:
        thinks = asked.thinking is not None and effort_of(asked.thinking) != "none"
        include = [ENCRYPTED] if thinks and not asked.store else []
    if asked.logprobs and LOGPROBS not in include:
        include.append(LOGPROBS)
    return include
