"""What clients of Gemini ask is read whole, and what is wrong with it is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from tierwise.errors import InvalidRequest
from tierwise.wire.conversation import (
    Audio,
    Conversation,
    Document,
    Foreign,
    Format,
    Image,
    Part,
    Reasoning,
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
from tierwise.wire.features import features_of, unsupported
from tierwise.wire.gemini import GEMINI
from tierwise.wire.gemini.schema import tidied
from tierwise.wire.gemini.unsigned import UNSIGNED

HELLO = {"role": "user", "parts": [{"text": "Hello"}]}


def read(*contents: Any, **fields: Any) -> Conversation:
    body = {"contents": list(contents) or [HELLO], **fields}
    return GEMINI.read_request(json.dumps(body).encode())


def written(asked: Conversation) -> Any:
    return json.loads(GEMINI.write_request(asked))


def foreign_to(asked: Conversation) -> list[str]:
    """What a chat of OpenAI's has no words for, because only Gemini has it."""
    lacks = unsupported(asked, "openai-chat")
    return [one.word for one in lacks if one.feature in ("field", "tool", "piece")]


def refused(body: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        GEMINI.read_request(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value


def chat(*turns: Turn, **fields: Any) -> Conversation:
    """What a client of another dialect asks."""
    return Conversation(dialect="openai-chat", model="auto", turns=turns, **fields)


def user(*parts: Part) -> Turn:
    return Turn(role="user", parts=parts)


def test_names_are_read_in_either_case() -> None:
    camel = {"systemInstruction": {"parts": {"text": "x"}}, "generationConfig": {"topK": 3}}
    snake = {"system_instruction": {"parts": [{"text": "x"}]}, "generation_config": {"top_k": 3.0}}
    assert read(**camel) == read(**snake)
    assert read(**camel).sampling.top_k == 3


def test_single_objects_stand_for_lists() -> None:
    one = GEMINI.read_request(b'{"contents": {"parts": {"text": "Hello"}}}')
    assert one == read()


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"text": "x"}, Text(text="x")),
        (
            {"text": "x", "thoughtSignature": "c2ln"},
            Text(text="x", signature="c2ln", origin="gemini"),
        ),
        (
            {"text": "x", "thought": True},
            Reasoning(text="x", origin="gemini", summary=True),
        ),
        ({"thoughtSignature": "c2ln"}, Text(text="", signature="c2ln", origin="gemini")),
        (
            {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
            Image(source=Source(media_type="image/png", data="AA==")),
        ),
        (
            {"inline_data": {"mime_type": "audio/wav", "data": "AA=="}},
            Audio(source=Source(media_type="audio/wav", data="AA==")),
        ),
        (
            {"inlineData": {"mimeType": "text/plain", "data": "AA==", "displayName": "a.txt"}},
            Document(source=Source(media_type="text/plain", data="AA=="), name="a.txt"),
        ),
        (
            {"fileData": {"fileUri": "https://youtu.be/x"}},
            Video(source=Source(media_type="video/mp4", url="https://youtu.be/x")),
        ),
        (
            {"fileData": {"fileUri": "gs://b/a.pdf"}},
            Document(source=Source(media_type="application/pdf", file_id="gs://b/a.pdf")),
        ),
    ],
)
def test_parts_are_what_they_say_and_are_written_so(part: Any, expected: Part) -> None:
    asked = read({"role": "user", "parts": [part]})
    assert asked.turns[0].parts == (expected,)
    assert GEMINI.read_request(GEMINI.write_request(asked)) == asked


def test_base64_of_the_alphabet_for_urls_is_read_as_what_all_know() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": "-_8"}}
    [image] = read({"parts": [part]}).turns[0].parts
    assert image == Image(source=Source(media_type="image/png", data="+/8="))


def test_only_urls_that_anybody_can_read_are_urls() -> None:
    for uri in ("gs://b/x.png", "https://generativelanguage.googleapis.com/v1beta/files/abc"):
        part = {"fileData": {"fileUri": uri, "mimeType": "image/png"}}
        assert features_of(read({"parts": [part]})) == {"image_file"}


@pytest.mark.parametrize(
    ("part", "binding"),
    [
        ({"executableCode": {"language": "PYTHON", "code": "1"}}, False),
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, False),
        (
            {
                "fileData": {"fileUri": "https://youtu.be/x", "mimeType": "video/mp4"},
                "videoMetadata": {"fps": 0.2},
            },
            True,
        ),
        ({"ofTomorrow": {"x": 1}}, True),
    ],
)
def test_what_only_gemini_has_comes_back_as_it_was(part: Any, binding: bool) -> None:
    asked = read({"role": "model", "parts": [part]}, HELLO)
    (foreign,) = asked.turns[0].parts
    assert isinstance(foreign, Foreign)
    assert foreign.binding is binding
    assert bool(foreign_to(asked)) is binding
    assert written(asked)["contents"][0]["parts"] == [part]


