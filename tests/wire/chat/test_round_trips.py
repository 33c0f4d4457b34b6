"""Whatever a client of Chat Completions asks is refused, or comes back as it was."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tierwise.errors import InvalidRequest
from tierwise.wire.chat.dialect import CHAT
from tierwise.wire.conversation import (
    Audio,
    CacheMark,
    Conversation,
    Document,
    Format,
    Image,
    Refusal,
    Sampling,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    Turn,
    Video,
)

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
base64 = st.from_regex(r"([A-Za-z0-9+/]{4}){1,4}", fullmatch=True)
marks = st.none() | st.builds(CacheMark, ttl=st.none() | st.sampled_from(["5m", "1h"]))
schemas = st.sampled_from([Raw(b'{"type":"object"}'), Raw(b'{"a":[1,2.5,null]}')])


def sources(*kinds: str) -> st.SearchStrategy[Source]:
    data = st.builds(Source, data=base64, media_type=st.sampled_from(kinds))
    return data | names.map(lambda name: Source(url=f"https://a.example/{name}"))


texts = st.builds(Text, text=text, cache=marks)
of_users = (
    texts
    | st.builds(Image, source=sources("image/png"), detail=st.none() | st.just("low"), cache=marks)
    | st.builds(Video, source=sources("video/mp4"), cache=marks)
    | st.builds(
        Audio, source=st.builds(Source, data=base64, media_type=st.just("audio/wav")), cache=marks
    )
    | st.builds(Document, source=sources("application/pdf"), name=names, cache=marks)
)
calls = st.builds(ToolCall, id=names, name=names, arguments=text, custom=st.booleans()) | st.builds(
    ToolCall, id=names, name=names, arguments=text, signature=text, origin=st.just("gemini")
)


def parts_of(parts: st.SearchStrategy[Any], least: int = 1) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(parts, min_size=least, max_size=3).map(tuple)


answers = st.tuples(
    parts_of(texts, 0), parts_of(st.builds(Refusal, text=text), 0), parts_of(calls, 0)
).map(lambda found: (*found[0], *found[1][:1], *found[2]))
turns = st.lists(
    st.builds(Turn, role=st.just("user"), parts=parts_of(of_users), name=st.none() | names)
    | st.builds(Turn, role=st.sampled_from(["system", "developer"]), parts=parts_of(texts))
    | st.builds(Turn, role=st.just("assistant"), parts=answers),
    min_size=1,
    max_size=4,
).map(tuple)
tools = st.builds(
    Tool,
    name=names,
    description=st.none() | text,
    parameters=schemas,
    strict=st.none() | st.booleans(),
) | st.builds(Tool, name=names, custom=st.just(True), grammar=schemas)
conversations = st.builds(
    Conversation,
    dialect=st.just("openai-chat"),
    model=text,
    turns=turns,
    tools=st.lists(tools, min_size=1, max_size=3).map(tuple),
    tool_choice=st.none() | st.builds(ToolChoice, mode=st.sampled_from(["auto", "none"])),
    parallel_tools=st.none() | st.booleans(),
    format=st.none()
    | st.just(Format(kind="json"))
    | st.builds(Format, kind=st.just("schema"), schema=schemas, name=names),
    thinking=st.none()
    | st.builds(Thinking, effort=st.sampled_from(["low", "high"]), shown=st.none() | st.booleans()),
    sampling=st.builds(
        Sampling,
        temperature=st.none() | st.floats(0, 2),
        top_k=st.none() | st.integers(1, 100),
        seed=st.none() | st.integers(0, 2**63 - 1),
    ),
    max_tokens=st.none() | st.integers(1, 10**6),
    stop=st.lists(text, max_size=4).map(tuple),
    choices=st.integers(1, 128),
    logprobs=st.booleans(),
    user=st.none() | text,
    store=st.none() | st.booleans(),
    service_tier=st.none() | text,
)


@settings(deadline=None)
@given(conversations)
def test_a_conversation_that_is_written_and_read_is_the_same(asked: Conversation) -> None:
    assert CHAT.read_request(CHAT.write_request(asked)) == asked


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.binary(max_size=50) | json_values.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bodies_are_refused_in_words(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        CHAT.read_request(body)


@settings(deadline=None)
@given(conversations, st.data())
def test_a_body_with_something_else_in_it_is_read_or_refused_in_words(
    asked: Conversation, data: st.DataObject
) -> None:
    body = json.loads(CHAT.write_request(asked))
    place: Any = body
    key: Any = data.draw(st.sampled_from(sorted(body)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        inner = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(inner)))
    place[key] = data.draw(json_values)
    with suppress(InvalidRequest):
        CHAT.write_request(CHAT.read_request(json.dumps(body).encode()))
