"""A glance at a request tells what reading all of it tells, or nothing."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.recorded import recordings
from tierwise.errors import InvalidRequest
from tierwise.types import Message, Part, Task
from tierwise.wire.dialect import dialect_named
from tierwise.wire.translate import read_task, task_of

DIALECTS = ("anthropic", "openai-responses", "gemini")
_PACKAGES = {"openai-responses": "responses"}
FOLDER = Path(
    os.environ.get("TIERWISE_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "cassettes")
)
LOADED = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


def glance(dialect: str) -> Callable[[bytes], Task | None]:
    found: Callable[[bytes], Task | None] = import_module(
        f"tierwise.wire.{_PACKAGES.get(dialect, dialect)}.glance"
    ).glance
    return found


def whole(dialect: str, body: bytes) -> Task | None:
    """By reading all of it; None if that is refused."""
    try:
        return task_of(dialect_named(dialect).read_request(body), body)
    except InvalidRequest:
        return None


def of_some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


TEXTS = st.sampled_from(["", "Hello", "Grüße", "x" * 9])
ANYTHING = st.sampled_from([None, "", "a", 0, -1, 40.0, True, [], {}, [None], {"type": "text"}])
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
EFFORTS = st.sampled_from(["none", "minimal", "low", "high", None, ""])
SOURCES = st.sampled_from(
    [
        {"type": "base64", "media_type": "image/png", "data": "aGk="},
        {"type": "url", "url": "https://x"},
        {"type": "file", "file_id": "f"},
        {"type": "base64"},
        {"type": "text", "media_type": "text/plain", "data": "words"},
        {"type": "content", "content": "words"},
        {"type": "new"},
    ]
)
INNER = (
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS)
    | st.builds(lambda source: {"type": "image", "source": source}, SOURCES)
    | st.builds(lambda source: {"type": "document", "source": source}, SOURCES)
)
BLOCKS = INNER | st.sampled_from(
    [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "s"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}},
        {"type": "server_tool_use", "id": "t", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "t", "content": {"type": "error"}},
        {"type": "search_result", "source": "https://x", "title": "t", "content": []},
    ]
)
RESULTS = st.builds(
    lambda content: {"type": "tool_result", "tool_use_id": "t", **content},
    of_some(content=TEXTS | st.lists(INNER, max_size=2) | st.none()),
)
ANTHROPIC = st.builds(
    lambda messages, more: {"model": "m", "max_tokens": 9, "messages": messages, **more},
    st.lists(
        st.builds(
            lambda role, content: {"role": role, "content": content},
            st.sampled_from(["user", "user", "assistant", "system", "tool"]),
            TEXTS | st.lists(BLOCKS | RESULTS, max_size=4),
        ),
        max_size=4,
    ),
    of_some(
        system=TEXTS | st.lists(INNER, max_size=2),
        stream=st.booleans() | st.none(),
        max_tokens=st.integers(-1, 2),
        tools=st.lists(st.just({"name": "f", "input_schema": SCHEMA}), max_size=1),
        thinking=st.builds(
            lambda kind, budget: {"type": kind, **budget},
            st.sampled_from(["enabled", "adaptive", "disabled", "new"]),
            of_some(budget_tokens=st.sampled_from([0, 1024, None])),
        ),
        output_config=of_some(
            effort=EFFORTS, format=st.just({"type": "json_schema", "schema": SCHEMA}) | st.none()
        ),
        output_format=st.sampled_from([{"type": "json_schema", "schema": SCHEMA}, {"type": "x"}]),
    ),
)
PIECES = st.lists(
    st.builds(
        lambda kind, text: {"type": kind, "text": text},
        st.sampled_from(["input_text", "output_text", "text"]),
        TEXTS,
    )
    | st.sampled_from(
        [
            {"type": "refusal", "refusal": "no"},
            {"type": "input_image", "image_url": "https://x"},
            {"type": "input_image", "file_id": "f", "detail": "low"},
            {"type": "input_image"},
            {"type": "input_file", "file_url": "https://x"},
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        ]
    ),
    max_size=3,
)
ITEMS = st.builds(
    lambda role, content, more: {"role": role, "content": content, **more},
    st.sampled_from(["user", "assistant", "assistant", "system", "developer", "tool"]),
    TEXTS | PIECES,
    of_some(type=st.just("message"), id=st.just("i"), phase=st.just("p")),
) | st.sampled_from(
    [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "d", "name": "f", "arguments": "{}", "id": "i"},
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": []},
        {"type": "reasoning", "id": "r", "summary": []},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "e"},
        {"type": "web_search_call", "id": "w", "status": "completed"},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "x"}},
        {"type": "shell_call_output", "call_id": "c", "output": []},
        {"id": "reference"},
        {"type": "item_reference", "id": "r"},
    ]
)
RESPONSES = st.builds(
    lambda asked, more: {"model": "m", "input": asked, **more},
    TEXTS | st.lists(ITEMS, max_size=6),
    of_some(
        instructions=TEXTS,
        stream=st.booleans(),
        max_output_tokens=st.integers(0, 2),
        top_logprobs=st.integers(-1, 2),
        include=st.just(["message.output_text.logprobs"]),
        tools=st.lists(st.just({"type": "web_search"}), max_size=1),
        reasoning=of_some(effort=EFFORTS, summary=st.just("auto")),
        text=of_some(
            format=st.sampled_from(
                [
                    {"type": "text"},
                    {"type": "json_object"},
                    {"type": "json_schema", "name": "n", "schema": SCHEMA},
                    {"type": "json_schema"},
                    {"type": "grammar"},
                ]
            )
        ),
        previous_response_id=st.just("r"),
        conversation=st.just("c") | st.none(),
    ),
)
GOOGLE_PARTS = st.builds(lambda text: {"text": text}, TEXTS) | st.sampled_from(
    [
        {"text": "hm", "thought": True},
        {"text": "signed", "thoughtSignature": "s"},
        {"functionCall": {"name": "f", "args": {"a": 1}}},
        {"functionResponse": {"name": "f", "response": {"output": "done"}}},
        {"functionResponse": {"name": "f", "response": {"error": {"code": 1.5}}}},
        {"functionResponse": {"name": "f", "response": {"a": [1, "ü", None]}, "id": "i"}},
        {"functionResponse": {"name": "f", "response": {}, "willContinue": True}},
        {"functionResponse": {"response": {}}},
        {"functionResponse": {"name": "f"}},
        {"function_response": {"name": "f", "response": {"output": "done"}}},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"inline_data": {"mime_type": "audio/wav", "data": "aGk="}},
        {"fileData": {"fileUri": "https://x/a.pdf"}},
        {"executableCode": {"code": "1"}},
        {"text": "a", "functionCall": {"name": "f"}},
        {},
    ]
)
USUAL_PARTS = st.sampled_from(
    [
        {"text": "Hello"},
        {"text": "hm", "thought": True},
        {"functionCall": {"name": "f", "args": {"a": 1}}},
        {"functionResponse": {"name": "f", "response": {"output": "done"}}},
        {"functionResponse": {"name": "f", "response": {"a": [1, "ü", None]}, "id": "i"}},
    ]
)
USUAL = st.builds(
    lambda contents, more: {"contents": contents, **more},
    st.lists(
        st.builds(
            lambda role, parts: {"role": role, "parts": parts},
            st.sampled_from(["user", "model"]),
            st.lists(USUAL_PARTS, max_size=4),
        ),
        min_size=1,
        max_size=3,
    ),
    of_some(
        systemInstruction=st.just({"parts": [{"text": "Be brief."}]}),
        generationConfig=of_some(
            maxOutputTokens=st.just(5),
            candidateCount=st.just(2),
            thinkingConfig=of_some(
                thinkingLevel=st.sampled_from(["LOW", "MINIMAL"]),
                thinkingBudget=st.sampled_from([-1, 0, 512]),
            ),
        ),
        tools=st.just([{"functionDeclarations": [{"name": "f"}]}]),
    ),
)
CONTENTS = st.builds(
    lambda parts, more: {"parts": parts, **more},
    st.lists(GOOGLE_PARTS, max_size=4),
    of_some(role=st.sampled_from(["user", "model", "function", "system", None])),
)
CONFIG = of_some(
    maxOutputTokens=st.sampled_from([0, 5, 40.0]),
    max_output_tokens=st.just(7),
    candidateCount=st.sampled_from([0, 1, 2]),
    responseLogprobs=st.booleans(),
    responseMimeType=st.sampled_from(["application/json", "text/plain"]),
    responseJsonSchema=st.just(SCHEMA),
    thinkingConfig=of_some(
        thinkingLevel=st.sampled_from(["LOW", "minimal", "", "THINKING_LEVEL_UNSPECIFIED"]),
        thinkingBudget=st.sampled_from([-2, -1, 0, 512]),
        thinking_budget=st.just(0),
        includeThoughts=st.booleans(),
    ),
    temperature=st.just(0.5),
)
GEMINI = st.builds(
    lambda contents, more: {"contents": contents, **more},
    st.lists(CONTENTS, max_size=3) | CONTENTS,
    of_some(
        model=st.just("models/m"),
        systemInstruction=TEXTS | CONTENTS,
        system_instruction=TEXTS,
        generationConfig=CONFIG,
        generation_config=CONFIG,
        tools=st.lists(
            st.sampled_from(
                [
                    {},
                    {"functionDeclarations": []},
                    {"functionDeclarations": [{"name": "f"}]},
                    {"googleSearch": {}},
                    {"googleSearch": None},
                ]
            ),
            max_size=2,
        ),
    ),
)
BODIES = {"anthropic": ANTHROPIC, "openai-responses": RESPONSES, "gemini": USUAL | GEMINI}


@st.composite
def mutated(draw: st.DrawFn, bodies: st.SearchStrategy[Any]) -> Any:
    """A body in which something is something else, or gone."""
    body = json.loads(json.dumps(draw(bodies)))  # what it is made of is shared
    place = body
    while place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        if draw(st.booleans()):
            place[key] = draw(ANYTHING)
        else:
            del place[key]
        break
    return body


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_glance_tells_what_a_whole_reading_tells_or_nothing(dialect: str) -> None:
    seen: Counter[bool] = Counter()

    @LOADED
    @given(BODIES[dialect] | mutated(BODIES[dialect]))
    def check(asked: Any) -> None:
        body = json.dumps(asked, ensure_ascii=False).encode()
        glanced, read = glance(dialect)(body), whole(dialect, body)
        if read is not None:
            seen[glanced is not None] += 1
            assert glanced in (None, read)

    check()
    assert seen[True] > 20, "nothing was compared"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_asked_is_the_same_whether_a_glance_told_or_not(dialect: str) -> None:
    @LOADED
    @given(BODIES[dialect])
    def check(asked: Any) -> None:
        body = json.dumps(asked).encode()
        read = whole(dialect, body)
        if read is not None:
            assert read_task(dialect, body) == read

    check()


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"there are no recordings at {FOLDER}")
def test_recorded_requests_are_glanced_at_as_they_are_read() -> None:
    seen: dict[str, Counter[bool]] = {dialect: Counter() for dialect in DIALECTS}
    for recording in recordings(FOLDER):
        for one in recording.interactions:
            for dialect in DIALECTS:
                read = whole(dialect, one.asked)
                if read is not None:
                    glanced = glance(dialect)(one.asked)
                    assert glanced in (None, read), recording.name
                    seen[dialect][glanced is not None] += 1
    for dialect, told in seen.items():
        assert told[True] > told[False], dialect


@pytest.mark.parametrize(
    ("dialect", "asked", "messages"),
    [
        (
            "anthropic",
            {
                "model": "m",
                "max_tokens": 9,
                "system": "Be brief.",
                "messages": [
                    {"role": "user", "content": "Hello"},
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "And?"},
                            {"type": "tool_result", "tool_use_id": "t", "content": "42"},
                        ],
                    },
                ],
            },
            [("system", "Be brief."), ("user", "Hello"), ("tool", "42"), ("user", "And?")],
        ),
        (
            "openai-responses",
            {
                "model": "m",
                "instructions": "Be brief.",
                "input": [
                    {"role": "user", "content": "Hello"},
                    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "c", "output": "42"},
                ],
            },
            [("system", "Be brief."), ("user", "Hello"), ("assistant", []), ("tool", "42")],
        ),
        (
            "gemini",
            {
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "Hello"}, {"text": "there"}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
                    {
                        "role": "user",
                        "parts": [
                            {"functionResponse": {"name": "f", "response": {"output": "42"}}}
                        ],
                    },
                ],
            },
            [
                ("system", "Be brief."),
                ("user", [Part("text", "Hello"), Part("text", "there")]),
                ("assistant", []),
                ("tool", "42"),
            ],
        ),
    ],
)
def test_a_glance_sees_the_turns(dialect: str, asked: Any, messages: list[Any]) -> None:
    task = glance(dialect)(json.dumps(asked).encode())
    assert task is not None
    assert task.messages == [Message(role, content) for role, content in messages]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"model": "\\ud800"}', b"\xff", b'{"a":' * 3000, b'{"contents": []}'],
)
def test_what_is_no_request_is_refused_as_ever(dialect: str, body: bytes) -> None:
    assert glance(dialect)(body) is None
    with pytest.raises(InvalidRequest):
        read_task(dialect, body)
