"""Whatever a client of Gemini asks is refused, or comes back as it was."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tierwise.errors import InvalidRequest
from tierwise.wire.conversation import (
    Conversation,
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
from tierwise.wire.gemini import GEMINI

HELLO = {"role": "user", "parts": [{"text": "Hello"}]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)
FULL: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "s"}]},
    "contents": [
        HELLO,
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"parts": [{"functionResponse": {"name": "f", "response": {"a": 1}, "parts": []}}]},
        {"parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]},
        {"parts": [{"fileData": {"fileUri": "gs://x"}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "generationConfig": {
        "topK": 1,
        "stopSequences": ["x"],
        "thinkingConfig": {"thinkingBudget": 1},
        "responseSchema": {"anyOf": [{"type": "STRING"}]},
        "responseMimeType": "application/json",
    },
    "safetySettings": [],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for name, one in value.items():
            found += places(one, (*path, name))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            found += places(one, (*path, index))
    return found


@given(st.sampled_from(places(FULL)), JSON)
@settings(max_examples=400, deadline=None)
def test_a_body_with_anything_in_any_place_is_read_or_refused(
    place: tuple[Any, ...], value: Any
) -> None:
    body = json.loads(json.dumps(FULL))
    holder = body
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    try:
        asked = GEMINI.read_request(json.dumps(body).encode())
    except InvalidRequest:
        return
    again = GEMINI.read_request(GEMINI.write_request(asked))
    assert again.own == asked.own


@given(JSON | st.binary(max_size=20))
@settings(max_examples=200, deadline=None)
def test_anything_is_read_or_refused(value: Any) -> None:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    with contextlib.suppress(InvalidRequest):
        GEMINI.read_request(body)


WORDS = st.text(min_size=1, max_size=8)
NAMES = st.text("abcdef_", min_size=1, max_size=6)
SIGNED = st.none() | st.just("c2ln")


@st.composite
def turns(draw: st.DrawFn) -> tuple[Turn, ...]:
    """Turns of alternating sides, calls with their results."""
    made: list[Turn] = []
    if draw(st.booleans()):
        made.append(Turn(role="system", parts=(Text(text=draw(WORDS)),)))
    for number in range(draw(st.integers(1, 3))):
        source = Source(media_type="image/png", data="AA==")
        said: list[Part] = [Text(text=draw(WORDS))]
        if draw(st.booleans()):
            said.append(Image(source=source))
        made.append(Turn(role="user", parts=tuple(said)))
        signature = draw(SIGNED)
        origin = "gemini" if signature else ""
        parts: list[Part] = [Text(text=draw(WORDS), signature=signature, origin=origin)]
        if draw(st.booleans()):
            parts.insert(0, Reasoning(text=draw(WORDS), origin="gemini", summary=True))
        calls = draw(st.lists(NAMES, max_size=2))
        ids = [f"id_{number}_{place}" for place in range(len(calls))]
        for known, name in zip(ids, calls, strict=True):
            call = ToolCall(
                id=known, name=name, arguments='{"a":1}', signature=signature, origin=origin
            )
            parts.append(call)
        made.append(Turn(role="assistant", parts=tuple(parts)))
        if calls:
            results = tuple(
                ToolResult(
                    call_id=known,
                    name=name,
                    parts=(Text(text="said " + draw(WORDS)),),
                    failed=draw(st.booleans()),
                )
                for known, name in zip(ids, calls, strict=True)
            )
            made.append(Turn(role="tool", parts=results))
            made.append(Turn(role="assistant", parts=(Text(text="so"),)))
    return tuple(made)


FRACTIONS = st.none() | st.floats(0, 1)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    tools = tuple(
        Tool(name=name, description=draw(st.none() | WORDS), parameters=Raw(b'{"type":"object"}'))
        for name in draw(st.lists(NAMES, max_size=2, unique=True))
    )
    choices = [None, ToolChoice(), ToolChoice(mode="none"), ToolChoice(mode="required")]
    logprobs = draw(st.booleans())
    return Conversation(
        dialect="gemini",
        model="",
        turns=draw(turns()),
        tools=tools,
        tool_choice=draw(st.sampled_from(choices)) if tools else None,
        format=draw(
            st.sampled_from(
                [None, Format(kind="json"), Format(kind="schema", schema=Raw(b'{"a":1}'))]
            )
        ),
        thinking=draw(
            st.sampled_from([None, Thinking(effort="low"), Thinking(budget=0, shown=True)])
        ),
        sampling=Sampling(
            temperature=draw(FRACTIONS),
            top_p=draw(FRACTIONS),
            top_k=draw(st.none() | st.integers(1, 100)),
            seed=draw(st.none() | st.integers(-5, 5)),
            presence_penalty=draw(FRACTIONS),
            frequency_penalty=draw(FRACTIONS),
        ),
        max_tokens=draw(st.none() | st.integers(1, 9)),
        stop=draw(st.sampled_from([(), ("a", "b")])),
        choices=draw(st.integers(1, 3)),
        logprobs=logprobs,
        top_logprobs=draw(st.none() | st.integers(0, 5)) if logprobs else None,
        service_tier=draw(st.sampled_from([None, "default", "flex", "priority"])),
        own=draw(st.sampled_from([{}, {"cachedContent": Raw(b'"x"')}])),
    )


@given(conversations())
@settings(max_examples=200, deadline=None)
def test_a_conversation_is_read_as_it_was_written(asked: Conversation) -> None:
    assert GEMINI.read_request(GEMINI.write_request(asked)) == asked
