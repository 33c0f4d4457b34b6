"""What the Messages API can express survives it, and no body brings the reader down."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from messages_api import TOOL, a_body, a_call, asked
from tierwise.errors import InvalidRequest, TierwiseError
from tierwise.types import Usage
from tierwise.wire.anthropic import ANTHROPIC
from tierwise.wire.anthropic.request_reader import read_request
from tierwise.wire.conversation import (
    CacheMark,
    Conversation,
    Document,
    Foreign,
    Format,
    Image,
    Part,
    Reasoning,
    Sampling,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from tierwise.wire.spoken import (
    Began,
    Choice,
    Counted,
    Ended,
    Event,
    Finish,
    ReasoningPiece,
    Spoken,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

LOADED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No time counts on a machine that does something else as well."""
TEXTS = st.text(min_size=1, max_size=20)
IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
MARKS = st.none() | st.builds(CacheMark, ttl=st.sampled_from([None, "5m", "1h"]))
VALUES = st.dictionaries(TEXTS, st.integers() | TEXTS | st.none(), max_size=3)
OBJECTS = VALUES.map(json.dumps)
SCHEMAS = st.just(Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}'))
SOURCES = (
    st.builds(Source, media_type=st.just("image/png"), data=st.just("aGk="))
    | st.builds(Source, url=TEXTS)
    | st.builds(Source, file_id=TEXTS)
)
SAID = st.builds(Text, text=TEXTS, cache=MARKS)
IMAGES = st.builds(Image, source=SOURCES, cache=MARKS)
DOCUMENTS = st.builds(
    Document, source=SOURCES, name=st.none() | TEXTS, context=st.none() | TEXTS, cited=st.booleans()
) | st.builds(Document, source=st.just(Source(media_type="text/plain")), text=TEXTS)
SEARCH_RESULT = Raw(b'{"type":"search_result"}')
FOREIGN = st.just(Foreign(origin="anthropic", what="search_result", raw=SEARCH_RESULT))
FORMATS = st.builds(Format, kind=st.just("schema"), schema=SCHEMAS, strict=st.just(True))
THOUGHTS = st.builds(
    Reasoning, text=TEXTS, signature=TEXTS, origin=st.just("anthropic")
) | st.builds(Reasoning, redacted=TEXTS, origin=st.just("anthropic"))
CALLS = st.builds(ToolCall, id=IDS, name=IDS, arguments=OBJECTS, cache=MARKS)
RESULTS = st.builds(
    ToolResult,
    call_id=IDS,
    parts=st.lists(SAID | IMAGES, max_size=2).map(tuple),
    failed=st.booleans(),
    cache=MARKS,
)


def turns(role: str, parts: st.SearchStrategy[Part]) -> st.SearchStrategy[Turn]:
    return st.builds(
        Turn, role=st.just(role), parts=st.lists(parts, min_size=1, max_size=3).map(tuple)
    )


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    said = [draw(turns("system", SAID))] if draw(st.booleans()) else []
    said.append(draw(turns("user", SAID | IMAGES | DOCUMENTS | FOREIGN)))
    for _ in range(draw(st.integers(0, 2))):
        said.append(draw(turns("assistant", SAID | THOUGHTS | CALLS | FOREIGN)))
        if draw(st.booleans()):
            said.append(draw(turns("tool", RESULTS)))
        if said[-1].role == "assistant" or draw(st.booleans()):
            said.append(draw(turns("user", SAID | IMAGES)))
    tools = draw(
        st.lists(
            st.builds(
                Tool,
                name=IDS,
                description=st.none() | TEXTS,
                parameters=SCHEMAS,
                strict=st.none() | st.booleans(),
                cache=MARKS,
            ),
            max_size=2,
        )
    )
    choices = st.none() | st.builds(ToolChoice, mode=st.sampled_from(["auto", "none", "required"]))
    efforts = st.sampled_from(["low", "high"])
    budgets = st.none() | st.sampled_from([-1, 0, 1024, 5000])
    thinking = st.none() | st.builds(Thinking, effort=efforts, budget=budgets)
    stream = draw(st.booleans())
    return Conversation(
        dialect="anthropic",
        model=draw(TEXTS),
        turns=tuple(said),
        tools=tuple(tools),
        tool_choice=draw(choices) if tools else None,
        format=draw(st.none() | FORMATS),
        thinking=draw(thinking),
        sampling=draw(
            st.builds(
                Sampling,
                temperature=st.none() | st.floats(0, 1),
                top_p=st.none() | st.floats(0, 1),
                top_k=st.none() | st.integers(1, 500),
            )
        ),
        max_tokens=draw(st.integers(1, 64_000)),
        stop=tuple(draw(st.lists(TEXTS, max_size=2))),
        stream=stream,
        stream_usage=stream,
        user=draw(st.none() | TEXTS),
        service_tier=draw(st.sampled_from([None, "auto", "default"])),
        cache=draw(MARKS),
        own=draw(st.sampled_from([{}, {"container": Raw(b'"c"')}])),
    )


