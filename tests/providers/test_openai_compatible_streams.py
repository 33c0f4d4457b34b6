"""A stream passes as it is but for what the caller did not ask for, and what is broken is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import DONE, a_chunk, a_deployment, a_stream, a_task, an_answer
from tierwise.errors import (
    ContextTooLong,
    OutOfService,
    RateLimited,
    ServerFailed,
    StreamBroken,
    UpstreamError,
)
from tierwise.providers.base import StreamReader
from tierwise.providers.openai_compatible import OpenAICompatible
from tierwise.types import Completion, Task, ToolCall, Usage
from tierwise.wire import sse
from tierwise.wire.chat.dialect import CHAT
from tierwise.wire.spoken import Counted


def an_adapter(**fields: Any) -> OpenAICompatible:
    return OpenAICompatible(a_deployment(**fields))


def read(
    parts: list[bytes], task: Task | None = None, *, keep: bool = False, rename: str | None = None
) -> tuple[bytes, StreamReader]:
    """What a client gets of a stream, renamed after its first event if asked for."""
    reader = an_adapter().stream_reader(task or a_task(stream=True), keep=keep)
    out = b""
    for part in parts:
        block = reader.feed(part)
        if rename is not None and block:
            block, rename = reader.rename(rename, block), None
        out += block
    return out + reader.close(), reader


def with_usage() -> Task:
    return a_task(stream=True, stream_options={"include_usage": True})


def test_a_stream_whose_caller_wants_usage_is_handed_on_as_it_is() -> None:
    events = a_stream()
    out, reader = read(events, with_usage())
    assert out == b"".join(events)
    assert reader.usage == Usage(input_tokens=100, output_tokens=50)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_usage_that_only_we_asked_for_is_hidden(newline: bytes) -> None:
    events = a_stream()
    out, reader = read([b"".join(events).replace(b"\n", newline)])
    assert list(sse.events(out)) == [event.strip() for event in (*events[:-2], DONE)]
    assert reader.usage == Usage(input_tokens=100, output_tokens=50)


def test_usage_on_the_last_chunk_with_a_choice_is_not_hidden() -> None:
    last = a_chunk(finish_reason="stop", usage={"prompt_tokens": 3, "completion_tokens": 4})
    events = [a_chunk("hi"), last, DONE]
    out, reader = read(events)
    assert out == b"".join(events)
    assert reader.usage == Usage(input_tokens=3, output_tokens=4)


@pytest.mark.parametrize("keep", [False, True])
def test_a_stream_reads_the_same_wherever_it_is_cut(keep: bool) -> None:
    stream = b": hello\n\n" + b"".join(a_stream("größer 東京 so"))
    expected, _ = read([stream])
    for cut in range(len(stream) + 1):
        out, reader = read([stream[:cut], stream[cut:]], keep=keep)
        assert out == expected
        assert (reader.started, reader.finished) == (True, True)
        assert reader.usage == Usage(input_tokens=100, output_tokens=50)
    out, _ = read([stream[i : i + 1] for i in range(len(stream))], keep=keep)
    assert out == expected


def test_a_comment_does_not_start_a_stream() -> None:
    reader = an_adapter().stream_reader(a_task(stream=True))
    assert reader.feed(b": PROCESSING\n\n") == b": PROCESSING\n\n"
    assert not reader.started


def test_what_a_stream_said_is_remembered_if_asked_for() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    tools = a_chunk(choices=[{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}])
    _, reader = read([a_chunk("a"), a_chunk("b"), tools, *a_stream("c")[1:]], keep=True)
    assert reader.completion() == Completion(
        text="ab", finish_reason="stop", tool_calls=(ToolCall(id="c", name="f", arguments="{}"),)
    )


def test_a_missing_end_marker_is_added() -> None:
    events = a_stream()[:-1]
    out, _ = read(events, with_usage())
    assert out == b"".join(events) + DONE


def test_a_missing_last_blank_line_is_added() -> None:
    events = a_stream()
    out, reader = read([b"".join(events)[:-2]], with_usage())
    assert out == b"".join(events)
    assert reader.usage is not None


def test_usage_without_a_last_blank_line_is_counted() -> None:
    events = a_stream()[:-1]
    _, reader = read([b"".join(events)[:-2]], with_usage())
    assert reader.usage == Usage(input_tokens=100, output_tokens=50)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
@pytest.mark.parametrize("half", [b'data: {"choices":[{"delta":{"conte', b"data: oops"])
def test_half_an_event_in_the_middle_is_refused_before_a_client_meets_it(
    half: bytes, end: bytes
) -> None:
    reader = an_adapter().stream_reader(a_task(stream=True))
    assert reader.feed(a_chunk("good")) == a_chunk("good")
    with pytest.raises(ServerFailed, match="an event is not whole"):
        reader.feed(a_chunk("good") + half + end)


@pytest.mark.parametrize(
    "odd",
    [
        b": a comment\n\n",
        b"event: ping\ndata: {}\n\n",
        b"data:\n\n",
        b'data: {"choices":\ndata: []}\n\n',
        a_chunk("data: {\n\n}"),
        a_chunk("good").replace(b"\n", b"\r\n"),
    ],
)
def test_what_is_unusual_and_whole_passes_as_it_is(odd: bytes) -> None:
    reader = an_adapter().stream_reader(a_task(stream=True))
    assert reader.feed(a_chunk("good")) == a_chunk("good")
    assert reader.feed(odd) == odd


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b": only a comment\n\n"],
        [a_chunk("half")],
        [a_chunk("half"), b'data: {"choices":'],
        [b'{"id":"not a stream"}'],
    ],
)
def test_a_stream_that_ends_too_early_is_broken(parts: list[bytes]) -> None:
    with pytest.raises((StreamBroken, ServerFailed)):
        read(parts)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "x", "code": "rate_limit_exceeded"}, RateLimited),
        ({"message": "x", "code": 402}, OutOfService),
        ({"message": "x", "code": "context_length_exceeded"}, ContextTooLong),
        ({"message": "x", "type": "server_error"}, ServerFailed),
        ("overloaded", ServerFailed),
    ],
)
@pytest.mark.parametrize("before", [[], [a_chunk("hi")]], ids=["at once", "later"])
def test_an_error_in_a_stream_is_raised(
    before: list[bytes], error: Any, kind: type[UpstreamError]
) -> None:
    event = b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    with pytest.raises(kind):
        read([*before, event])


def test_a_stream_whose_answer_ends_with_an_error_is_no_answer() -> None:
    end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n'
    with pytest.raises(ServerFailed, match="ended with an error"):
        read([a_chunk("hi"), end])


def test_an_event_without_choices_may_say_so_with_null() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    count = b"data: " + json.dumps({"choices": None, "usage": usage}).encode() + b"\n\n"
    end = b'data: {"choices":[{"index":null,"delta":{},"finish_reason":"stop"}]}\n\n'
    stream = [a_chunk("hi"), end, count, b"data: [DONE]\n\n"]
    assert read(stream)[1].usage == Usage(input_tokens=1, output_tokens=2)
    said = [event for block in stream for event in CHAT.event_reader().read(block)]
    assert said[-1] == Counted(usage=Usage(input_tokens=1, output_tokens=2))


def test_a_chunk_with_an_error_beside_its_choices_is_an_error() -> None:
    with pytest.raises(ServerFailed, match="disconnected"):
        read(
            [a_chunk("hi"), a_chunk("", error={"message": "disconnected", "code": "server_error"})]
        )


def test_chunks_with_an_error_of_null_are_no_errors() -> None:
    events = [a_chunk("hi", error=None), a_chunk(finish_reason="stop", error=None), DONE]
    assert read(events)[0] == b"".join(events)


def test_words_about_errors_and_usage_are_only_words() -> None:
    words = '{"error": {"usage": {"finish_reason": "stop"}}} data: [DONE]'
    events = [a_chunk(words), *a_stream("x")[1:]]
    out, _ = read(events, with_usage())
    assert out == b"".join(events)


PAGE = b"<!DOCTYPE html>\n<html>\n\n<body>key hunter2hunter2</body>\n</html>"


@pytest.mark.parametrize("before", [[], [b": PROCESSING\n\n"]], ids=["at once", "after a comment"])
@pytest.mark.parametrize(
    ("body", "begins"),
    [
        (PAGE, "<!DOCTYPE html> <html>"),
        (
            PAGE.replace(b"\n\n", b"\n"),
            "<!DOCTYPE html> <html> <body>key [redacted]</body> </html>",
        ),
        (json.dumps(an_answer()).encode(), '{"id": "chatcmpl-1"'),
        (b"upstream connect failure", "upstream connect failure"),
    ],
    ids=["page", "page without blank lines", "whole answer", "words"],
)
def test_something_else_in_place_of_a_stream_is_shown(
    body: bytes, begins: str, before: list[bytes]
) -> None:
    reader = an_adapter(api_key="hunter2hunter2").stream_reader(a_task(stream=True))
    for part in (*before, body):
        reader.feed(part)
    with pytest.raises(ServerFailed) as caught:
        reader.close()
    assert caught.value.message.startswith(f"the answer is not a stream but begins with {begins}")
    assert len(caught.value.message) < 150


def test_an_error_in_place_of_a_stream_is_what_it_says() -> None:
    with pytest.raises(RateLimited, match="slow down"):
        read([b'{"error":{"message":"slow down","code":429}}'])


@pytest.mark.parametrize("parts", [[], [b": only a comment\n\n"], [b"event: ping\n\n"]])
def test_a_stream_that_never_began_is_not_said_to_have_ended_in_the_middle(
    parts: list[bytes],
) -> None:
    with pytest.raises(StreamBroken, match="before its first event"):
        read(parts)


def test_strange_lines_before_a_stream_are_passed_over() -> None:
    events = a_stream()
    out, _ = read([b"whatever\n\n", *events], with_usage())
    assert out == b"whatever\n\n" + b"".join(events)
    with pytest.raises(StreamBroken, match="in the middle"):
        read([b"whatever\n\n", *events[:2]])


def test_garbage_in_a_stream_is_a_failed_server() -> None:
    with pytest.raises(ServerFailed):
        read([b"data: <html>\n\n"])


@pytest.mark.parametrize("name", ["other", 'back\\slash\\1 "quoted" \\g<0>', "größe"])
def test_every_chunk_names_the_model_that_answered(name: str) -> None:
    says_model = '"model":"small" and \\"model\\":\\"small\\"'
    events = [a_chunk(says_model), a_chunk("b"), *a_stream("c")[1:]]
    out, _ = read(events, with_usage(), rename=name)
    chunks = [json.loads(event[6:]) for event in sse.events(out) if event != b"data: [DONE]"]
    assert {chunk["model"] for chunk in chunks} == {name}
    assert chunks[0]["choices"][0]["delta"]["content"] == says_model
    assert len(chunks) == len(events) - 1


def test_output_is_counted_roughly_for_providers_that_do_not_count() -> None:
    _, reader = read([a_chunk("word") for _ in range(100)] + a_stream("x")[1:])
    assert 400 <= reader.output_chars <= 420
