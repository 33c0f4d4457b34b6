"""The adapter changes what it must, and not a byte more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import DONE, a_chunk, a_deployment, a_stream, a_task, an_answer
from tierwise.config.presets import PRESETS
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


def sent(adapter: OpenAICompatible, task: Task) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(adapter.request(task).body)
    return body


# --- requests


@pytest.mark.parametrize(
    "quirks", [(), ("max-tokens",), ("max-completion-tokens",), ("usage-cost",)]
)
def test_a_body_that_needs_no_change_is_sent_as_it_is(quirks: tuple[str, ...]) -> None:
    task = a_task('the words "max_tokens" and "max_completion_tokens"', model="small")
    adapter = an_adapter(quirks=frozenset(quirks))
    assert adapter.request(task).body is task.body


@pytest.mark.parametrize(
    ("quirk", "field"),
    [("max-tokens", "max_tokens"), ("max-completion-tokens", "max_completion_tokens")],
)
def test_a_limit_under_the_right_name_is_left_alone(quirk: str, field: str) -> None:
    fields: dict[str, Any] = {field: 5}
    task = a_task(model="small", **fields)
    assert an_adapter(quirks=frozenset({quirk})).request(task).body is task.body


def test_the_model_is_named_as_the_provider_names_it() -> None:
    task = a_task(model="auto", temperature=0.5, something_new={"a": [1]})
    body = sent(an_adapter(upstream_model='vendor/"odd"-model'), task)
    assert body == {**json.loads(task.body), "model": 'vendor/"odd"-model'}


def test_a_call_goes_to_chat_completions_with_key_and_headers() -> None:
    request = an_adapter(
        base_url="http://host/v1/", api_key="k", headers=(("x-team", "a"),)
    ).request(a_task())
    assert request.url == "http://host/v1/chat/completions"
    assert request.headers == {
        "content-type": "application/json",
        "authorization": "Bearer k",
        "x-team": "a",
    }


def test_without_a_key_no_authorization_is_sent() -> None:
    assert "authorization" not in an_adapter().request(a_task()).headers


@pytest.mark.parametrize(
    ("options", "quirks", "expected"),
    [
        (None, (), {"include_usage": True}),
        ({"include_usage": True}, (), {"include_usage": True}),
        ({"include_usage": False}, (), {"include_usage": True}),
        (
            {"include_obfuscation": False},
            (),
            {"include_obfuscation": False, "include_usage": True},
        ),
        (None, ("no-stream-options",), None),
        ({"include_usage": True}, ("no-stream-options",), None),
        ({"include_obfuscation": False}, ("no-stream-options",), None),
    ],
)
def test_usage_is_asked_for_where_the_provider_must_be_asked(
    options: Any, quirks: tuple[str, ...], expected: Any
) -> None:
    task = a_task(model="small", stream=True, **({"stream_options": options} if options else {}))
    assert sent(an_adapter(quirks=frozenset(quirks)), task).get("stream_options") == expected


WISHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"reasoning": {"effort": "high", "exclude": True}}, {"reasoning_effort": "high"}),
    ({"reasoning": {"max_tokens": 2000}}, {"reasoning_effort": "low"}),
    ({"reasoning": {"enabled": False}}, {"reasoning_effort": "none"}),
    ({"reasoning": {"enabled": True}}, {}),
    ({"reasoning": "odd"}, {}),
    ({"reasoning": {"effort": "high"}, "reasoning_effort": "low"}, {"reasoning_effort": "low"}),
]
"""OpenRouter's object, and what of it those are told who have a word alone."""


@pytest.mark.parametrize(("fields", "said"), WISHES)
@pytest.mark.parametrize("preset", ["openai", "azure", "groq", "xai", "fireworks", "deepseek"])
def test_who_has_a_word_alone_for_thinking_is_told_the_nearest(
    preset: str, fields: dict[str, Any], said: dict[str, Any]
) -> None:
    body = sent(an_adapter(quirks=PRESETS[preset].quirks), a_task(model="small", **fields))
    assert {name: body[name] for name in body if name.startswith("reasoning")} == said