def test_calls_without_ids_get_some_that_stay_and_are_not_written() -> None:
    def call(name: str) -> Any:
        return {"functionCall": {"name": name, "args": {"a": 1}}}

    def result(name: str, said: Any) -> Any:
        return {"functionResponse": {"name": name, "response": said}}

    contents = [
        HELLO,
        {"role": "model", "parts": [{"text": "Hm."}, call("f"), call("g"), call("f")]},
        {
            "role": "user",
            "parts": [
                result("f", {"x": 1}),
                result("f", {"output": "two"}),
                result("g", {"error": "no"}),
            ],
        },
    ]
    asked = read(*contents)
    _, model, tools = asked.turns
    assert [part.id for part in model.parts if isinstance(part, ToolCall)] == [
        "call_1_0",
        "call_1_1",
        "call_1_2",
    ]
    assert tools.role == "tool"
    results = [part for part in tools.parts if isinstance(part, ToolResult)]
    assert [result.call_id for result in results] == ["call_1_0", "call_1_2", "call_1_1"]
    assert [result.failed for result in results] == [False, False, True]
    assert [result.parts for result in results] == [
        (Text(text='{"x":1}'),),
        (Text(text="two"),),
        (Text(text="no"),),
    ]
    assert written(asked)["contents"] == contents


def test_results_and_words_in_one_content_are_turns_of_their_own() -> None:
    result = {"functionResponse": {"id": "a", "name": "f", "response": {"x": 1}}}
    content = {"role": "user", "parts": [result, {"text": "And?"}]}
    asked = read(content)
    assert [turn.role for turn in asked.turns] == ["tool", "user"]
    assert written(asked)["contents"] == [content]


def test_results_may_hold_pictures() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    answer = {"name": "f", "response": {"x": 1}, "id": "a", "parts": [picture]}
    content = {"role": "user", "parts": [{"functionResponse": answer}]}
    asked = read(content)
    assert "tool_results_with_media" in features_of(asked)
    assert written(asked)["contents"] == [content]


def test_functions_are_read_with_json_schema_in_place_of_openapi() -> None:
    openapi = {
        "type": "OBJECT",
        "properties": {
            "a": {"type": "STRING", "nullable": True, "enum": ["x"], "format": "enum"},
            "b": {"type": "ARRAY", "min_items": "2", "items": {"type": "INTEGER"}},
            "any_of": {"anyOf": [{"type": "NUMBER"}], "nullable": True},
            "null": {"type": "STRING", "nullable": True, "enum": ["x", None]},
        },
        "required": ["a"],
        "propertyOrdering": ["b", "a"],
    }
    function = {"name": "f", "description": "d", "parameters": openapi}
    (tool,) = read(tools=[{"functionDeclarations": [function]}]).tools
    assert json.loads(bytes(tool.parameters)) == {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", None]},
            "b": {"type": "array", "minItems": 2, "items": {"type": "integer"}},
            "any_of": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "null": {"type": ["string", "null"], "enum": ["x", None]},
        },
        "required": ["a"],
        "propertyOrdering": ["b", "a"],
    }


def test_tools_that_google_runs_are_foreign() -> None:
    tools = [{"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}]
    asked = read(tools=tools)
    assert foreign_to(asked) == ["googleSearch"]
    assert written(asked)["tools"] == tools


@pytest.mark.parametrize(
    ("config", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice()),
        ({"mode": "NONE"}, ToolChoice(mode="none")),
        ({"mode": "any"}, ToolChoice(mode="required")),
        (
            {"mode": "ANY", "allowedFunctionNames": ["f"]},
            ToolChoice(mode="required", names=("f",)),
        ),
        ({"mode": "VALIDATED", "allowed_function_names": ["f"]}, ToolChoice(names=("f",))),
    ],
)
def test_which_functions_may_be_called_is_kept(config: Any, choice: ToolChoice) -> None:
    asked = read(
        tools={"functionDeclarations": {"name": "f"}}, toolConfig={"functionCallingConfig": config}
    )
    assert asked.tool_choice == choice
    assert asked.tools[0].strict is (True if config["mode"] == "VALIDATED" else None)
    assert GEMINI.read_request(GEMINI.write_request(asked)) == asked


def test_strict_functions_are_validated() -> None:
    tools = (Tool(name="f", parameters=Raw(b'{"type":"object"}'), strict=True),)
    body = written(chat(user(Text(text="x")), tools=tools))
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}


