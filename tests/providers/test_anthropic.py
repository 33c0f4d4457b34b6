"""The native adapter of Anthropic changes what it must, and not a byte more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

import builders
from messages_api import (
    a_block,
    a_body,
    a_call,
    a_start,
    a_task,
    a_text,
    an_adapter,
    an_answer,
    an_end,
    an_event,
    events_of,
)
from tierwise.errors import (
    ContextTooLong,
    OutOfService,
    RateLimited,
    ServerFailed,
    StreamBroken,
    UpstreamError,
    UpstreamRejected,
)
from tierwise.providers.anthropic import Anthropic
from tierwise.providers.base import StreamReader, load_adapter
from tierwise.providers.translating import speaking
from tierwise.types import Completion, Task, ToolCall, Usage

STREAM = a_start() + an_event("ping") + a_text(0, "He", "llo") + an_end()
SAID = Completion(text="Hello", finish_reason="stop")


def sent(adapter: Anthropic, task: Task) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(adapter.request(task).body or b"")
    return body


def a_reader(*, keep: bool = False, **fields: Any) -> StreamReader:
    return an_adapter(**fields).stream_reader(a_task(stream=True), keep=keep)


# --- requests


def test_it_is_found_by_its_name() -> None:
    assert load_adapter("anthropic") is Anthropic


def test_a_body_that_needs_no_change_is_sent_as_it_is() -> None:
    task = a_task(model="small", something_new={"a": [1]})
    assert an_adapter().request(task).body is task.body


def test_the_model_is_named_as_the_provider_names_it() -> None:
    task = a_task(model="auto", something_new={"a": [1]})
    body = sent(an_adapter(upstream_model="claude-x"), task)
    assert body == {**json.loads(task.body), "model": "claude-x"}


@pytest.mark.parametrize("base_url", ["http://host", "http://host/", "http://host/v1"])
def test_a_call_goes_to_messages_with_key_version_and_headers(base_url: str) -> None:
    request = an_adapter(
        base_url=base_url, api_key="k", headers=(("anthropic-beta", "a"), ("x-team", "t"))
    ).request(a_task())
    assert request.url == "http://host/v1/messages"
    assert request.headers == {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "k",
        "anthropic-beta": "a",
        "x-team": "t",
    }


def test_a_version_of_the_deployment_s_own_is_kept() -> None:
    request = an_adapter(headers=(("anthropic-version", "2099-01-01"),)).request(a_task())
    assert request.headers["anthropic-version"] == "2099-01-01"


def test_trials_of_deployment_and_caller_go_together() -> None:
    task = replace(a_task(), betas=("b", "a"))
    assert an_adapter(headers=(("anthropic-beta", "a, c"),)).request(task).headers[
        "anthropic-beta"
    ] == ("a,c,b")
    assert an_adapter().request(task).headers["anthropic-beta"] == "b,a"


@pytest.mark.parametrize(
    ("known", "thinking", "expected"),
    [(None, None, 4096), (32_000, None, 32_000), (None, 10_000, 14_096)],
)
def test_a_limit_is_put_in_for_callers_who_gave_none(
    known: int | None, thinking: int | None, expected: int
) -> None:
    fields = {"thinking": {"type": "enabled", "budget_tokens": thinking}} if thinking else {}
    task = replace(a_task(), body=a_body(max_tokens=None, **fields), max_output_tokens=None)
    assert sent(an_adapter(max_output_tokens=known), task)["max_tokens"] == expected


def test_a_chat_client_without_a_limit_is_served_with_the_model_s() -> None:
    task = builders.a_task("Hi", model="small")
    adapter = speaking(an_adapter(max_output_tokens=8192), task)
    assert json.loads(adapter.request(task).body or b"") == {
        "model": "small",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "max_tokens": 8192,
    }


def a_loop(*first: dict[str, Any]) -> list[dict[str, Any]]:
    """A question, a call of a tool with what stands before it, and the result of the call."""
    result = {"type": "tool_result", "tool_use_id": "c", "content": "sunny"}
    return [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [*first, {**a_call(), "id": "c"}]},
        {"role": "user", "content": [result]},
    ]


def chat_loop() -> Task:
    """The same, of a client of OpenAI's that wants an effort and has kept no thoughts."""
    function = {"name": "weather", "arguments": "{}"}
    messages = [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
    ]
    return builders.a_task("", messages=messages, reasoning_effort="high")