@pytest.mark.parametrize("fields", [fields for fields, _ in WISHES])
@pytest.mark.parametrize("preset", ["openrouter", "together", "sglang", "openai_compatible"])
def test_openrouters_object_passes_to_whoever_may_know_it(
    preset: str, fields: dict[str, Any]
) -> None:
    task = a_task(model="small", **fields)
    assert an_adapter(quirks=PRESETS[preset].quirks).request(task).body is task.body


def test_thoughts_in_a_conversation_are_no_wish_to_think() -> None:
    task = a_task('the word "reasoning"', model="small")
    adapter = an_adapter(quirks=PRESETS["openai"].quirks)
    assert adapter.request(task).body is task.body


def test_a_stream_that_asks_for_usage_itself_is_sent_as_it_is() -> None:
    task = a_task(model="small", stream=True, stream_options={"include_usage": True})
    assert an_adapter().request(task).body is task.body


def test_usage_is_not_asked_for_without_a_stream() -> None:
    assert "stream_options" not in sent(an_adapter(), a_task())


def test_a_null_stream_option_is_replaced() -> None:
    task = a_task(model="small", stream=True, stream_options=None)
    assert sent(an_adapter(), task)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("quirk", "fields", "expected"),
    [
        ("max-tokens", {"max_completion_tokens": 7}, {"max_tokens": 7}),
        ("max-tokens", {"max_completion_tokens": 7, "max_tokens": 9}, {"max_tokens": 7}),
        ("max-tokens", {"max_completion_tokens": None, "max_tokens": 9}, {"max_tokens": 9}),
        ("max-tokens", {"max_completion_tokens": None}, {}),
        ("max-completion-tokens", {"max_tokens": 7}, {"max_completion_tokens": 7}),
    ],
)
def test_the_limit_has_the_name_that_the_provider_knows(
    quirk: str, fields: dict[str, Any], expected: dict[str, int]
) -> None:
    body = sent(an_adapter(quirks=frozenset({quirk})), a_task(**fields))
    names = ("max_tokens", "max_completion_tokens")
    assert {name: body[name] for name in names if name in body} == expected


# --- whole answers


def test_an_answer_is_handed_on_as_it_is() -> None:
    raw = json.dumps(an_answer(), indent=3).encode()
    reply = an_adapter().reply(raw, a_task())
    assert reply.body is raw
    assert (reply.reported_model, reply.usage) == (
        "small",
        Usage(input_tokens=100, output_tokens=50),
    )
    assert reply.completion() == Completion(text="Paris.", finish_reason="stop")


def test_a_renamed_answer_keeps_everything_else() -> None:
    answer = an_answer(model="gpt-x")
    reply = an_adapter().reply(json.dumps(answer).encode(), a_task())
    reply.rename('back\\slash "and" quote')
    assert json.loads(reply.body) == {**answer, "model": 'back\\slash "and" quote'}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"{}",
        b"null",
        b'{"choices":[]}',
        b'{"choices":null}',
        b'{"choices":"x"}',
        b"\xff",
        b"[" * 100_000,
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_garbage_behind_a_200_is_a_failed_server(raw: bytes) -> None:
    with pytest.raises(ServerFailed):
        an_adapter().reply(raw, a_task())


@pytest.mark.parametrize("content", [5, {"a": 1}, [5]])
def test_an_answer_whose_words_cannot_be_read_is_a_failed_server(content: Any) -> None:
    answer = an_answer()
    answer["choices"][0]["message"]["content"] = content
    reply = an_adapter().reply(json.dumps(answer).encode(), a_task())
    with pytest.raises(ServerFailed):
        reply.completion()


ODD_USAGES: list[Any] = [
    {"prompt_tokens": -5, "completion_tokens": 50},
    {"prompt_tokens": 10**25, "completion_tokens": 50},
    {"prompt_tokens": {}, "completion_tokens": 50},
    [],
    [{"prompt_tokens": 5}],
    "none",
    7,
]


