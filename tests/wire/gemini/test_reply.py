"""Answers of Gemini are read whole, and others' are written as its clients expect them."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from tierwise.errors import (
    AllPathsFailed,
    AuthenticationFailed,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    ServerFailed,
    TierwiseError,
    UpstreamRejected,
)
from tierwise.types import Usage
from tierwise.wire import sse
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
from tierwise.wire.gemini import GEMINI
from tierwise.wire.gemini.unsigned import UNSIGNED
from tierwise.wire.spoken import (
    Began,
    Choice,
    Cited,
    Counted,
    Ended,
    Event,
    Finish,
    ForeignPiece,
    ReasoningPiece,
    RefusalPiece,
    Spoken,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

ASKED = GEMINI.read_request(b'{"contents": [{"parts": [{"text": "x"}]}]}')
SHOWN = GEMINI.read_request(
    b'{"contents": [{"parts": [{"text": "x"}]}],'
    b'"generationConfig": {"thinkingConfig": {"includeThoughts": true}}}'
)


def an_answer(*parts: Any, finish: str = "STOP", **candidate: Any) -> dict[str, Any]:
    said = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish}
    return {
        "candidates": [{**said, "index": 0, **candidate}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
        "modelVersion": "gemini-x",
        "responseId": "r-1",
    }


def read(answer: Any) -> Spoken:
    return GEMINI.read_reply(json.dumps(answer).encode())


def choice_of(answer: Any) -> Choice:
    (choice,) = read(answer).choices
    return choice


def events_of(*answers: Any) -> list[Event]:
    block = b"".join(b"data: " + json.dumps(answer).encode() + b"\r\n\r\n" for answer in answers)
    return GEMINI.event_reader().read(block)


def write(*parts: Part, finish: Finish = "stop", asked: Conversation = ASKED, **more: Any) -> Any:
    choice = Choice(parts=parts, finish=finish, **more)
    spoken = Spoken(id="r", model="m", choices=(choice,), usage=Usage(input_tokens=1))
    return json.loads(GEMINI.write_reply(spoken, asked))["candidates"][0]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "filter"),
        ("RECITATION", "filter"),
        ("PROHIBITED_CONTENT", "filter"),
        ("MALFORMED_FUNCTION_CALL", "filter"),
        ("CONTINUATION", "pause"),
        ("OF_TOMORROW", "filter"),
    ],
)
def test_reasons_of_the_end_are_ours(reason: str, finish: Finish) -> None:
    choice = choice_of(an_answer({"text": "x"}, finish=reason))
    assert (choice.finish, choice.reported) == (finish, reason)
    ended = next(e for e in events_of(an_answer(finish=reason)) if isinstance(e, Ended))
    assert (ended.finish, ended.reported) == (finish, reason)


def test_an_answer_that_calls_ends_so_although_google_says_stop() -> None:
    call = {"functionCall": {"name": "f", "args": {"a": 1.0, "b": "ü"}}}
    choice = choice_of(an_answer(call, call))
    assert choice.finish == "tool_calls"
    assert [part.id for part in choice.parts if isinstance(part, ToolCall)] == [
        "call_r1_0",
        "call_r1_1",
    ]
    events = events_of({**an_answer(call), "candidates": an_answer(call)["candidates"]})
    assert Ended(finish="tool_calls", reported="STOP") in events


def test_calls_of_two_answers_have_different_ids_even_without_a_response_id() -> None:
    answer = an_answer({"functionCall": {"name": "f"}})
    del answer["responseId"]
    first, second = (choice_of(answer).parts[0] for _ in range(2))
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert first.arguments == "{}"
    assert first.id != second.id


def test_a_blocked_prompt_is_a_refusal() -> None:
    answer = {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}}
    choice = choice_of(answer)
    assert choice.parts == (Refusal(text="No."),)
    assert (choice.finish, choice.reported) == ("filter", "SAFETY")
    assert events_of(answer)[1:] == [
        RefusalPiece(text="No."),
        Ended(finish="filter", reported="SAFETY"),
    ]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"candidates": 1}', b"<html>"])
def test_what_is_no_answer_is_not_read(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        GEMINI.read_reply(body)


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"promptTokenCount": 7, "totalTokenCount": 7}, Usage(input_tokens=7)),
        (
            {
                "promptTokenCount": 10,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 3,
                "cachedContentTokenCount": 4,
                "toolUsePromptTokenCount": 2,
                "totalTokenCount": 20,
            },
            Usage(input_tokens=12, output_tokens=8, cached_input_tokens=4, reasoning_tokens=3),
        ),
        (
            {"promptTokenCount": "7", "candidatesTokenCount": 5.0},
            Usage(input_tokens=7, output_tokens=5),
        ),
        ({"promptTokenCount": 7, "totalTokenCount": 9}, Usage(input_tokens=7, output_tokens=2)),
        ({"trafficType": "ON_DEMAND"}, None),
        ({"promptTokenCount": 7, "cachedContentTokenCount": 8}, None),
        ({"promptTokenCount": -7}, None),
        ([], None),
    ],
)
def test_usage_counts_thoughts_as_output_and_is_not_believed_blindly(
    counts: Any, usage: Usage | None
) -> None:
    assert read({**an_answer({"text": "x"}), "usageMetadata": counts}).usage == usage


@given(st.integers(1, 99), st.integers(0, 99), st.integers(0, 9), st.integers(0, 9))
@settings(deadline=None)
def test_usage_is_read_as_it_was_written(read_: int, said: int, thought: int, cached: int) -> None:
    usage = Usage(
        input_tokens=read_ + cached,
        output_tokens=said + thought,
        reasoning_tokens=thought,
        cached_input_tokens=cached,
    )
    spoken = Spoken(id="", model="", choices=(Choice(parts=()),), usage=usage)
    assert GEMINI.read_reply(GEMINI.write_reply(spoken, ASKED)).usage == usage


GROUNDING = {
    "groundingChunks": [
        {"web": {"uri": "https://a", "title": "A"}},
        {"maps": {"uri": "https://b"}},
    ],
    "groundingSupports": [
        {
            "segment": {"startIndex": 4, "endIndex": 11, "text": "größer"},
            "groundingChunkIndices": [0, 1, 9],
        },
    ],
}


def test_bytes_of_citations_become_characters() -> None:
    said = "Ist größer."
    # Google counts from the answer's first byte, of which `ö` and `ß` have two each.
    support = {"startIndex": 4, "endIndex": 12, "text": "größer"}
    grounding = {
        **GROUNDING,
        "groundingSupports": [{"segment": support, "groundingChunkIndices": [0, 1, 9]}],
    }
    answer = an_answer({"text": said}, groundingMetadata=grounding)
    (text,) = choice_of(answer).parts
    assert isinstance(text, Text)
    places = [(one.url, one.title, said[one.start : one.end]) for one in text.citations]
    assert places == [("https://a", "A", "größer"), ("https://b", None, "größer")]
    cited = [event for event in events_of(answer) if isinstance(event, Cited)]
    assert tuple(one.citation for one in cited) == text.citations


def test_offsets_that_are_off_are_found_by_the_words() -> None:
    answer = an_answer({"text": "Das ist "}, {"text": "größer."}, groundingMetadata=GROUNDING)
    first, second = choice_of(answer).parts
    assert isinstance(first, Text)
    assert isinstance(second, Text)
    assert first.citations == ()
    assert [(one.start, one.end) for one in second.citations] == [(8, 14), (8, 14)]


def test_sources_without_places_are_of_the_whole_answer() -> None:
    grounding = {"groundingChunks": GROUNDING["groundingChunks"]}
    (text,) = choice_of(an_answer({"text": "x"}, groundingMetadata=grounding)).parts
    assert isinstance(text, Text)
    assert [(one.url, one.start) for one in text.citations] == [
        ("https://a", None),
        ("https://b", None),
    ]


def test_citations_of_quotes_are_read() -> None:
    metadata = {"citations": [{"startIndex": 1, "endIndex": 3, "uri": "https://a"}]}
    (text,) = choice_of(an_answer({"text": "abcd"}, citationMetadata=metadata)).parts
    assert isinstance(text, Text)
    (citation,) = text.citations
    assert (citation.url, citation.start, citation.end) == ("https://a", 1, 3)


@pytest.mark.parametrize(
    "broken", [{"groundingChunks": 1}, {"groundingSupports": [{"x": 1}]}, [], 7]
)
def test_citations_that_cannot_be_read_spoil_no_answer(broken: Any) -> None:
    (text,) = choice_of(an_answer({"text": "x"}, groundingMetadata=broken)).parts
    assert text == Text(text="x")


def test_what_only_gemini_says_is_kept_for_its_clients() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    picture = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    extras = {"groundingMetadata": GROUNDING, "urlContextMetadata": {"x": 1}, "safetyRatings": []}
    answer = an_answer({"text": "größer"}, code, picture, **extras)
    spoken = read(answer)
    _, foreign, image = spoken.choices[0].parts
    assert isinstance(foreign, Foreign)
    assert not foreign.binding
    assert image == Image(source=Source(media_type="image/png", data="AA=="))
    assert json.loads(GEMINI.write_reply(spoken, ASKED)) == answer


def test_log_probabilities_are_openai_s_in_between() -> None:
    yes, no = {"token": "Yes", "logProbability": -0.1}, {"token": "No", "logProbability": -2.0}
    result = {"chosenCandidates": [yes], "topCandidates": [{"candidates": [yes, no]}]}
    spoken = read(an_answer({"text": "Yes"}, logprobsResult=result))
    content = json.loads(bytes(spoken.choices[0].logprobs))["content"]
    assert content[0]["logprob"] == -0.1
    assert [top["token"] for top in content[0]["top_logprobs"]] == ["Yes", "No"]
    written = json.loads(GEMINI.write_reply(spoken, ASKED))
    assert written["candidates"][0]["logprobsResult"] == result


@pytest.mark.parametrize(
    ("finish", "reported", "reason"),
    [
        ("stop", "stop", "STOP"),
        ("stop_sequence", None, "STOP"),
        ("tool_calls", None, "STOP"),
        ("length", None, "MAX_TOKENS"),
        ("refusal", None, "SAFETY"),
        ("filter", "content_filter", "SAFETY"),
        ("filter", "RECITATION", "RECITATION"),
        ("pause", None, "STOP"),
    ],
)
def test_reasons_of_the_end_are_google_s(finish: Finish, reported: str | None, reason: str) -> None:
    assert write(Text(text="x"), finish=finish, reported=reported)["finishReason"] == reason


def test_thoughts_are_shown_to_those_who_asked_for_them() -> None:
    parts = (Reasoning(text="Hm.", signature="x", origin="anthropic"), Text(text="Yes."))
    assert write(*parts)["content"]["parts"] == [{"text": "Yes."}]
    shown = write(*parts, asked=SHOWN)["content"]["parts"]
    assert shown == [{"text": "Hm.", "thought": True}, {"text": "Yes."}]


def test_arguments_that_are_no_object_stand_in_one() -> None:
    call = ToolCall(id="c", name="f", arguments="[1")
    (part,) = write(call)["content"]["parts"]
    assert part["functionCall"] == {"name": "f", "args": {"arguments": "[1"}, "id": "c"}


def test_the_first_call_of_another_model_is_marked_so_that_a_gemini_goes_on_from_it() -> None:
    """Clients send calls back as they came, and Gemini 3 refuses those without a signature."""
    calls = [ToolCall(id=id, name="f", arguments="{}") for id in "ab"]
    parts = write(Text(text="x"), *calls)["content"]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [None, UNSIGNED, None]
    signed = replace(calls[0], signature="c2ln", origin="gemini")
    parts = write(signed, calls[1])["content"]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == ["c2ln", None]


def test_the_first_call_of_a_stream_is_marked_as_well() -> None:
    writer = GEMINI.event_writer(ASKED)
    began = [ToolBegan(call=number, id=str(number), name="f") for number in range(2)]
    out = writer.write([*began, Ended(finish="tool_calls")]) + writer.close()
    assert out.count(UNSIGNED.encode()) == 1
    assert out.index(b'"id":"0"') < out.index(UNSIGNED.encode()) < out.index(b'"id":"1"')


def test_a_citation_without_a_source_is_left_out() -> None:
    nowhere = Citation(quoted="x", start=0, end=1, origin="anthropic", raw=Raw(b"{}"))
    assert "groundingMetadata" not in write(Text(text="x", citations=(nowhere,)))


WORDS = st.text(min_size=1, max_size=8)
PARTS = st.lists(
    st.builds(Text, text=WORDS)
    | st.builds(Text, text=WORDS, signature=st.just("c2ln"), origin=st.just("gemini"))
    | st.builds(ToolCall, id=st.uuids().map(str), name=WORDS, arguments=st.just('{"a":[1,"b"]}'))
    | st.builds(Image, source=st.just(Source(media_type="image/png", data="AA=="))),
    max_size=4,
)
ENDS = st.sampled_from(["stop", "length"])
USAGE = Usage(input_tokens=3, output_tokens=2, reasoning_tokens=1)


def spoken_of(choices: list[tuple[list[Part], Finish]]) -> Spoken:
    made = []
    for parts, finish in choices:
        calls = any(isinstance(part, ToolCall) for part in parts)
        ended: Finish = "tool_calls" if calls and finish == "stop" else finish
        reported = "MAX_TOKENS" if finish == "length" else "STOP"
        made.append(Choice(parts=tuple(parts), finish=ended, reported=reported))
    return Spoken(id="r1", model="m", choices=tuple(made), usage=USAGE, origin="gemini")


@given(st.lists(st.tuples(PARTS, ENDS), min_size=1, max_size=2))
@settings(max_examples=150, deadline=None)
def test_an_answer_is_read_as_it_was_written(choices: list[tuple[list[Part], Finish]]) -> None:
    spoken = spoken_of(choices)
    assert GEMINI.read_reply(GEMINI.write_reply(spoken, ASKED)) == spoken


def events_for(choices: list[tuple[list[Part], Finish]]) -> list[Event]:
    """A stream that says so, choice after choice, calls in pieces."""
    spoken = spoken_of(choices)
    out: list[Event] = [Began(id="r1", model="m")]
    for index, choice in enumerate(spoken.choices):
        calls = 0
        for part in choice.parts:
            if isinstance(part, Text):
                piece = TextPiece(
                    text=part.text, choice=index, signature=part.signature, origin=part.origin
                )
                out.append(piece)
            elif isinstance(part, ToolCall):
                out.append(ToolBegan(call=calls, id=part.id, name=part.name, choice=index))
                half = len(part.arguments) // 2
                pieces = (part.arguments[:half], part.arguments[half:])
                out += [ToolPiece(call=calls, arguments=one, choice=index) for one in pieces]
                calls += 1
        assert choice.finish is not None
        out.append(Ended(finish=choice.finish, choice=index, reported=choice.reported))
    return [*out, Counted(usage=USAGE)]


def told(events: list[Event]) -> Any:
    """What events say, however finely they are cut."""
    texts: dict[int, str] = {}
    calls: dict[tuple[int, int], list[str]] = {}
    ends: dict[int, tuple[str, str | None]] = {}
    signatures: list[tuple[int, str]] = []
    usage = None
    for event in events:
        match event:
            case TextPiece():
                texts[event.choice] = texts.get(event.choice, "") + event.text
                if event.signature:
                    signatures.append((event.choice, event.signature))
            case ToolBegan():
                calls[event.choice, event.call] = [event.id, event.name, ""]
            case ToolPiece():
                calls[event.choice, event.call][2] += event.arguments
            case Ended():
                ends[event.choice] = (event.finish, event.reported)
            case Counted():
                usage = event.usage
    return {n: t for n, t in texts.items() if t}, calls, ends, signatures, usage


@given(st.lists(st.tuples(PARTS, ENDS), min_size=1, max_size=2), st.integers())
@settings(max_examples=150, deadline=None)
def test_a_stream_is_read_as_it_was_written_however_it_is_cut(
    choices: list[tuple[list[Part], Finish]], seed: int
) -> None:
    events = events_for(choices)
    writer = GEMINI.event_writer(ASKED)
    drawn = random.Random(seed)
    out, left = b"", list(events)
    while left:
        size = drawn.randint(1, 4)
        out += writer.write(left[:size])
        left = left[size:]
    out += writer.close()
    assert writer.close() == b""
    reader, buffer, read_back = GEMINI.event_reader(), sse.EventBuffer(), list[Event]()
    while out:
        size = drawn.randint(1, 60)
        read_back += reader.read(buffer.feed(out[:size]))
        out = out[size:]
    assert told(read_back) == told(events)


def test_thoughts_begin_where_something_else_was_said() -> None:
    thought = {"text": "Hm", "thought": True}
    events = events_of(an_answer(thought), an_answer(thought, {"text": "x"}, thought))
    begins = [event.begins for event in events if isinstance(event, ReasoningPiece)]
    assert begins == [True, False, True]


def test_pictures_in_streams_are_pieces_of_gemini_s() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    piece = next(e for e in events_of(an_answer(picture)) if isinstance(e, ForeignPiece))
    assert json.loads(bytes(piece.raw)) == picture
    writer = GEMINI.event_writer(ASKED)
    assert b'"inlineData"' in writer.write([piece])


def test_an_error_in_a_stream_is_raised() -> None:
    with pytest.raises(ServerFailed, match="overloaded"):
        events_of({"error": {"code": 503, "message": "overloaded"}})


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (InvalidRequest("bad", param="contents[0]"), 400, "INVALID_ARGUMENT"),
        (AuthenticationFailed("who?"), 401, "UNAUTHENTICATED"),
        (Overloaded("later", retry_after=2.5), 429, "RESOURCE_EXHAUSTED"),
        (AllPathsFailed(["a"], retry_after=3), 503, "UNAVAILABLE"),
        (DeadlineExceeded("late"), 504, "DEADLINE_EXCEEDED"),
        (ServerFailed("broken", status=200), 502, "UNAVAILABLE"),
        (UpstreamRejected("no", status=422, body=b'{"error": "x"}'), 422, "INVALID_ARGUMENT"),
        (TierwiseError("secret"), 500, "INTERNAL"),
    ],
)
def test_errors_have_google_s_shape(error: TierwiseError, status: int, word: str) -> None:
    code, body, headers = GEMINI.error(error)
    told_ = json.loads(body)["error"]
    assert (code, told_["code"], told_["status"]) == (status, status, word)
    assert "secret" not in told_["message"]
    kinds = {detail["@type"].rpartition(".")[2]: detail for detail in told_["details"]}
    assert "reason" in kinds["ErrorInfo"]
    if isinstance(error, InvalidRequest):
        assert kinds["BadRequest"]["fieldViolations"][0]["field"] == "contents[0]"
    if isinstance(error, Overloaded):
        assert kinds["RetryInfo"]["retryDelay"] == "2.500s"
        assert headers == {"retry-after": "3"}
    assert sse.payload(GEMINI.error_event(error)) == body


def test_a_deadline_that_passed_says_when_to_come_back() -> None:
    _, body, headers = GEMINI.error(DeadlineExceeded("late", retry_after=2.2))
    assert headers == {"retry-after": "3"}
    assert json.loads(body)["error"]["details"][-1]["retryDelay"] == "2.200s"
    _, body, headers = GEMINI.error(DeadlineExceeded("late", retry_after=0.0))
    assert headers == {"retry-after": "1"}
    assert json.loads(body)["error"]["details"][-1]["retryDelay"] == "1.000s"


def test_google_s_own_errors_pass_as_they_are() -> None:
    body = b'{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT", "x": 1}}'
    assert GEMINI.error(UpstreamRejected("no", status=400, body=body))[:2] == (400, body)


@pytest.mark.parametrize("said", [{"message": 7}, {"status": None}, {"code": "400"}])
def test_what_only_looks_like_google_s_own_error_is_put_into_its_shape(said: Any) -> None:
    error = {"code": 400, "message": "no", "status": "INVALID_ARGUMENT", **said}
    body = json.dumps({"error": error}).encode()
    shown = json.loads(GEMINI.error(UpstreamRejected("bad", status=400, body=body))[1])["error"]
    assert (shown["code"], shown["message"]) == (400, "bad")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=8,
)
FULL = {
    **an_answer(
        {"text": "größer", "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {"a": 1}, "id": "x"}},
        {"inlineData": {"mimeType": "image/png", "data": ""}},
        {"executableCode": {"code": "1"}},
        groundingMetadata=GROUNDING,
        citationMetadata={"citations": [{"startIndex": 1, "endIndex": 3, "uri": "https://a"}]},
        logprobsResult={"chosenCandidates": [{"token": "x", "logProbability": -1.0}]},
    ),
    "promptFeedback": {"blockReason": "OTHER"},
    "createTime": "2026-02-15T07:50:39.884152Z",
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else []
    for name, one in enumerate(value) if isinstance(value, list) else inner:
        found += places(one, (*path, name))
    return found


@given(st.sampled_from(places(FULL)), JSON)
@settings(max_examples=400, deadline=None)
def test_an_answer_with_anything_in_any_place_is_read_or_none(
    place: tuple[Any, ...], value: Any
) -> None:
    answer = json.loads(json.dumps(FULL))
    holder = answer
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    body = json.dumps(answer).encode()
    with contextlib.suppress(msgspec.MsgspecError):
        assert GEMINI.write_reply(GEMINI.read_reply(body), SHOWN)
    with contextlib.suppress(msgspec.MsgspecError, ServerFailed):
        writer = GEMINI.event_writer(SHOWN)
        events = GEMINI.event_reader().read(b"data: " + body + b"\n\n")
        assert isinstance(writer.write(events) + writer.close(), bytes)


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_an_answer_with_any_bytes_in_it_is_read_or_none(place: int, data: bytes) -> None:
    body = json.dumps(FULL, ensure_ascii=False).encode()
    place %= len(body)
    body = body[:place] + data + body[place + len(data) :]
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
        assert GEMINI.write_reply(GEMINI.read_reply(body), SHOWN)