def test_a_call_that_was_not_thought_about_is_not_gone_on_from_with_a_count_to_think() -> None:
    """Claude refuses it: expected `thinking`, but found `tool_use`."""
    old = an_adapter(upstream_model="claude-sonnet-4-5", max_output_tokens=64_000)
    assert "thinking" not in sent(speaking(old, chat_loop()), chat_loop())
    new = an_adapter(upstream_model="claude-sonnet-4-6", max_output_tokens=64_000)
    assert sent(speaking(new, chat_loop()), chat_loop())["thinking"] == {"type": "adaptive"}
    first = builders.a_task("Hi", reasoning_effort="high")
    assert sent(speaking(old, first), first)["thinking"]["type"] == "enabled"


def test_thoughts_of_another_provider_take_those_of_the_next_answer_with_them() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    foreign = {"type": "thinking", "thinking": "of another", "signature": ""}
    own = {**foreign, "signature": "s"}
    moved = a_task(a_loop(foreign), thinking=thinking, max_tokens=4000)
    assert "thinking" not in sent(an_adapter(), moved)
    mixed = a_loop(own) + a_loop(foreign)[1:]
    for messages in (a_loop(own), mixed):
        kept = a_task(messages, thinking=thinking, max_tokens=4000)
        assert sent(an_adapter(), kept)["thinking"] == thinking


def test_a_client_of_anthropic_s_own_is_told_by_anthropic_what_is_wrong() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    task = a_task(a_loop(), model="small", thinking=thinking, max_tokens=4000)
    assert an_adapter().request(task).body == task.body


def test_thoughts_without_a_signature_are_taken_out() -> None:
    foreign = {"type": "thinking", "thinking": "of another", "signature": ""}
    own = {"type": "thinking", "thinking": "", "signature": "s"}
    messages = [
        {"role": "user", "content": 'the words "signature": ""'},
        {"role": "assistant", "content": [foreign, own, {"type": "text", "text": "a"}]},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": [foreign]},
        {"role": "user", "content": [{"type": "text", "text": "c"}]},
    ]
    body = sent(an_adapter(), a_task(messages, model="small"))
    assert body["messages"] == [
        messages[0],
        {"role": "assistant", "content": [own, {"type": "text", "text": "a"}]},
        messages[2],
        messages[4],
    ]


def test_an_input_that_looks_like_an_empty_signature_is_left_alone() -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [a_call(signature="", type="thinking")]},
    ]
    assert sent(an_adapter(), a_task(messages))["messages"] == messages


def test_a_sign_of_life_asks_for_the_models() -> None:
    request = an_adapter(base_url="http://host", api_key="k").sign_of_life()
    assert (request.url, request.body) == ("http://host/v1/models", None)
    assert request.headers["x-api-key"] == "k"


@pytest.mark.parametrize(
    ("model", "does"),
    [
        ("claude-3-5-haiku-latest", True),
        ("claude-3-haiku-20240307", True),
        ("claude-opus-4-1", True),
        ("claude-sonnet-4-20250514", True),
        ("claude-sonnet-4-5-20250929", True),
        ("claude-haiku-4-5", True),
        ("claude-opus-4-6", False),
        ("claude-sonnet-4-6", False),
        ("claude-sonnet-5", False),
        ("claude-haiku-5-5", False),
        ("claude-fable-5", False),
    ],
)
def test_models_before_4_6_go_on_from_what_was_said(model: str, *, does: bool) -> None:
    adapter = an_adapter(upstream_model=model)
    for task in (a_task(), builders.a_task()):
        begun = adapter.prefilled(task, "Once")
        assert (begun is not None) is does
        if begun is not None:
            last = json.loads(begun.body)["messages"][-1]
            assert last == {"role": "assistant", "content": "Once"}


