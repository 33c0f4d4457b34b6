"""The Responses adapter passes bytes on, and knows what they mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import a_deployment, a_task
from tierwise.config.build import build
from tierwise.config.schema import Config
from tierwise.errors import (
    ContextTooLong,
    OutOfService,
    RateLimited,
    ServerFailed,
    StreamBroken,
    UpstreamError,
    UpstreamRejected,
)
from tierwise.providers import Transport
from tierwise.providers.base import ShowsLife, StreamReader, load_adapter
from tierwise.providers.openai_responses import OpenAIResponses
from tierwise.providers.translating import speaking
from tierwise.types import Completion, Task, ToolCall, Usage
from tierwise.wire.responses import RESPONSES
from tierwise.wire.translate import task_of
from upstream import Reply, says, upstreams

KEY = "sk-a-very-secret-key-1234567890"
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 15,
}


def a_responses_task(**fields: Any) -> Task:
    body = json.dumps({"model": "small", "input": "Hi", **fields}).encode()
    return task_of(RESPONSES.read_request(body), body)


def an_adapter(base_url: str = "http://127.0.0.1:9/v1", **fields: Any) -> OpenAIResponses:
    return OpenAIResponses(a_deployment(base_url=base_url, api_key=KEY, **fields))


def a_message(text: str = "Paris.") -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "output_text", "text": text}]}


CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}


def an_answer(*output: Any, **fields: Any) -> dict[str, Any]:
    shown = list(output) or [a_message()]
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "error": None,
        "model": "small-2026",
        "output": shown,
        "tools": [{"type": "image_generation", "model": "painter"}],
        "usage": USAGE,
        **fields,
    }


def event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}).encode()
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


CREATED = event("response.created", response=an_answer(status="in_progress", usage=None))
DELTA = event("response.output_text.delta", output_index=0, delta="Par", item_id="m")
COMPLETED = event("response.completed", response=an_answer())


def read(stream: bytes, step: int = 7, **fields: Any) -> tuple[bytes, StreamReader]:
    reader = an_adapter().stream_reader(a_responses_task(stream=True), **fields)
    out = b"".join(reader.feed(stream[at : at + step]) for at in range(0, len(stream), step))
    return out + reader.close(), reader


def test_a_provider_is_asked_so_if_its_configuration_says_so() -> None:
    openai = {"dialect": "openai_responses", "models": ["gpt-4o-mini"]}
    setup = build(Config.model_validate({"providers": {"openai": openai}}))
    (deployment,) = setup.all_deployments()
    adapter = load_adapter(deployment.dialect)(deployment)
    assert isinstance(adapter, OpenAIResponses)
    assert adapter.request(a_responses_task()).url == "https://api.openai.com/v1/responses"


def test_it_shows_whether_its_provider_is_there() -> None:
    assert isinstance(an_adapter(), ShowsLife)
    assert an_adapter().sign_of_life().url.endswith("/v1/models")


async def test_a_caller_of_the_same_dialect_is_passed_on_but_for_the_models_name() -> None:
    task = a_responses_task(brand_new={"kept": True}, stream=False)
    async with upstreams(says(an_answer())) as (upstream,):
        adapter = an_adapter(upstream.base_url, upstream_model="small-2026")
        assert speaking(adapter, task) is adapter
        transport = Transport()
        answer = await transport.send(adapter.request(task), 5)
        await transport.close()
    (asked,) = upstream.asked
    assert asked.json() == {**json.loads(task.body), "model": "small-2026"}
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    reply = adapter.reply(answer.body, task)
    assert reply.body == answer.body
    assert reply.reported_model == "small-2026"
    assert reply.usage == Usage(
        input_tokens=10, cached_input_tokens=4, output_tokens=5, reasoning_tokens=3
    )
    assert reply.completion() == Completion(text="Paris.", finish_reason="stop")
    reply.rename("auto")
    assert json.loads(reply.body) == {**an_answer(), "model": "auto"}


def test_a_body_that_names_the_model_already_is_not_touched() -> None:
    task = a_responses_task()
    assert an_adapter(upstream_model="small").request(task).body is task.body


def test_what_other_providers_signed_is_taken_out() -> None:
    sealed = {"type": "reasoning", "summary": [], "encrypted_content": "tierwise:anthropic:s:x"}
    own = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    told = {"role": "user", "content": "tierwise: what is it?"}
    body = an_adapter().request(a_responses_task(input=[sealed, own, told])).body
    assert body is not None
    assert json.loads(body)["input"] == [own, told]


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({"output": [CALL]}, "tool_calls"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
         "content_filter"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
         "length"),
        ({"status": "queued", "output": []}, None),
    ],
)  # fmt: skip
def test_gates_read_an_end_in_the_words_of_chat_completions(
    fields: dict[str, Any], finish: str | None
) -> None:
    reply = an_adapter().reply(json.dumps(an_answer(**fields)).encode(), a_responses_task())
    assert reply.completion().finish_reason == finish


FAILURES: list[tuple[Any, type[UpstreamError]]] = [
    ({"code": "server_error", "message": "oops"}, ServerFailed),
    ({"code": "rate_limit_exceeded", "message": "slow"}, RateLimited),
    ({"code": "context_length_exceeded", "message": "too long"}, ContextTooLong),
    ({"code": "invalid_prompt", "message": "not that"}, UpstreamRejected),
    ({"code": "image_too_large", "message": "big"}, UpstreamRejected),
    ({"code": "vector_store_timeout", "message": "late"}, ServerFailed),
    (None, ServerFailed),
]


@pytest.mark.parametrize(("error", "kind"), FAILURES)
def test_a_failure_behind_a_200_is_what_it_says(error: Any, kind: type[UpstreamError]) -> None:
    failed = an_answer(status="failed", error=error, output=[])
    with pytest.raises(UpstreamError) as whole:
        an_adapter().reply(json.dumps(failed).encode(), a_responses_task())
    with pytest.raises(UpstreamError) as streamed:
        read(CREATED + event("response.failed", response=failed), keep=True)
    assert type(whole.value) is type(streamed.value) is kind


@pytest.mark.parametrize(("error", "kind"), FAILURES[:-1])
def test_an_error_event_is_what_it_says(error: Any, kind: type[UpstreamError]) -> None:
    for failing in (event("error", **error), event("error", error=error)):
        with pytest.raises(UpstreamError) as raised:
            read(CREATED + DELTA + failing)
        assert type(raised.value) is kind


def test_errors_hide_the_key() -> None:
    body = json.dumps({"error": {"message": f"Incorrect API key {KEY}"}}).encode()
    error = an_adapter().error(401, {}, body)
    assert isinstance(error, OutOfService)
    assert KEY not in error.message
    with pytest.raises(ServerFailed) as raised:
        read(event("error", message=f"who is {KEY}?"))
    assert KEY not in raised.value.message


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"output":7}'])
def test_what_is_no_answer_is_a_failure_of_the_server(body: bytes) -> None:
    with pytest.raises(ServerFailed):
        an_adapter().reply(body, a_responses_task())


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_stream_is_passed_on_byte_for_byte(step: int, ending: str) -> None:
    stream = (b": hello\n\n" + CREATED + DELTA + COMPLETED).replace(b"\n", ending.encode())
    out, reader = read(stream, step, keep=True)
    assert out == stream
    assert (reader.started, reader.finished) == (True, True)
    assert reader.reported_model == "small-2026"
    assert reader.usage == Usage(
        input_tokens=10, cached_input_tokens=4, output_tokens=5, reasoning_tokens=3
    )
    assert reader.completion() == Completion(text="Paris.", finish_reason="stop")


def test_a_stream_names_another_model_and_leaves_the_tools_theirs() -> None:
    reader = an_adapter().stream_reader(a_responses_task(stream=True))
    out = reader.rename("auto", reader.feed(CREATED))
    out += reader.feed(DELTA) + reader.feed(COMPLETED) + reader.close()
    assert b"small-2026" not in out
    assert out.count(b'"model":"auto"') == 2
    assert out.count(b'"model": "painter"') == 2


def test_gates_read_the_beginning_of_a_stream() -> None:
    reader = an_adapter().stream_reader(a_responses_task(stream=True), keep=True)
    added = event("response.output_item.added", output_index=1, item={**CALL, "arguments": ""})
    arguments = event("response.function_call_arguments.delta", output_index=1, delta="{}")
    reader.feed(CREATED + DELTA + added + arguments)
    assert not reader.finished
    call = ToolCall(id="c1", name="f", arguments="{}")
    assert reader.completion() == Completion(text="Par", tool_calls=(call,))


@pytest.mark.parametrize("stream", [b"", CREATED, CREATED + DELTA, CREATED + DELTA + b"data: {"])
def test_a_stream_that_ends_before_its_end_is_broken(stream: bytes) -> None:
    with pytest.raises((StreamBroken, ServerFailed)):
        read(stream)


def test_the_last_blank_line_may_be_missing() -> None:
    out, reader = read((CREATED + COMPLETED).rstrip(b"\n"))
    assert reader.finished
    assert out == CREATED + COMPLETED


@pytest.mark.parametrize("body", [b"<html>sorry</html>\n\n", b'{"error": {"message": "no"}}\n\n'])
def test_something_else_than_a_stream_is_a_failure(body: bytes) -> None:
    with pytest.raises(ServerFailed):
        read(body)


async def test_a_chat_client_is_answered_through_it() -> None:
    task = a_task("Hi", model="small")
    async with upstreams(Reply(body=json.dumps(an_answer()).encode())) as (upstream,):
        adapter = speaking(an_adapter(upstream.base_url), task)
        transport = Transport()
        answer = await transport.send(adapter.request(task), 5)
        await transport.close()
    reply = adapter.reply(answer.body, task)
    assert json.loads(reply.body)["choices"][0]["message"]["content"] == "Paris."