@pytest.mark.parametrize(
    ("thinking", "sent"),
    [
        (Thinking(effort="low"), {"thinkingLevel": "LOW"}),
        (Thinking(effort="none"), {"thinkingBudget": 0}),
        (
            Thinking(effort="max", budget=4096, shown=True),
            {"thinkingBudget": 4096, "includeThoughts": True},
        ),
    ],
)
def test_effort_is_a_level_and_a_budget_goes_before_it(thinking: Thinking, sent: Any) -> None:
    body = written(chat(user(Text(text="x")), thinking=thinking))
    assert body["generationConfig"] == {"thinkingConfig": sent}


def test_forms_of_answers_are_kept() -> None:
    schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    wanted = read(generationConfig=config).format
    assert wanted is not None
    assert wanted.kind == "schema"
    assert json.loads(bytes(wanted.schema))["type"] == "object"
    plain = read(generationConfig={"responseMimeType": "application/json"})
    assert plain.format == Format(kind="json")
    enum = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}}
    asked = read(generationConfig=enum)
    assert asked.format is None
    assert foreign_to(asked) == [
        "generationConfig.responseMimeType",
        "generationConfig.responseSchema",
    ]
    assert written(asked)["generationConfig"] == enum


def test_what_is_a_value_in_a_schema_is_no_schema() -> None:
    values = b'"default":{"const":1},"examples":[{"const":2}],"enum":[{"$schema":"x"}]'
    schema = Raw(b'{"properties":{"a":{"const":3},"b":{%b}}}' % values)
    tidy = json.loads(bytes(tidied(schema)))["properties"]
    assert tidy == {"a": {"enum": [3]}, "b": json.loads(b"{%b}" % values)}


def test_constants_are_choices_of_one() -> None:
    schema = Raw(b'{"$schema":"x","properties":{"const":{"const":1}},"enum":[{"const":2}]}')
    body = written(chat(user(Text(text="x")), format=Format(kind="schema", schema=schema)))
    assert body["generationConfig"]["responseJsonSchema"] == {
        "properties": {"const": {"enum": [1]}},
        "enum": [{"const": 2}],
    }


def test_what_only_gemini_knows_is_named_by_its_path() -> None:
    fields: dict[str, Any] = {
        "cachedContent": "cachedContents/x",
        "toolConfig": {"retrievalConfig": {"languageCode": "de"}},
        "generationConfig": {"speechConfig": {"x": 1}, "thinkingConfig": {"new": 1}},
        "modelArmorConfig": {"prompt_template_name": "p"},
    }
    asked = read(**fields)
    assert set(foreign_to(asked)) == {
        "cachedContent",
        "toolConfig.retrievalConfig",
        "generationConfig.speechConfig",
        "generationConfig.thinkingConfig.new",
        "modelArmorConfig",
    }
    assert written(asked) == {"contents": [HELLO], **fields}


def test_hints_stay_in_the_dialect_and_are_missed_nowhere_else() -> None:
    function = {"name": "f", "behavior": "NON_BLOCKING", "response": {"type": "STRING"}}
    fields = {
        "tools": [{"functionDeclarations": [function]}],
        "generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"},
    }
    asked = read(**fields)
    assert foreign_to(asked) == []
    assert written(asked) == {"contents": [HELLO], **fields}


def test_names_with_dots_are_names() -> None:
    asked = read(**{"a.b": 1, "generationConfig": {"c.d": 2}})
    assert written(asked) == {"contents": [HELLO], "a.b": 1, "generationConfig": {"c.d": 2}}


def test_labels_safety_and_the_tier_stay_in_the_dialect() -> None:
    fields = {
        "labels": {"a": "b"},
        "safetySettings": [{"category": "c", "threshold": "t"}],
        "serviceTier": "standard",
        "store": False,
    }
    asked = read(**fields)
    assert asked.service_tier == "default"
    assert foreign_to(asked) == []
    assert written(asked) == {"contents": [HELLO], **fields}


def test_instructions_anywhere_are_the_system_s() -> None:
    body = written(
        chat(
            Turn(role="system", parts=(Text(text="a"),)),
            user(Text(text="Hello")),
            Turn(role="developer", parts=(Text(text="b"),)),
        )
    )
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert body["contents"] == [HELLO]
    alone = written(chat(Turn(role="system", parts=(Text(text="a"),))))
    assert alone == {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}