def test_a_model_of_another_name_begins_anew() -> None:
    assert an_adapter(upstream_model="glm-5.3").prefilled(a_task(), "Once") is None


@pytest.mark.parametrize("field", ["reasoning", "json_mode"])
def test_who_thinks_or_keeps_to_a_form_begins_anew(field: str) -> None:
    task = replace(a_task(), **{field: True})
    assert an_adapter(upstream_model="claude-haiku-4-5").prefilled(task, "Once") is None


# --- whole answers


def test_an_answer_passes_as_it_is_and_is_accounted_for() -> None:
    usage = {"input_tokens": 1, "cache_read_input_tokens": 20, "output_tokens": 3}
    body = json.dumps(an_answer("Hi", a_call(a=1), usage=usage, stop_reason="tool_use")).encode()
    reply = an_adapter().reply(body, a_task())
    assert reply.body is body
    assert reply.reported_model == "claude-small"
    assert reply.usage == Usage(input_tokens=21, cached_input_tokens=20, output_tokens=3)
    call = ToolCall(id="toolu_weather", name="weather", arguments='{"a": 1}')
    assert reply.completion() == Completion(
        text="Hi", finish_reason="tool_calls", tool_calls=(call,)
    )
    reply.rename("other")
    assert json.loads(reply.body) == {**json.loads(body), "model": "other"}


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"content":"x"}', b"\xff"])
def test_what_is_no_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(ServerFailed, match="cannot be read"):
        an_adapter().reply(body, a_task())


def test_an_error_behind_a_200_is_an_error() -> None:
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}'
    with pytest.raises(RateLimited, match="slow down"):
        an_adapter().reply(body, a_task())


# --- errors


@pytest.mark.parametrize(
    ("status", "kind", "message", "expected"),
    [
        (529, "overloaded_error", "Overloaded", ServerFailed),
        (500, "api_error", "Internal server error", ServerFailed),
        (429, "rate_limit_error", "Number of request tokens has exceeded your", RateLimited),
        (401, "authentication_error", "invalid x-api-key", OutOfService),
        (403, "permission_error", "Your API key does not have permission", OutOfService),
        (404, "not_found_error", "model: claude-none", OutOfService),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            OutOfService,
        ),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 208310 tokens > 200000 maximum",
            ContextTooLong,
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 198000 + 8192 > 200000",
            ContextTooLong,
        ),
        (400, "invalid_request_error", "temperature: range: 0..1", UpstreamRejected),
        (413, "request_too_large", "Request exceeds the maximum size", UpstreamRejected),
    ],
)
def test_an_error_is_what_it_says(
    status: int, kind: str, message: str, expected: type[UpstreamError]
) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
    error = an_adapter().error(status, {}, body)
    assert type(error) is expected
    assert error.message == message


def test_a_limit_says_when_to_come_back() -> None:
    headers = {
        "retry-after": "7",
        "anthropic-ratelimit-requests-remaining": "0",
    }
    assert an_adapter().error(429, headers, b"{}").retry_after == 7


def test_secrets_are_taken_out_of_errors() -> None:
    adapter = an_adapter(api_key="a-secret-key", headers=(("x-other-key", "second-secret"),))
    message = "bad a-secret-key and second-secret"
    body = json.dumps({"type": "error", "error": {"type": "x", "message": message}}).encode()
    error = adapter.error(400, {}, body)
    assert error.message == "bad [redacted] and [redacted]"
    assert b"secret" not in (error.body or b"")


# --- streams


