"""Whatever is asked is written as Converse takes it."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from converse import read_back
from tierwise.wire.bedrock import BEDROCK
from tierwise.wire.bedrock.fit import fitted
from tierwise.wire.bedrock.turns import call_id
from tierwise.wire.conversation import (
    Audio,
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
    Video,
)
from tierwise.wire.features import features_of


def said(role: Any, *parts: Part | str) -> Turn:
    return Turn(
        role=role,
        parts=tuple(Text(text=part) if isinstance(part, str) else part for part in parts),
    )


def asked(*turns: Turn, **fields: Any) -> Conversation:
    return Conversation(dialect="openai-chat", model="m", turns=turns, **fields)


def written(conversation: Conversation) -> Any:
    return json.loads(BEDROCK.write_request(conversation))


def test_the_system_stands_apart_wherever_it_speaks() -> None:
    body = written(
        asked(
            said("system", "one"), said("user", "hi"), said("developer", "two"), said("user", "?")
        )
    )
    assert body == {
        "system": [{"text": "one"}, {"text": "two"}],
        "messages": [{"role": "user", "content": [{"text": "hi"}, {"text": "?"}]}],
    }


def test_results_come_first_in_the_users_turn() -> None:
    call = ToolCall(id="t1", name="f", arguments='{"a": 1}')
    body = written(
        asked(
            said("user", "hi"),
            said("assistant", "so", call),
            said("user", "by the way"),
            said("tool", ToolResult(call_id="t1", parts=(Text(text="7"),), failed=True)),
            tools=(Tool(name="f"),),
        )
    )
    assert body["messages"][1]["content"] == [
        {"text": "so"},
        {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}},
    ]
    result = {"toolUseId": "t1", "content": [{"text": "7"}], "status": "error"}
    assert body["messages"][2]["content"] == [{"toolResult": result}, {"text": "by the way"}]
    assert body["toolConfig"]["tools"] == [
        {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
    ]


def test_calls_of_tools_that_are_offered_no_more_still_have_one() -> None:
    """Bedrock refuses a conversation with calls and without `toolConfig`."""
    body = written(asked(said("assistant", ToolCall(id="1", name="f", arguments=""))))
    assert [one["toolSpec"]["name"] for one in body["toolConfig"]["tools"]] == ["f"]
    assert body["messages"][0]["content"][0]["toolUse"]["input"] == {}


def test_blank_texts_are_left_out_and_something_is_always_said() -> None:
    assert written(asked(said("user", " \n"), said("assistant", "")))["messages"] == [
        {"role": "user", "content": [{"text": "."}]}
    ]
    result = ToolResult(call_id="1", parts=(Text(text=""),))
    content = written(asked(said("tool", result)))["messages"][0]["content"]
    assert content[0]["toolResult"]["content"] == [{"text": "."}]


def test_media_have_formats_and_bytes_or_a_place_in_s3() -> None:
    data = Source(media_type="image/jpeg", data="/9j/AA==")
    unknown = Source(data="iVBORw0KGgo=")
    place = Source(media_type="video/quicktime", url="s3://bucket/film.mov")
    body = written(
        asked(
            said(
                "user",
                Image(source=data),
                Image(source=unknown),
                Video(source=place),
                Audio(source=Source(media_type="audio/mpeg", data="AAAA")),
            )
        )
    )
    assert body["messages"][0]["content"] == [
        {"image": {"format": "jpeg", "source": {"bytes": "/9j/AA=="}}},
        {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
        {"video": {"format": "mov", "source": {"s3Location": {"uri": "s3://bucket/film.mov"}}}},
        {"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}},
    ]


def test_documents_have_names_of_their_own_and_a_text_beside_them() -> None:
    pdf = Source(media_type="application/pdf", data="AA==")
    named = Document(source=pdf, name="Q3_results (final).pdf", cited=True, context="finance")
    plain = Document(source=Source(), text="größe")
    body = written(asked(said("user", named, named, plain, Document(source=pdf))))
    *documents, text = body["messages"][0]["content"]
    assert text == {"text": "."}
    assert [one["document"]["name"] for one in documents] == [
        "Q3 results (final)",
        "Q3 results (final) 2",
        "Document 3",
        "Document 4",
    ]
    assert documents[0]["document"]["citations"] == {"enabled": True}
    assert documents[0]["document"]["context"] == "finance"
    assert documents[2]["document"]["format"] == "txt"
    assert base64.b64decode(documents[2]["document"]["source"]["bytes"]).decode() == "größe"


def test_only_claudes_own_thoughts_are_given_back() -> None:
    thoughts = (
        Reasoning(text="signed", signature="s", origin="anthropic"),
        Reasoning(redacted="sealed", origin="anthropic"),
        Reasoning(text="unsigned", origin="bedrock"),
        Reasoning(text="others", signature="s", origin="gemini"),
        Reasoning(redacted="others", origin="openai-responses"),
    )
    body = written(asked(said("user", "hi"), said("assistant", *thoughts, "so")))
    assert body["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "signed", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": base64.b64encode(b"sealed").decode()}},
        {"text": "so"},
    ]


def test_cache_marks_follow_what_they_mark() -> None:
    mark = CacheMark(ttl="1h")
    body = written(
        asked(
            said("system", Text(text="s", cache=CacheMark())),
            said("tool", ToolResult(call_id="1", parts=(), cache=mark)),
            said("user", "a", Text(text="b", cache=mark), "c"),
            tools=(Tool(name="f", cache=CacheMark()), Tool(name="g")),
            cache=CacheMark(),
        )
    )
    assert body["system"][1] == {"cachePoint": {"type": "default"}}
    kinds = [next(iter(block)) for block in body["messages"][0]["content"]]
    assert kinds == ["toolResult", "cachePoint", "text", "text", "cachePoint", "text", "cachePoint"]
    assert body["messages"][0]["content"][1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert [next(iter(tool)) for tool in body["toolConfig"]["tools"]] == [
        "toolSpec",
        "cachePoint",
        "toolSpec",
    ]


def test_a_cache_point_never_follows_a_document_at_once() -> None:
    pdf = Source(media_type="application/pdf", data="AA==")
    document = Document(source=pdf, cache=CacheMark())
    content = written(asked(said("user", document, Text(text="", cache=CacheMark()))))
    kinds = [next(iter(block)) for block in content["messages"][0]["content"]]
    assert kinds == ["document", "text", "cachePoint", "text", "cachePoint"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice(mode="auto"), None),
        (ToolChoice(mode="required"), {"any": {}}),
        (ToolChoice(mode="required", names=("f",)), {"tool": {"name": "f"}}),
    ],
)
def test_the_choice_of_tools(choice: ToolChoice, expected: Any) -> None:
    body = written(asked(said("user", "hi"), tools=(Tool(name="f"),), tool_choice=choice))
    assert body["toolConfig"].get("toolChoice") == expected


def test_parameters_stand_where_converse_has_them() -> None:
    body = written(
        asked(
            said("user", "hi"),
            sampling=Sampling(temperature=0.5, top_p=0.9, top_k=20),
            max_tokens=100,
            stop=("END",),
            thinking=Thinking(effort="high", budget=2048),
            format=Format(kind="schema", schema=Raw(b'{"type": "object"}'), name="n"),
            metadata=Raw(b'{"team": "x"}'),
            service_tier="flex",
        )
    )
    assert body.pop("messages")
    assert body == {
        "inferenceConfig": {
            "temperature": 0.5, "topP": 0.9, "maxTokens": 100, "stopSequences": ["END"],
        },
        "additionalModelRequestFields": {
            "top_k": 20, "thinking": {"type": "enabled", "budget_tokens": 2048},
        },
        "outputConfig": {
            "effort": "high",
            "textFormat": {
                "type": "json_schema",
                "structure": {
                    "jsonSchema": {
                        "schema": '{"type":"object","additionalProperties":false}', "name": "n",
                    }
                },
            },
        },
        "requestMetadata": {"team": "x"},
        "serviceTier": {"type": "flex"},
    }  # fmt: skip


def test_schemas_that_must_be_kept_to_are_such_as_bedrock_takes() -> None:
    schema = Raw(b'{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}')
    strict = Tool(name="f", parameters=schema, strict=True)
    loose = Tool(name="g", parameters=schema)
    tools = written(asked(said("user", "hi"), tools=(strict, loose)))["toolConfig"]["tools"]
    told, free = (tool["toolSpec"]["inputSchema"]["json"] for tool in tools)
    assert told["additionalProperties"] is False
    assert told["properties"]["a"] == {"type": "integer", "description": "{minimum: 1}"}
    assert free == json.loads(bytes(schema))


@pytest.mark.parametrize(
    "metadata", [b'{"a": 1}', b'{"a": "\xc3\xa4"}', b"[]", b"null", b'{"%s": "x"}' % (b"k" * 300)]
)
def test_labels_that_bedrock_does_not_take_are_left_out(metadata: bytes) -> None:
    assert "requestMetadata" not in written(asked(said("user", "hi"), metadata=Raw(metadata)))


@pytest.mark.parametrize("effort", ["none", "minimal"])
def test_no_effort_is_no_word(effort: str) -> None:
    body = written(asked(said("user", "hi"), thinking=Thinking(effort=effort)))
    assert "outputConfig" not in body


def test_what_only_others_know_is_left_out() -> None:
    piece = Foreign(origin="anthropic", what="server_tool_use", raw=Raw(b'{"type": "x"}'))
    body = written(asked(said("assistant", piece, "so")))
    assert body["messages"] == [{"role": "assistant", "content": [{"text": "so"}]}]


@pytest.mark.parametrize("arguments", ["[1]", "{", "words", '"x"', "null"])
def test_arguments_that_are_no_object_are_handed_on_within_one(arguments: str) -> None:
    call = ToolCall(id="1", name="f", arguments=arguments)
    content = written(asked(said("assistant", call)))["messages"][0]["content"]
    assert content[0]["toolUse"]["input"] == {"arguments": arguments}


@settings(deadline=None)
@given(st.text())
def test_ids_are_always_what_bedrock_takes(theirs: str) -> None:
    import re

    assert re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", call_id(theirs))
    assert call_id(theirs) == call_id(theirs)


def test_different_ids_stay_different() -> None:
    assert call_id("a/b") != call_id("a_b") != call_id("a|b") != call_id("a/b")
    assert call_id("x" * 80) != call_id("x" * 81)


TEXTS = st.text(min_size=1).filter(str.strip)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
MARKS = st.none() | st.builds(CacheMark, ttl=st.none() | st.sampled_from(["5m", "1h"]))
SPOKEN = st.builds(Text, text=TEXTS, cache=MARKS)
PICTURES = st.builds(
    Image,
    source=st.builds(
        Source,
        media_type=st.sampled_from(["image/png", "image/jpeg", "image/gif", "image/webp"]),
        data=st.binary().map(lambda data: base64.b64encode(data).decode()),
    ),
    cache=MARKS,
)
CALLS = st.builds(
    ToolCall,
    id=NAMES,
    name=NAMES,
    arguments=st.dictionaries(st.text(), st.integers() | st.text()).map(json.dumps),
)
THOUGHTS = st.builds(
    Reasoning, text=st.text(), signature=st.text(min_size=1), origin=st.just("anthropic")
) | st.builds(Reasoning, redacted=st.text(min_size=1), origin=st.just("anthropic"))
RESULTS = st.builds(
    ToolResult,
    call_id=NAMES,
    parts=st.lists(st.builds(Text, text=TEXTS) | PICTURES.map(lambda one: replace(one, cache=None)),
                   min_size=1, max_size=3).map(tuple),
    failed=st.booleans(),
    cache=MARKS,
)  # fmt: skip
EXCHANGES = st.tuples(
    st.lists(THOUGHTS | SPOKEN | CALLS, min_size=1, max_size=4).map(
        lambda parts: Turn(role="assistant", parts=tuple(parts))
    ),
    st.lists(RESULTS, max_size=2),
    st.lists(SPOKEN | PICTURES, min_size=1, max_size=3),
).map(
    lambda one: (
        one[0],
        *([Turn(role="tool", parts=tuple(one[1]))] if one[1] else []),
        Turn(role="user", parts=tuple(one[2])),
    )
)


@settings(deadline=None)
@given(
    st.lists(SPOKEN, max_size=2),
    st.lists(SPOKEN | PICTURES, min_size=1, max_size=3),
    st.lists(EXCHANGES, max_size=3),
)
def test_a_conversation_that_is_read_back_is_the_same(
    system: list[Text], first: list[Part], exchanges: list[tuple[Turn, ...]]
) -> None:
    turns = (
        *([Turn(role="system", parts=tuple(system))] if system else []),
        Turn(role="user", parts=tuple(first)),
        *(turn for exchange in exchanges for turn in exchange),
    )
    found = read_back(written(asked(*turns)))
    assert _comparable(found.turns) == _comparable(turns)


@settings(deadline=None)
@given(
    st.lists(SPOKEN, max_size=2),
    st.lists(SPOKEN | PICTURES, min_size=1, max_size=3),
    st.lists(EXCHANGES, max_size=3),
    st.sampled_from(
        ["anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-pro-v1:0", "meta.llama3"]
    ),
    st.builds(Thinking, effort=st.none() | st.just("high"), budget=st.none() | st.just(2048)),
)
def test_awss_own_model_of_the_service_finds_nothing_wrong(
    system: list[Text],
    first: list[Part],
    exchanges: list[tuple[Turn, ...]],
    model: str,
    thinking: Thinking,
) -> None:
    turns = (
        *([Turn(role="system", parts=tuple(system))] if system else []),
        Turn(role="user", parts=tuple(first)),
        *(turn for exchange in exchanges for turn in exchange),
    )
    conversation = asked(
        *turns,
        tools=(Tool(name="f", description="does", strict=True, cache=CacheMark(ttl="5m")),),
        tool_choice=ToolChoice(mode="required", names=("f",)),
        format=Format(kind="schema", schema=Raw(b"{}"), name="n", description="d"),
        sampling=Sampling(temperature=0.5, top_p=0.9, top_k=20),
        max_tokens=5000,
        stop=("END",),
        thinking=thinking,
        metadata=Raw(b'{"team": "x"}'),
        service_tier="flex",
    )
    body = json.loads(fitted(BEDROCK.write_request(conversation), model))
    assert _validation(body) == ""


def _validation(body: Any) -> str:
    """What AWS's own tools would say of a request before they send it."""
    pytest.importorskip("botocore", reason="botocore is not installed")
    from botocore.validate import ParamValidator

    shape = _service().operation_model("Converse").input_shape
    report: str = ParamValidator().validate({"modelId": "m", **body}, shape).generate_report()
    return report


@cache
def _service() -> Any:
    import botocore.session

    return botocore.session.Session().get_service_model("bedrock-runtime")


def _comparable(turns: tuple[Turn, ...]) -> Any:
    """Arguments by their meaning."""
    return [
        (
            turn.role,
            [
                replace(part, arguments=json.dumps(json.loads(part.arguments), sort_keys=True))
                if isinstance(part, ToolCall)
                else part
                for part in turn.parts
            ],
        )
        for turn in turns
    ]


def test_the_words_are_those_of_the_features_that_are_written() -> None:
    everything = asked(
        said("user", Image(source=Source(media_type="image/png", data="AA=="))),
        said("assistant", "so"),
        tools=(Tool(name="f"),),
        tool_choice=ToolChoice(mode="required"),
        sampling=Sampling(temperature=0, top_p=0.5, top_k=3),
        max_tokens=1,
        stop=("x",),
        thinking=Thinking(effort="low", budget=2000),
        format=Format(kind="schema", schema=Raw(b"{}")),
        service_tier="priority",
    )
    assert features_of(everything) <= BEDROCK.words.keys()
    assert not {"seed", "logprobs", "tool_choice_none", "image_url"} & BEDROCK.words.keys()