def test_texts_of_elsewhere_that_are_empty_are_left_out() -> None:
    def said(*texts: str) -> tuple[Text, ...]:
        return tuple(Text(text=text) for text in texts)

    asked = chat(
        user(*said("a", "")),
        Turn(role="assistant", parts=said("")),
        Turn(role="assistant", parts=()),
        user(*said("b")),
    )
    assert written(asked)["contents"] == [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]
    nothing = {"contents": [{"role": "user", "parts": [{"text": ""}]}]}
    assert written(chat(user(*said("")))) == nothing
    assert written(read({"role": "user", "parts": [{"text": ""}]})) == nothing


def test_a_conversation_that_comes_from_elsewhere_is_taken() -> None:
    body = written(
        chat(
            user(Text(text="Weather?")),
            Turn(
                role="assistant",
                parts=(
                    Reasoning(text="Hm.", signature="x", origin="anthropic"),
                    ToolCall(id="toolu_1", name="f", arguments='{"a": 1}'),
                    ToolCall(id="toolu_2", name="g", arguments=""),
                ),
            ),
            Turn(role="tool", parts=(ToolResult(call_id="toolu_1", parts=(Text(text="sunny"),)),)),
            Turn(
                role="tool",
                parts=(ToolResult(call_id="toolu_2", parts=(Text(text="bad"),), failed=True),),
            ),
            user(Text(text="And?")),
        )
    )
    _, model, results = body["contents"]
    # Gemini 3 wants a signature with the first call of a turn, and all results in one turn.
    assert model["parts"] == [
        {
            "functionCall": {"name": "f", "args": {"a": 1}, "id": "toolu_1"},
            "thoughtSignature": UNSIGNED,
        },
        {"functionCall": {"name": "g", "args": {}, "id": "toolu_2"}},
    ]
    assert results["role"] == "user"
    assert results["parts"] == [
        {"functionResponse": {"name": "f", "response": {"output": "sunny"}, "id": "toolu_1"}},
        {"functionResponse": {"name": "g", "response": {"error": "bad"}, "id": "toolu_2"}},
        {"text": "And?"},
    ]


def test_a_signature_of_gemini_s_is_kept_and_others_are_not() -> None:
    def parts(origin: str) -> Any:
        call = ToolCall(id="a", name="f", arguments="{}", signature="c2ln", origin=origin)
        said = Text(text="x", signature="c2ln", origin=origin)
        turn = Turn(role="assistant", parts=(call, said))
        return written(chat(user(Text(text="?")), turn))["contents"][1]["parts"]

    assert [part.get("thoughtSignature") for part in parts("gemini")] == ["c2ln", "c2ln"]
    assert [part.get("thoughtSignature") for part in parts("x")] == [UNSIGNED, None]


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"", None, "is empty"),
        (b"{", None, "not valid JSON"),
        (b'{"contents": "\\ud83d"}', None, "half a character"),
        (b"[" * 5000, None, "nested too deeply|not valid JSON"),
        ([], None, "must be an object, not []"),
        ({}, "contents", "missing"),
        ({"contents": []}, "contents", "missing or empty"),
        ({"contents": ["x"]}, "contents[0]", "must be an object"),
        ({"contents": [{"role": "assistant"}]}, "contents[0].role", "`user` or `model`"),
        ({"contents": [{"parts": [{}]}]}, "contents[0].parts[0]", "empty"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text", "a string, not 1"),
        (
            {"contents": [{"parts": [{"inline_data": {"mime_type": "x"}}]}]},
            "contents[0].parts[0].inline_data.data",
            "missing",
        ),
        (
            {"contents": [{"parts": [{"text": "a", "inlineData": {}}]}]},
            "contents[0].parts[0]",
            "one of text, inlineData",
        ),
        (
            {"contents": [{"parts": [{"functionCall": {"args": {}}}]}]},
            "contents[0].parts[0].functionCall.name",
            "missing",
        ),
        (
            {"contents": [HELLO], "generation_config": {"max_output_tokens": 0}},
            "generation_config.max_output_tokens",
            "at least 1, not 0",
        ),
        (
            {"contents": [HELLO], "generationConfig": {"temperature": "hot"}},
            "generationConfig.temperature",
            'a number, not "hot"',
        ),
        (
            {"contents": [HELLO], "tools": [{"functionDeclarations": [{}]}]},
            "tools[0].functionDeclarations[0].name",
            "missing",
        ),
        (
            {"contents": [HELLO], "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
            "toolConfig.functionCallingConfig.mode",
            "one of AUTO",
        ),
    ],
)
def test_what_is_wrong_is_named(body: Any, param: str | None, words: str) -> None:
    error = refused(body)
    assert error.param == param
    assert any(word in error.message for word in words.split("|"))
