"""Requests in OpenAI's Chat Completions dialect, as conversations.

https://platform.openai.com/docs/api-reference/chat/create, and what OpenRouter, Mistral and other
providers of the family add to it.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import InvalidRequest
from tierwise.wire.chat.fields import ABSENT, Fields
from tierwise.wire.chat.messages import Mark, read_turns
from tierwise.wire.chat.thoughts import NAME
from tierwise.wire.chat.wish import decode_wish, thinking_of
from tierwise.wire.conversation import (
    CacheMark,
    Conversation,
    Foreign,
    Format,
    Sampling,
    Tool,
    ToolChoice,
)
from tierwise.wire.openai_mistakes import explained
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

HINTS = (
    "prediction",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "stream_options",
    "usage",
)
"""Fields that make an answer quicker or cheaper, or label it, and change nothing of what it says.

`usage` is OpenRouter's wish for a full count, which everybody gets."""


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Function(Struct):
    name: str
    description: str | None = None
    parameters: Raw = ABSENT
    strict: bool | None = None


class _Custom(Struct):
    name: str
    description: str | None = None
    format: Raw = ABSENT


class _Tool(Struct):
    type: str = "function"
    function: _Function | None = None
    custom: _Custom | None = None
    cache_control: Mark | None = None


class _Named(Struct):
    name: str


class _Allowed(Struct):
    mode: str = "auto"
    tools: list[_Choice] = []


class _Choice(Struct):
    type: str = "function"
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _Allowed | None = None

    @property
    def name(self) -> str | None:
        """The tool that it names."""
        named = self.function or self.custom
        return named.name if named is not None else None


class _Schema(Struct):
    name: str | None = None
    description: str | None = None
    schema: Raw = ABSENT
    strict: bool | None = None


class _Format(Struct):
    type: str = "text"
    json_schema: _Schema | None = None


_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_messages = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_stream = msgspec.json.Decoder(_StreamOptions).decode
_decode_options = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_tools = msgspec.json.Decoder(list[_Tool]).decode
_decode_raws = msgspec.json.Decoder(list[Raw]).decode
_decode_functions = msgspec.json.Decoder(list[_Function]).decode
_decode_choice = msgspec.json.Decoder(str | _Choice).decode
_decode_called = msgspec.json.Decoder(str | _Named).decode
_decode_format = msgspec.json.Decoder(_Format).decode
_decode_stop = msgspec.json.Decoder(str | list[str]).decode
_decode_bias = msgspec.json.Decoder(dict[str, float]).decode
_decode_labels = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_modalities = msgspec.json.Decoder(list[str]).decode
_decode_mark = msgspec.json.Decoder(Mark).decode


def read_request(body: bytes) -> Conversation:
    """What a client asks.

    Raises:
        InvalidRequest: the body is wrong; names the field, the value and the remedy.
    """
    try:
        check_text(body)
        fields = Fields(_decode_fields(body))
    except UNREADABLE as error:
        raise explained(error, body) from None
    model = fields.text("model")
    messages = fields.take("messages", _decode_messages)
    if model is None:
        raise InvalidRequest(
            '`model` is missing. Name a model or a policy, for example "auto"; GET /v1/models '
            "lists them.",
            param="model",
        )
    if not messages:
        raise InvalidRequest(
            f"`messages` is {'missing' if messages is None else 'empty'}. Send at least one "
            'message, for example [{"role": "user", "content": "Hello"}].',
            param="messages",
        )
    turns = read_turns(messages)
    tools, foreign_tools, functions = _tools(fields)
    options = fields.rest.get("stream_options", ABSENT)
    streamed = fields.take("stream_options", _decode_stream)
    mark = fields.take("cache_control", _decode_mark)
    form, other_form = _format(fields)
    if options is not ABSENT and streamed is not None and _more_than_usage(options):
        fields.rest["stream_options"] = options
    hints = {name: raw for name in HINTS if (raw := fields.raw(name)) is not ABSENT}
    return Conversation(
        dialect=NAME,
        model=model,
        turns=turns,
        tools=tools,
        foreign_tools=foreign_tools,
        tool_choice=_choice(fields),
        parallel_tools=fields.yes("parallel_tool_calls"),
        format=form,
        thinking=thinking_of(
            fields.take("reasoning", decode_wish), fields.text("reasoning_effort")
        ),
        sampling=_sampling(fields),
        max_tokens=_limit(fields),
        stop=_stop(fields),
        choices=_count(fields),
        logprobs=bool(fields.yes("logprobs")),
        top_logprobs=fields.whole("top_logprobs"),
        stream=bool(fields.yes("stream")),
        stream_usage=bool(streamed is not None and streamed.include_usage),
        user=_user(fields, hints),
        metadata=_object(fields, "metadata"),
        service_tier=fields.text("service_tier"),
        store=fields.yes("store"),
        cache=CacheMark(ttl=mark.ttl) if mark is not None else None,
        cache_key=fields.text("prompt_cache_key"),
        verbosity=fields.text("verbosity"),
        functions=functions,
        hints=hints,
        own=_own(fields, other_form),
    )


def _more_than_usage(options: Raw) -> bool:
    return _decode_options(options).keys() - {"include_usage"} != set()