@pytest.mark.parametrize("usage", ODD_USAGES)
def test_a_good_answer_with_an_odd_usage_is_a_good_answer(usage: Any) -> None:
    raw = json.dumps({**an_answer("Paris."), "usage": usage}).encode()
    reply = an_adapter().reply(raw, a_task())
    assert reply.body is raw
    assert reply.usage is None
    assert reply.completion().text == "Paris."


@pytest.mark.parametrize("usage", ODD_USAGES)
@pytest.mark.parametrize("keep", [False, True])
def test_a_good_stream_with_an_odd_usage_is_a_good_stream(usage: Any, keep: bool) -> None:
    events = [a_chunk("Paris."), a_chunk(finish_reason="stop")]
    out, reader = read([*events, a_chunk(choices=[], usage=usage), DONE], keep=keep)
    assert out == b"".join([*events, DONE])
    assert reader.usage is None


COSTLY = {"prompt_tokens": 100, "completion_tokens": 50, "cost": 0.125}


@pytest.mark.parametrize(("quirks", "cost"), [((), None), (("usage-cost",), 0.125)])
def test_only_a_provider_that_bills_by_it_is_believed_a_cost(
    quirks: tuple[str, ...], cost: float | None
) -> None:
    adapter = an_adapter(quirks=frozenset(quirks))
    reply = adapter.reply(json.dumps(an_answer(usage=COSTLY)).encode(), a_task())
    reader = adapter.stream_reader(a_task(stream=True))
    reader.feed(b"".join(a_stream(usage=COSTLY)))
    expected = Usage(input_tokens=100, output_tokens=50, cost_usd=cost)
    assert reply.usage == reader.usage == expected


def test_of_the_known_providers_only_openrouter_bills_by_the_cost_it_names() -> None:
    assert [name for name, p in PRESETS.items() if "usage-cost" in p.quirks] == ["openrouter"]


def test_an_error_behind_a_200_is_what_it_says() -> None:
    raw = b'{"error":{"message":"sk-abcdefgh is rate limited","code":429}}'
    with pytest.raises(RateLimited) as caught:
        an_adapter().reply(raw, a_task())
    assert caught.value.message == "[redacted] is rate limited"


def test_a_choice_that_is_an_error_is_no_answer() -> None:
    """OpenRouter tells of it in the choice, Mistral by its finish alone."""
    answer = an_answer()
    answer["choices"][0] |= {"finish_reason": "error"}
    with pytest.raises(ServerFailed, match="ended with an error"):
        an_adapter().reply(json.dumps(answer).encode(), a_task())
    answer["choices"][0]["error"] = {"code": 429, "message": "slow down"}
    with pytest.raises(RateLimited, match="slow down"):
        an_adapter().reply(json.dumps(answer).encode(), a_task())


def test_keys_in_headers_are_hidden_like_the_key_itself() -> None:
    adapter = an_adapter(headers=(("x-api-key", "hunter2hunter2"), ("x-team", "blue")))
    error = adapter.error(401, {}, b'{"error":"hunter2hunter2 of team blue is wrong"}')
    assert error.message == "[redacted] of team blue is wrong"


# --- streams


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


def test_what_the_provider_does_not_take_is_left_out_of_what_it_is_asked() -> None:
    adapter = an_adapter(lacks=frozenset({"logprobs", "top_k"}))
    plain = a_task(temperature=0.5, model="small")
    assert adapter.request(plain).body is plain.body
    body = sent(adapter, a_task(temperature=0.5, logprobs=True, top_logprobs=2, top_k=4))
    assert body["temperature"] == 0.5
    assert not {"logprobs", "top_logprobs", "top_k"} & body.keys()
    assert "logprobs" not in sent(adapter.asking_logprobs(), plain)


def test_a_provider_that_wants_thoughts_back_finds_them_in_each_message() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "blue"},
    ]
    task = a_task(messages=messages, model="small")
    assert an_adapter().request(task).body is task.body
    wanting = an_adapter(quirks=frozenset({"thoughts-back"}))
    assert sent(wanting, task)["messages"][1]["reasoning_content"] == ""