def test_a_stream_passes_as_it_is_and_is_accounted_for() -> None:
    reader = a_reader(keep=True)
    assert reader.feed(STREAM) + reader.close() == STREAM
    assert (reader.started, reader.finished) == (True, True)
    assert reader.reported_model == "claude-small"
    assert reader.usage == Usage(input_tokens=10, output_tokens=5)
    assert reader.output_chars > 0
    assert reader.completion() == SAID


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("crlf", [False, True], ids=["lf", "crlf"])
def test_a_stream_passes_however_it_is_cut(size: int, *, crlf: bool) -> None:
    stream = STREAM.replace(b"\n", b"\r\n") if crlf else STREAM
    reader = a_reader(keep=True)
    blocks = [reader.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    assert b"".join(blocks) + reader.close() == stream
    for block in blocks:
        assert block == b"" or block.endswith((b"\n\n", b"\r\n\r\n", b"\n\r\n"))
    assert reader.completion() == SAID
    assert reader.usage == Usage(input_tokens=10, output_tokens=5)


def test_nothing_was_said_before_the_message_starts() -> None:
    reader = a_reader()
    reader.feed(an_event("ping"))
    assert not reader.started


def test_calls_in_a_stream_are_read_for_gates() -> None:
    call = a_block(0, a_call("f"), {"type": "input_json_delta", "partial_json": '{"a":1}'})
    reader = a_reader(keep=True)
    reader.feed(a_start() + call + an_end("tool_use"))
    assert reader.completion() == Completion(
        text="",
        finish_reason="tool_calls",
        tool_calls=(ToolCall(id="toolu_f", name="f", arguments='{"a":1}'),),
    )


def test_a_goodbye_that_is_missing_is_added_to_a_whole_answer() -> None:
    whole = STREAM[: STREAM.rindex(b"event: message_stop")]
    reader = a_reader()
    assert events_of(reader.feed(whole) + reader.close()) == events_of(STREAM)


def test_a_blank_line_that_is_missing_at_the_end_is_forgiven() -> None:
    reader = a_reader()
    assert reader.feed(STREAM[:-2]) + reader.close() == STREAM


@pytest.mark.parametrize("stream", [b"", an_event("ping"), a_start(), a_start() + a_text(0, "a")])
def test_a_stream_that_ends_too_early_is_broken(stream: bytes) -> None:
    reader = a_reader()
    reader.feed(stream)
    with pytest.raises(StreamBroken):
        reader.close()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", ServerFailed),
        ("rate_limit_error", RateLimited),
        ("api_error", ServerFailed),
    ],
)
def test_an_error_inside_a_stream_is_raised(kind: str, expected: type[UpstreamError]) -> None:
    reader = a_reader()
    reader.feed(a_start() + a_text(0, "a"))
    with pytest.raises(expected, match="said so") as raised:
        reader.feed(an_event("error", error={"type": kind, "message": "said so"}))
    assert type(raised.value) is expected


def test_words_that_look_like_an_error_are_only_words() -> None:
    words = '{"type":"error","error":{"message":"x"}} message_stop message_delta'
    reader = a_reader()
    reader.feed(a_start() + a_text(0, words))
    assert not reader.finished


@pytest.mark.parametrize(
    "stream", [b"<html>nothing</html>", b'{"type":"error","error":{"message":"nothing"}}']
)
def test_what_is_no_stream_is_a_failure_that_says_what_came(stream: bytes) -> None:
    reader = a_reader()
    reader.feed(stream)
    with pytest.raises(ServerFailed, match="nothing"):
        reader.close()


@pytest.mark.parametrize("event", [b"data: {\n\n", b"data: x\n\n", b"data: {]}\n\n"])
def test_what_is_no_event_is_a_failure(event: bytes) -> None:
    with pytest.raises(ServerFailed, match="cannot be read"):
        a_reader().feed(event)


def test_a_stream_that_gates_cannot_read_is_a_failure() -> None:
    reader = a_reader(keep=True)
    reader.feed(a_start())
    with pytest.raises(ServerFailed, match="cannot be read"):
        reader.feed(an_event("content_block_start", index=0, content_block={"type": 5}))


def test_another_model_is_named_where_the_message_starts_and_nowhere_else() -> None:
    reader = a_reader()
    start = a_start()
    first = reader.feed(start)
    words = a_text(0, '"model": "claude-small" message_start')
    out = reader.rename('o"ther', first) + reader.feed(words + an_end())
    assert events_of(out)[0]["message"]["model"] == 'o"ther'
    assert out.endswith(words + an_end())