def _tools(fields: Fields) -> tuple[tuple[Tool, ...], tuple[Foreign, ...], bool]:
    """Tools, those that only this dialect knows, and whether the client calls them functions."""
    raw = fields.rest.get("tools", ABSENT)
    tools: list[Tool] = []
    foreign: list[Foreign] = []
    raws: list[Raw] = []
    for index, tool in enumerate(fields.take("tools", _decode_tools) or ()):
        cache = CacheMark(ttl=tool.cache_control.ttl) if tool.cache_control is not None else None
        if tool.type == "function" and tool.function is not None:
            tools.append(_function(tool.function, cache))
        elif tool.type == "custom" and tool.custom is not None:
            custom = tool.custom
            tools.append(
                Tool(
                    name=custom.name,
                    description=custom.description,
                    custom=True,
                    grammar=custom.format,
                    cache=cache,
                )
            )
        elif tool.type in ("function", "custom"):
            path = f"tools[{index}].{tool.type}"
            raise InvalidRequest(f"`{path}` is missing. Describe the tool there.", param=path)
        else:
            raws = raws or _decode_raws(raw)
            foreign.append(Foreign(origin=NAME, what=f"tools.{tool.type}", raw=raws[index]))
    functions = fields.take("functions", _decode_functions) or ()
    tools += (_function(one, None) for one in functions)
    return tuple(tools), tuple(foreign), bool(functions)


def _function(function: _Function, cache: CacheMark | None) -> Tool:
    return Tool(
        name=function.name,
        description=function.description,
        parameters=function.parameters,
        strict=function.strict,
        cache=cache,
    )


def _choice(fields: Fields) -> ToolChoice | None:
    """`tool_choice`, or `function_call` as it was before there were tools."""
    before = fields.take("function_call", _decode_called)
    chosen: str | _Choice | _Named | None = fields.take("tool_choice", _decode_choice)
    if chosen is None:
        chosen = before
    if chosen is None:
        return None
    if isinstance(chosen, _Named):
        return ToolChoice(mode="required", names=(chosen.name,))
    if isinstance(chosen, str):
        return _mode(chosen, "tool_choice")
    if chosen.allowed_tools is not None:
        names = [one.name for one in chosen.allowed_tools.tools]
        mode = _mode(chosen.allowed_tools.mode, "tool_choice.allowed_tools.mode").mode
        return ToolChoice(mode=mode, names=tuple(name for name in names if name is not None))
    if chosen.name is None:
        raise InvalidRequest(
            "`tool_choice.function` is missing. Name the function that is to be called.",
            param="tool_choice.function",
        )
    return ToolChoice(mode="required", names=(chosen.name,))


def _mode(word: str, path: str) -> ToolChoice:
    match word:
        case "auto" | "none" | "required":
            return ToolChoice(mode=word)
        case "any":  # Mistral's word
            return ToolChoice(mode="required")
    raise InvalidRequest(
        f'`{path}` is {word!r}. Use "auto", "none" or "required", or name a tool.', param=path
    )


def _format(fields: Fields) -> tuple[Format | None, Raw]:
    """The form of the answer; and its JSON, if only this dialect knows it (such as grammars)."""
    raw = fields.rest.get("response_format", ABSENT)
    wanted = fields.take("response_format", _decode_format)
    if wanted is None or wanted.type == "text":
        return None, ABSENT
    if wanted.type == "json_object":
        return Format(kind="json"), ABSENT
    if wanted.type != "json_schema":
        return None, raw
    schema = wanted.json_schema
    if schema is None or bytes(schema.schema) in (b"", b"null"):
        raise InvalidRequest(
            "`response_format.json_schema.schema` is missing. Send the JSON Schema that the "
            "answer must satisfy.",
            param="response_format.json_schema.schema",
        )
    return Format(
        kind="schema",
        schema=schema.schema,
        name=schema.name,
        description=schema.description,
        strict=schema.strict,
    ), ABSENT


def _sampling(fields: Fields) -> Sampling:
    bias = fields.rest.get("logit_bias", ABSENT)
    return Sampling(
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.whole("top_k"),
        seed=fields.whole("seed"),
        frequency_penalty=fields.number("frequency_penalty"),
        presence_penalty=fields.number("presence_penalty"),
        logit_bias=bias if fields.take("logit_bias", _decode_bias) else ABSENT,
    )


def _limit(fields: Fields) -> int | None:
    """The most tokens that the caller wants, under either name of the field."""
    before = fields.whole("max_tokens")
    limit, name = fields.whole("max_completion_tokens"), "max_completion_tokens"
    if limit is None:
        limit, name = before, "max_tokens"
    if limit is not None and limit < 1:
        raise InvalidRequest(f"`{name}` is {limit}; it must be at least 1.", param=name)
    return limit


def _stop(fields: Fields) -> tuple[str, ...]:
    stop = fields.take("stop", _decode_stop)
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def _count(fields: Fields) -> int:
    count = fields.whole("n")
    if count is not None and not 1 <= count <= 128:
        raise InvalidRequest(f"`n` is {count}; it must be between 1 and 128.", param="n")
    return count or 1


def _user(fields: Fields, hints: dict[str, Raw]) -> str | None:
    """`user`, or its newer name, which is written back as it came."""
    user = fields.text("user")
    if user is not None or "safety_identifier" not in hints:
        return user
    return Fields({"safety_identifier": hints["safety_identifier"]}).text("safety_identifier")


def _object(fields: Fields, name: str) -> Raw:
    raw = fields.rest.get(name, ABSENT)
    return raw if fields.take(name, _decode_labels) else ABSENT


def _own(fields: Fields, other_form: Raw) -> dict[str, Raw]:
    """What no other dialect has a word for."""
    raw = fields.rest.get("modalities", ABSENT)
    modalities = fields.take("modalities", _decode_modalities)
    own = fields.left()
    if modalities not in (None, [], ["text"]):
        own["modalities"] = raw
    if bytes(other_form):
        own["response_format"] = other_form
    return own