@LOADED
@given(conversations())
def test_a_conversation_survives_the_dialect(conversation: Conversation) -> None:
    assert ANTHROPIC.read_request(ANTHROPIC.write_request(conversation)) == conversation


USAGES = st.builds(
    Usage,
    input_tokens=st.integers(300, 900),
    output_tokens=st.integers(100, 200),
    cached_input_tokens=st.integers(0, 100),
    cache_write_tokens=st.integers(0, 100),
    reasoning_tokens=st.integers(0, 100),
)
FINISHES: list[Finish] = ["stop", "length", "tool_calls", "refusal", "pause", "stop_sequence"]


@LOADED
@given(
    st.lists(SAID.map(lambda text: Text(text=text.text)) | THOUGHTS | FOREIGN, min_size=1),
    st.lists(CALLS.map(lambda call: msgspec.structs.replace(call, cache=None))),
    st.sampled_from(FINISHES),
    USAGES,
)
def test_an_answer_survives_the_dialect(
    parts: list[Part], calls: list[Part], finish: Finish, usage: Usage
) -> None:
    if calls:
        finish = "tool_calls"
    choice = Choice(parts=(*parts, *calls), finish=finish)
    spoken = Spoken(id="i", model="m", choices=(choice,), usage=usage, origin="anthropic")
    read = ANTHROPIC.read_reply(ANTHROPIC.write_reply(spoken, asked()))
    assert read.usage == usage
    (got,) = read.choices
    assert got.finish == finish
    assert got.parts == choice.parts


STREAMED: st.SearchStrategy[Event] = (
    st.builds(TextPiece, text=TEXTS)
    | st.builds(ReasoningPiece, text=TEXTS, begins=st.booleans(), origin=st.just("gemini"))
)  # fmt: skip
STREAMED_CALLS = st.lists(st.tuples(IDS, IDS, st.lists(TEXTS, min_size=1, max_size=3)), max_size=3)


@LOADED
@given(
    st.lists(STREAMED),
    STREAMED_CALLS,
    st.randoms(use_true_random=False),
    USAGES,
    st.integers(1, 40),
)
def test_a_stream_says_the_same_again_wherever_it_is_cut(
    said: list[Event], calls: list[tuple[str, str, list[str]]], random: Any, usage: Usage, cut: int
) -> None:
    pieces = [ToolPiece(call=n, arguments=more) for n, call in enumerate(calls) for more in call[2]]
    random.shuffle(pieces)
    events: list[Event] = [
        Began(id="i", model="m", usage=Usage(input_tokens=300)),
        *said,
        *(ToolBegan(call=n, id=call[0], name=call[1]) for n, call in enumerate(calls)),
        *pieces,
        Ended(finish="tool_calls" if calls else "stop"),
        Counted(usage=usage),
    ]
    writer, reader = ANTHROPIC.event_writer(asked(stream=True)), ANTHROPIC.event_reader()
    written = b""
    for start in range(0, len(events), cut):
        written += writer.write(events[start : start + cut])
    written += writer.close()
    blocks = [block + b"\n\n" for block in written.split(b"\n\n") if block]
    read = [event for block in blocks for event in reader.read(block)]
    assert summary(read) == summary(events)


