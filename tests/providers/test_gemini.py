"""The Gemini API and Vertex AI are asked as their own clients would, and pass as they are."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from builders import a_deployment
from recordings.calls import calls, objects_of
from recordings.recorded import Interaction
from tierwise.errors import (
    ContextTooLong,
    OutOfService,
    RateLimited,
    ServerFailed,
    StreamBroken,
    UpstreamError,
    UpstreamRejected,
)
from tierwise.providers import Transport, load_adapter
from tierwise.providers.gemini import Gemini
from tierwise.providers.vertex import Vertex
from tierwise.types import Completion, Task, TokenLogprob, ToolCall, Usage
from tierwise.wire import sse
from tierwise.wire.gemini.unsigned import UNSIGNED

BODY = b'{"contents": [{"role": "user", "parts": [{"text": "Hello"}]}], "labels": {"a": "b"}}'


def a_task(body: bytes = BODY, **fields: Any) -> Task:
    return Task(body=body, model="auto", messages=[], dialect="gemini", **fields)


def an_adapter(model: str = "gemini-3.8-flash", **fields: Any) -> Gemini:
    defaults: dict[str, Any] = {
        "dialect": "gemini",
        "base_url": "https://generativelanguage.googleapis.com",
        "upstream_model": model,
        "api_key": "AIza-this-is-secret",
    }
    return Gemini(a_deployment(model, "google", **{**defaults, **fields}))


def an_answer(*parts: Mapping[str, Any], finish: str | None = "STOP", **more: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 14}
    answer = {"candidates": [candidate], "modelVersion": "gemini-3.8-flash", "responseId": "r1"}
    return json.dumps({**answer, "usageMetadata": usage, **more}).encode()


def events(*answers: bytes) -> bytes:
    return b"".join(b"data: " + answer + b"\r\n\r\n" for answer in answers)


def test_the_body_passes_untouched_and_the_model_is_in_the_url() -> None:
    request = an_adapter().request(a_task())
    assert request.body is BODY
    assert request.url == (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-3.8-flash:generateContent"
    )
    assert request.headers["x-goog-api-key"] == "AIza-this-is-secret"
    assert "key=" not in request.url


def test_streams_are_asked_for_as_server_sent_events() -> None:
    request = an_adapter().request(a_task(stream=True))
    assert request.url.endswith("/models/gemini-3.8-flash:streamGenerateContent?alt=sse")


@pytest.mark.parametrize(
    ("base_url", "model", "url"),
    [
        ("http://proxy/v1beta/", "gemini-x", "http://proxy/v1beta/models/gemini-x"),
        ("http://proxy/v1alpha", "gemini-x", "http://proxy/v1alpha/models/gemini-x"),
        ("http://proxy", "tunedModels/mine", "http://proxy/v1beta/tunedModels/mine"),
        ("http://proxy", "models/gemini-x", "http://proxy/v1beta/models/gemini-x"),
    ],
)
def test_urls_may_name_a_version_and_models_their_folder(
    base_url: str, model: str, url: str
) -> None:
    adapter = an_adapter(model, base_url=base_url)
    assert adapter.request(a_task()).url == url + ":generateContent"


def asking_to_think(model: str, thinking: dict[str, Any]) -> Any:
    body = json.dumps({"contents": [], "generationConfig": {"thinkingConfig": thinking}}).encode()
    sent = an_adapter(model).request(a_task(body)).body
    assert sent is not None
    return json.loads(sent)["generationConfig"]["thinkingConfig"]


def test_models_before_gemini_3_get_a_budget_for_a_level() -> None:
    level = {"thinkingLevel": "LOW", "includeThoughts": True}
    assert asking_to_think("gemini-3.8-flash", level) == level
    assert asking_to_think("gemini-2.5-pro", level) == {
        "thinkingBudget": 1024,
        "includeThoughts": True,
    }
    assert asking_to_think("gemini-2.5-flash", {"thinking_level": "high"}) == {
        "thinkingBudget": 24_576
    }
    both = {"thinkingLevel": "HIGH", "thinkingBudget": 7}
    assert asking_to_think("gemini-2.5-flash", both) == {"thinkingBudget": 7}


def test_models_before_gemini_3_get_no_mark_for_calls_of_other_models() -> None:
    part = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": UNSIGNED}
    body = json.dumps({"contents": [{"parts": [part]}]}, separators=(",", ":")).encode()
    assert an_adapter("gemini-3-pro").request(a_task(body)).body == body
    older = an_adapter("gemini-2.5-pro").request(a_task(body)).body
    assert older is not None
    spaced = (
        an_adapter("gemini-2.5-pro").request(a_task(json.dumps(json.loads(body)).encode())).body
    )
    assert spaced is not None
    del part["thoughtSignature"]
    for found in (older, spaced):
        assert json.loads(found) == {"contents": [{"parts": [part]}]}


def test_an_answer_passes_as_it_is_and_is_read_along() -> None:
    call = {"functionCall": {"name": "f", "args": {"a": [1, "x"]}, "id": "c1"}}
    body = an_answer({"text": "Hm", "thought": True}, {"text": "Yes."}, call)
    reply = an_adapter().reply(body, a_task())
    assert reply.body is body
    assert reply.reported_model == "gemini-3.8-flash"
    assert reply.usage == Usage(input_tokens=9, output_tokens=5)
    assert reply.completion() == Completion(
        text="Yes.",
        finish_reason="tool_calls",
        tool_calls=(ToolCall(name="f", arguments='{"a":[1,"x"]}', id="c1"),),
    )
    reply.rename("mine")
    assert json.loads(reply.body) == {**json.loads(body), "modelVersion": "mine"}


def test_log_probabilities_are_read_for_gates() -> None:
    chosen = {"token": "Yes", "logProbability": -0.1}
    other = {"token": "No", "logProbability": -2.5}
    result = {"chosenCandidates": [chosen], "topCandidates": [{"candidates": [chosen, other]}]}
    answer = json.loads(an_answer({"text": "Yes"}))
    answer["candidates"][0]["logprobsResult"] = result
    reply = an_adapter().reply(json.dumps(answer).encode(), a_task())
    assert reply.completion().logprobs == (TokenLogprob("Yes", -0.1, -2.5),)


def test_a_blocked_prompt_is_a_refusal_and_no_failure() -> None:
    body = (
        b'{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}'
    )
    completion = an_adapter().reply(body, a_task()).completion()
    assert completion.refusal == "The prompt was blocked: SAFETY."
    assert completion.finish_reason == "content_filter"
    reader = an_adapter().stream_reader(a_task(), keep=True)
    assert reader.feed(events(body)) == events(body)
    assert reader.finished
    assert reader.close() == b""
    assert reader.completion() == completion


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "content_filter"),
        ("OF_TOMORROW", "content_filter"),
    ],
)
def test_gates_are_told_why_an_answer_ended(finish: str, reason: str) -> None:
    reply = an_adapter().reply(an_answer({"text": "x"}, finish=finish), a_task())
    assert reply.completion().finish_reason == reason


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"candidates": []}', b"[1]", b"null"])
def test_what_is_no_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(ServerFailed):
        an_adapter().reply(body, a_task())


def google_error(code: int, status: str, message: str, *details: Any) -> bytes:
    error = {"code": code, "message": message, "status": status, "details": details}
    return json.dumps({"error": error}).encode()


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}


@pytest.mark.parametrize(
    ("status", "word", "message", "kind"),
    [
        (400, "INVALID_ARGUMENT", "Invalid value at 'contents'", UpstreamRejected),
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid one.", OutOfService),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed "
            "(1048576).",
            ContextTooLong,
        ),
        (403, "PERMISSION_DENIED", "Permission denied", OutOfService),
        (404, "NOT_FOUND", "models/x is not found for API version v1beta", OutOfService),
        (500, "INTERNAL", "An internal error has occurred.", ServerFailed),
        (503, "UNAVAILABLE", "The model is overloaded.", ServerFailed),
    ],
)
def test_errors_are_what_google_means_by_them(
    status: int, word: str, message: str, kind: type[UpstreamError]
) -> None:
    error = an_adapter().error(status, {}, google_error(status, word, message))
    assert type(error) is kind
    assert error.message == message


def test_a_used_up_quota_says_when_it_is_back() -> None:
    body = google_error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", RETRY)
    error = an_adapter().error(429, {}, body)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 34.5


def test_the_key_is_in_no_error() -> None:
    body = google_error(403, "PERMISSION_DENIED", "The key AIza-this-is-secret is bad")
    assert "secret" not in an_adapter().error(403, {}, body).message


def test_a_stream_passes_byte_by_byte_and_is_read_along() -> None:
    first = an_answer({"text": "Pa"}, finish=None)
    call = {"functionCall": {"name": "f", "args": {"error": "x", "finishReason": 1}}}
    last = an_answer({"text": 'ris"'}, call)
    stream = events(first, first, last)
    reader = an_adapter().stream_reader(a_task(stream=True), keep=True)
    out = b"".join(reader.feed(stream[i : i + 1]) for i in range(len(stream)))
    assert out + reader.close() == stream
    assert reader.finished
    assert reader.usage == Usage(input_tokens=9, output_tokens=5)
    assert reader.completion() == Completion(
        text='PaParis"',
        finish_reason="tool_calls",
        tool_calls=(ToolCall(name="f", arguments='{"error":"x","finishReason":1}'),),
    )


def test_a_stream_is_renamed_from_its_first_event_on() -> None:
    text = {"text": '"modelVersion": "not this"'}
    stream = events(an_answer(text, finish=None), an_answer(text))
    half = stream.index(b"\r\n\r\n") + 4
    reader = an_adapter().stream_reader(a_task(stream=True))
    out = reader.rename("mine", reader.feed(stream[:half])) + reader.feed(stream[half:])
    said = list(sse.events(out + reader.close()))
    assert len(said) == 2
    for event in said:
        answer = json.loads(sse.payload(event) or b"")
        assert answer["modelVersion"] == "mine"
        assert answer["candidates"][0]["content"]["parts"] == [text]


def test_a_stream_that_ends_too_early_is_broken() -> None:
    reader = an_adapter().stream_reader(a_task(stream=True))
    with pytest.raises(StreamBroken, match="before its first"):
        reader.close()
    reader = an_adapter().stream_reader(a_task(stream=True))
    reader.feed(events(an_answer({"text": "Pa"}, finish=None)))
    with pytest.raises(StreamBroken, match="in the middle"):
        reader.close()


def test_a_last_event_without_its_blank_line_counts() -> None:
    reader = an_adapter().stream_reader(a_task(stream=True))
    assert reader.feed(b"data: " + an_answer({"text": "x"})) == b""
    assert reader.close() == b"data: " + an_answer({"text": "x"}) + b"\n\n"


@pytest.mark.parametrize("bad", [b"data: {\n\n", b'data: {"a"\n\n', b"data: <html>\n\n"])
@pytest.mark.parametrize("started", [True, False])
def test_an_event_that_is_none_is_a_failure(bad: bytes, started: bool) -> None:
    reader = an_adapter().stream_reader(a_task(stream=True))
    if started:
        reader.feed(events(an_answer({"text": "x"}, finish=None)))
    with pytest.raises(ServerFailed):
        reader.feed(bad)


def test_an_error_in_a_stream_is_what_it_says() -> None:
    for begun in (b"", events(an_answer({"text": "x"}, finish=None))):
        reader = an_adapter().stream_reader(a_task(stream=True))
        with pytest.raises(ServerFailed, match="overloaded"):
            reader.feed(begun + events(google_error(503, "UNAVAILABLE", "overloaded")))
    reader = an_adapter().stream_reader(a_task(stream=True))
    reader.feed(google_error(429, "RESOURCE_EXHAUSTED", "slow down"))
    with pytest.raises(RateLimited, match="slow down"):
        reader.close()


@asynccontextmanager
async def google(
    body: bytes, kind: str = "application/json"
) -> AsyncIterator[tuple[str, list[Any]]]:
    """A server that gives this answer; its URL, and what it was asked."""
    asked: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append((request.path_qs, dict(request.headers), await request.read()))
        return web.Response(body=body, content_type=kind)

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/"), asked
    finally:
        await server.close()


@pytest.mark.parametrize("call", calls("gemini", "vertex"))
async def test_recorded_traffic_passes_as_it_was(call: Interaction) -> None:
    task = a_task(call.asked, stream=call.streamed)
    kind = "text/event-stream" if call.streamed else "application/json"
    async with google(call.answered, kind) as (url, asked):
        adapter = an_adapter(call.path.partition("/models/")[2].rpartition(":")[0], base_url=url)
        transport = Transport()
        reply = await transport.send(adapter.request(task), 5)
        await transport.close()
    ((path, headers, sent),) = asked
    assert call.url.endswith(path.partition("/models/")[2])
    assert headers["x-goog-api-key"]
    assert sent == task.body
    if not call.streamed:
        whole = adapter.reply(reply.body, task)
        assert whole.body == call.answered
        assert whole.reported_model == objects_of(call)[0]["modelVersion"]
        return
    reader = adapter.stream_reader(task, keep=True)
    drawn = random.Random(0)
    out, left = b"", reply.body
    while left:
        size = drawn.randint(1, 500)
        out += reader.feed(left[:size])
        left = left[size:]
    assert out + reader.close() == call.answered
    parts = [p for a in objects_of(call) for p in a["candidates"][0]["content"].get("parts", ())]
    text = "".join(p.get("text", "") for p in parts if not p.get("thought"))
    assert reader.completion().text == text
    assert reader.usage is not None


def test_both_are_known_by_their_dialect() -> None:
    assert load_adapter("gemini") is Gemini
    assert load_adapter("vertex") is Vertex


@pytest.mark.parametrize(
    ("model", "level", "told"),
    [
        ("gemini-3-pro-preview", "MEDIUM", "HIGH"), ("gemini-3.1-pro-preview", "MEDIUM", "MEDIUM"),
        ("gemini-3.1-pro-preview", "MINIMAL", "LOW"), ("gemini-3.7-flash", "MINIMAL", "LOW"),
        ("gemini-3.8-flash", "MINIMAL", "MINIMAL"), ("gemini-3.8-flash", "XHIGH", "HIGH"),
        ("gemini-4-argon", "XHIGH", "XHIGH"),
    ],
)  # fmt: skip
def test_a_level_of_thinking_that_a_model_refuses_becomes_the_nearest(
    model: str, level: str, told: str
) -> None:
    body = b'{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingLevel":"%b"}}}'
    sent = an_adapter(model).request(a_task(body % level.encode())).body
    assert sent == body % told.encode()
