"""Whole answers of the Responses API are read as they were meant, and written as they were said."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tierwise.errors import AllPathsFailed, InvalidRequest
from tierwise.types import Usage
from tierwise.wire.conversation import (
    Citation,
    Conversation,
    Foreign,
    Image,
    Part,
    Reasoning,
    Refusal,
    Source,
    Text,
    ToolCall,
)
from tierwise.wire.responses import RESPONSES
from tierwise.wire.responses.thoughts import grouped, without_sealed
from tierwise.wire.spoken import Choice, Finish, Spoken

OURS = "openai-responses"
ASKED = Conversation(dialect=OURS, model="m", turns=())


def an_answer(*output: Any, **fields: Any) -> bytes:
    body = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "model": "m",
        "output": output,
        "usage": {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 3},
            "total_tokens": 15,
        },
        **fields,
    }
    return json.dumps(body).encode()


def a_message(text: str, **fields: Any) -> dict[str, Any]:
    piece = {"type": "output_text", "text": text, "annotations": [], **fields}
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [piece],
    }


def written(*parts: Part, finish: Finish = "stop", **fields: Any) -> Any:
    spoken = Spoken(id="1", model="m", choices=(Choice(parts=parts, finish=finish, **fields),))
    return json.loads(RESPONSES.write_reply(spoken, ASKED))


def test_a_text_its_usage_and_its_end_are_read() -> None:
    spoken = RESPONSES.read_reply(an_answer(a_message("Paris."), service_tier="flex"))
    assert (spoken.id, spoken.model, spoken.created) == ("resp_1", "m", 1700000000)
    assert spoken.service_tier == "flex"
    assert spoken.choices[0].parts == (Text(text="Paris.", origin=OURS),)
    assert spoken.choices[0].finish == "stop"
    assert spoken.usage == Usage(
        input_tokens=10, cached_input_tokens=4, output_tokens=5, reasoning_tokens=3
    )


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "filter"),
        ({"status": "incomplete", "incomplete_details": {"reason": "steered"}}, "pause"),
        ({"status": "incomplete"}, "pause"),
        ({"status": "completed"}, "stop"),
        ({"status": "complete"}, "stop"),
        ({"status": "queued"}, None),
    ],
)
def test_every_end_is_read(fields: dict[str, Any], finish: Finish | None) -> None:
    spoken = RESPONSES.read_reply(an_answer(a_message("x"), **fields))
    assert spoken.choices[0].finish == finish


def test_calls_thoughts_refusals_and_hosted_pieces_are_read() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    output = [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "content": None,
            "encrypted_content": "sealed",
        },
        search,
        {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "g", "input": "x"},
    ]
    choice = RESPONSES.read_reply(an_answer(*output)).choices[0]
    thought, found, *rest = choice.parts
    assert thought == Reasoning(text="Hm.", redacted="sealed", origin=OURS, id="rs_1", summary=True)
    assert isinstance(found, Foreign)
    assert (found.what, found.binding) == ("web_search_call", False)
    assert json.loads(bytes(found.raw)) == search
    assert rest == [
        Refusal(text="No."),
        ToolCall(id="call_1", name="f", arguments="{}", origin=OURS),
        ToolCall(id="call_2", name="g", arguments="x", origin=OURS, custom=True),
    ]
    assert choice.finish == "tool_calls"


def test_log_probabilities_are_read_and_written_in_the_shape_of_each_dialect() -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": [1], "top_logprobs": []}
    spoken = RESPONSES.read_reply(an_answer(a_message("Hi", logprobs=[token])))
    assert json.loads(bytes(spoken.choices[0].logprobs)) == {"content": [token], "refusal": None}
    again = json.loads(RESPONSES.write_reply(spoken, ASKED))
    assert again["output"][0]["content"][0]["logprobs"] == [token]


def test_citations_are_of_the_whole_answers_characters() -> None:
    cited = {
        "type": "url_citation",
        "url": "https://x.org",
        "title": "X",
        "start_index": 1,
        "end_index": 2,
    }
    answer = an_answer(a_message("Hello"), a_message("Paris", annotations=[cited]))
    text = RESPONSES.read_reply(answer).choices[0].parts[1]
    assert isinstance(text, Text)
    (citation,) = text.citations
    assert (citation.url, citation.start, citation.end) == ("https://x.org", 6, 7)
    assert json.loads(bytes(citation.raw)) == cited


def test_citations_of_other_dialects_point_at_the_text_that_rests_on_them() -> None:
    found = written(
        Text(text="So it is. "),
        Text(text="Paris.", citations=(Citation(url="https://x.org", title="X"),)),
        Text(text=" Or so.", citations=(Citation(quoted="nowhere"),)),
    )
    (piece,) = found["output"][0]["content"]
    assert piece["text"] == "So it is. Paris. Or so."
    assert piece["annotations"] == [
        {
            "type": "url_citation",
            "url": "https://x.org",
            "title": "X",
            "start_index": 10,
            "end_index": 16,
        }
    ]


def test_what_no_item_can_say_is_left_out_and_a_picture_is_one_that_was_made() -> None:
    found = written(
        Foreign(origin="anthropic", what="server_tool_use", raw=Raw(b"{}")),
        Image(source=Source(media_type="image/png", data="AAAA")),
    )
    assert [item["type"] for item in found["output"]] == ["image_generation_call"]
    assert found["output"][0]["result"] == "AAAA"


def test_ids_of_items_differ_within_an_answer_and_between_answers() -> None:
    parts = (Reasoning(text="a"), Reasoning(text="b"), Text(text="c"))
    ids = {item["id"] for item in written(*parts)["output"]}
    other = Spoken(id="2", model="m", choices=(Choice(parts=parts),))
    ids |= {item["id"] for item in json.loads(RESPONSES.write_reply(other, ASKED))["output"]}
    assert len(ids) == 6


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"output":5}', b'{"output":[5]}'])
def test_what_is_no_answer_is_not_read(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        RESPONSES.read_reply(body)


def test_what_other_providers_sign_comes_back_with_the_conversation() -> None:
    parts = (
        Reasoning(text="Hm", signature="sig", origin="anthropic"),
        Reasoning(redacted="hidden", origin="anthropic"),
        ToolCall(id="call_1", name="f", arguments="{}", signature="mark", origin="gemini"),
    )
    items = written(*parts, finish="tool_calls")["output"]
    body = json.dumps({"model": "m", "input": items}).encode()
    (turn,) = RESPONSES.read_request(body).turns
    first, second, call = turn.parts
    assert isinstance(first, Reasoning)
    assert (first.text, first.signature, first.origin) == ("Hm", "sig", "anthropic")
    assert isinstance(second, Reasoning)
    assert (second.redacted, second.origin) == ("hidden", "anthropic")
    assert isinstance(call, ToolCall)
    assert (call.id, call.signature, call.origin) == ("call_1", "mark", "gemini")


def test_thoughts_that_nobody_signed_keep_their_origin() -> None:
    (item,) = written(Reasoning(text="Hm", origin="openai-chat"))["output"]
    body = json.dumps({"model": "m", "input": [item]}).encode()
    (thought,) = RESPONSES.read_request(body).turns[0].parts
    assert isinstance(thought, Reasoning)
    assert (thought.text, thought.origin, thought.signature) == ("Hm", "openai-chat", None)
    assert without_sealed(body) == b'{"model":"m","input":[]}'


@pytest.mark.parametrize("id", ["gen:1/2 x", "y" * 200])
def test_ids_of_items_are_such_as_openai_takes(id: str) -> None:
    spoken = Spoken(id=id, model="m", choices=(Choice(parts=(Text(text="a"),)),))
    (item,) = json.loads(RESPONSES.write_reply(spoken, ASKED))["output"]
    assert re.fullmatch(r"msg_[a-zA-Z0-9_-]{1,60}", item["id"])


def test_errors_have_openais_shape() -> None:
    status, body, _ = RESPONSES.error(InvalidRequest("no", param="input"))
    assert status == 400
    assert json.loads(body)["error"]["param"] == "input"
    event = RESPONSES.error_event(AllPathsFailed(["a failed"]))
    assert event.startswith(b"event: error\ndata: ")
    data = json.loads(event.split(b"data: ")[1])
    assert data["type"] == "error"
    assert "a failed" in data["error"]["message"]
    assert data["message"] == data["error"]["message"]


_WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
_PARTS = st.lists(
    _WORDS.map(lambda text: Text(text=text, origin=OURS))
    | _WORDS.map(lambda text: Refusal(text=text))
    | st.builds(
        ToolCall,
        id=st.just("call_1"),
        name=_WORDS,
        arguments=_WORDS,
        custom=st.booleans(),
        origin=st.just(OURS),
    )
    | st.builds(
        Reasoning,
        text=_WORDS,
        redacted=st.none() | _WORDS.filter(lambda text: not text.startswith("tierwise:")),
        id=st.uuids().map(str),
        summary=st.booleans(),
        origin=st.just(OURS),
    ),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(_PARTS, st.sampled_from(["stop", "length", "filter"]))
def test_an_answer_comes_back_from_the_dialect(parts: list[Part], finish: Finish) -> None:
    usage = Usage(input_tokens=7, output_tokens=3, cached_input_tokens=2, reasoning_tokens=1)
    choice = Choice(parts=tuple(parts), finish=finish)
    spoken = Spoken(id="1", model="m", choices=(choice,), usage=usage)
    again = RESPONSES.read_reply(RESPONSES.write_reply(spoken, ASKED))
    found = again.choices[0]
    assert _joined(found.parts) == _joined(choice.parts)
    assert again.usage == usage
    if finish != "stop":
        assert found.finish == finish


def _joined(parts: tuple[Part, ...]) -> list[Part]:
    """Texts that follow each other are one."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, Text) and isinstance(last, Text):
            found[-1] = Text(text=last.text + part.text, origin=OURS)
        else:
            found.append(part)
    return found


def test_thoughts_of_two_providers_are_two_items_though_their_ids_are_alike() -> None:
    ours = Reasoning(text="Hm.", origin=OURS, id="rs_1")
    theirs = Reasoning(text="Ah.", origin="anthropic", signature="sig", id="rs_1")
    assert grouped([ours, ours, theirs]) == [[ours, ours], [theirs]]