def summary(events: list[Event]) -> Any:
    text, thought = "", ""
    calls: dict[int, list[str]] = {}
    usage, finish = None, None
    for event in events:
        match event:
            case TextPiece():
                text += event.text
            case ReasoningPiece():
                thought += event.text
            case ToolBegan():
                calls[event.call] = [event.id, event.name, ""]
            case ToolPiece():
                calls[event.call][2] += event.arguments
            case Counted():
                usage = event.usage
            case Ended():
                finish = event.finish
            case _:
                pass
    return text, thought, calls, usage, finish


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PIECES = [{"type": "text", "text": "piece"}]
WHOLE = json.loads(
    a_body(
        [
            {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]},
            {"role": "assistant", "content": [a_call(a=1), {"type": "new"}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "text", "text": "r"}],
                    },
                    {"type": "document", "source": {"type": "content", "content": PIECES}},
                ],
            },
        ],
        system=[{"type": "text", "text": "s"}],
        tools=[TOOL, {"type": "web_search_20250305", "name": "w"}],
        tool_choice={"type": "tool", "name": "weather"},
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"effort": "low", "format": {"type": "json_schema", "schema": {}}},
        metadata={"user_id": "u"},
    )
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(found for key, one in inner for found in places(one, (*path, key)))]


PLACES = [path for path in places(WHOLE) if path]


def changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = body.copy()
    copy[path[0]] = changed(body[path[0]], path[1:], value)
    return copy


def only_refused(body: bytes) -> None:
    """It is read, and written for others and its own; or it is refused in words."""
    try:
        read = read_request(body)
    except InvalidRequest:
        return
    ANTHROPIC.write_request(read)
    ANTHROPIC.write_request(msgspec.structs.replace(read, dialect="openai-chat"))


def test_the_body_that_is_broken_here_is_good_before() -> None:
    assert len(read_request(json.dumps(WHOLE).encode()).turns) == 5


@settings(LOADED, max_examples=300)
@given(st.sampled_from(PLACES), JSON)
def test_a_body_with_anything_anywhere_is_read_or_refused(
    path: tuple[Any, ...], value: Any
) -> None:
    only_refused(json.dumps(changed(WHOLE, path, value)).encode())


@settings(LOADED, max_examples=300)
@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    only_refused(body)


@settings(LOADED, max_examples=300)
@given(st.data())
def test_a_body_with_broken_bytes_is_read_or_refused(data: st.DataObject) -> None:
    whole = json.dumps(WHOLE).encode()
    at = data.draw(st.integers(0, len(whole)))
    noise = st.binary(min_size=1, max_size=4) | st.just(b'"\\ud83d"') | st.just(b"\\udc00")
    only_refused(whole[:at] + data.draw(noise) + whole[at + data.draw(st.integers(0, 3)) :])


@settings(LOADED, max_examples=300)
@given(
    st.lists(
        JSON.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n")
        | st.binary()
        | st.sampled_from(["content_block_start", "content_block_delta", "message_delta"]).flatmap(
            lambda kind: st.fixed_dictionaries(
                {"type": st.just(kind)},
                optional={
                    "index": st.integers(0, 2),
                    "delta": st.dictionaries(
                        st.sampled_from(["type", "text", "partial_json", "citation", "x"]), JSON
                    ),
                    "content_block": st.fixed_dictionaries(
                        {"type": st.sampled_from(["text", "tool_use", "thinking", "new"])},
                        optional={"text": JSON, "id": JSON, "name": JSON, "input": JSON},
                    ),
                    "usage": JSON,
                },
            ).map(lambda event: b"data: " + json.dumps(event).encode() + b"\n\n")
        ),
        max_size=4,
    )
)
def test_any_stream_is_read_or_refused(blocks: list[bytes]) -> None:
    reader, writer = ANTHROPIC.event_reader(), ANTHROPIC.event_writer(asked(stream=True))
    try:
        for block in blocks:
            writer.write(reader.read(block))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TierwiseError):
        return
    assert writer.close().endswith(b'{"type":"message_stop"}\n\n')
