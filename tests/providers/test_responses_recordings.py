"""Recorded traffic of the Responses API, replayed over HTTP, is read as it was meant."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import a_deployment
from tierwise.errors import UpstreamRejected
from tierwise.providers import Transport
from tierwise.providers.openai_responses import OpenAIResponses
from tierwise.types import Task
from tierwise.wire import sse
from tierwise.wire.conversation import Foreign, Reasoning, Text, ToolCall
from tierwise.wire.responses import RESPONSES, response_in
from tierwise.wire.translate import task_of
from upstream import Reply, upstreams

SHARED = Path(os.environ.get("TIERWISE_SHARED", Path(__file__).parents[2].parent / "shared"))
RECORDINGS = Path(os.environ.get("TIERWISE_RECORDINGS", SHARED / "cassettes"))
ABSENT = f"no recordings at {RECORDINGS}; set TIERWISE_RECORDINGS"


def interactions() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, request and response of each answer of the Responses API that was asked for."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted(RECORDINGS.glob("*/*.yaml")):
        text = file.read_text(encoding="utf-8")
        if "/responses" not in text:
            continue
        recorded = yaml.load(text, Loader=loader)  # noqa: S506
        for number, item in enumerate(recorded["interactions"]):
            asked = item.get("request", {})
            if asked.get("method") == "POST" and asked.get("uri", "").endswith("/responses"):
                name = f"{file.parent.name}-{file.stem}-{number}"
                yield name, asked["parsed_body"], item["response"]


def kind_of(response: dict[str, Any]) -> str:
    if response["status"]["code"] != 200:
        return "error"
    return "whole" if "parsed_body" in response else "stream"


def recorded(*kinds: str) -> list[Any]:
    found = [
        pytest.param(request, response, id=name)
        for name, request, response in interactions()
        if kind_of(response) in kinds
    ]
    return found or [pytest.param({}, {}, marks=pytest.mark.skip(reason=ABSENT), id="absent")]


def a_task(request: dict[str, Any]) -> Task:
    body = json.dumps(request).encode()
    return task_of(RESPONSES.read_request(body), body)


def an_adapter(base_url: str, task: Task) -> OpenAIResponses:
    return OpenAIResponses(a_deployment(base_url=base_url, upstream_model=task.model))


def meant(request: dict[str, Any]) -> dict[str, Any]:
    """A request without what makes no difference: defaults, and other ways to write the same."""
    body = {name: value for name, value in request.items() if value not in (None, False, [], {})}
    asked = body["input"]
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    body["input"] = [_item(item) for item in items]
    if "tools" in body:
        tools = [_without_nulls(tool) for tool in body["tools"]]
        body["tools"] = sorted(tools, key=lambda tool: json.dumps(tool, sort_keys=True))
    if body.get("text", {}).get("format") == {"type": "text"}:
        body["text"] = {name: value for name, value in body["text"].items() if name != "format"}
    if "reasoning" in body:
        body["reasoning"] = _without_nulls(body["reasoning"])
    return {name: value for name, value in body.items() if value != {}}


def _item(item: dict[str, Any]) -> dict[str, Any]:
    item = _without_nulls(item)
    if item.get("type") == "message":
        del item["type"]
    content = item.get("content")
    if isinstance(content, list) and len(content) == 1 and "role" in item:
        (piece,) = content
        if piece["type"] in ("input_text", "output_text") and not piece.get("annotations"):
            item["content"] = piece["text"]
    if content == []:
        del item["content"]
    return item


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def counted(usage: dict[str, Any]) -> tuple[int, int, int, int]:
    """Input, cached input, output and reasoning."""
    return (
        usage["input_tokens"],
        usage["input_tokens_details"]["cached_tokens"],
        usage["output_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
    )


def said(output: list[dict[str, Any]]) -> tuple[str, list[tuple[str, str, str]], list[str]]:
    """Text, calls and the kinds of items, read without the adapter's help."""
    pieces = [piece for item in output if item["type"] == "message" for piece in item["content"]]
    calls = [item for item in output if item["type"] == "function_call"]
    return (
        "".join(piece.get("text", "") for piece in pieces),
        [(call["call_id"], call["name"], call["arguments"]) for call in calls],
        sorted(item["type"] for item in output),
    )


@pytest.mark.parametrize(("request_body", "response"), recorded("whole", "stream", "error"))
def test_a_recorded_request_keeps_its_meaning(
    request_body: dict[str, Any], response: dict[str, Any]
) -> None:
    del response
    body = json.dumps(request_body).encode()
    again = json.loads(RESPONSES.write_request(RESPONSES.read_request(body)))
    assert meant(again) == meant(request_body)


@pytest.mark.parametrize(("request_body", "response"), recorded("whole"))
async def test_a_recorded_answer_is_read_as_it_was_meant(
    request_body: dict[str, Any], response: dict[str, Any]
) -> None:
    task = a_task(request_body)
    answer = response["parsed_body"]
    async with upstreams(Reply(body=json.dumps(answer).encode())) as (upstream,):
        adapter = an_adapter(upstream.base_url, task)
        transport = Transport()
        came = await transport.send(adapter.request(task), 5)
        await transport.close()
    assert upstream.asked[0].body == task.body
    reply = adapter.reply(came.body, task)
    assert json.loads(reply.body) == answer
    assert reply.reported_model == answer["model"]
    text, calls, kinds = said(answer["output"])
    completion = reply.completion()
    assert completion.text == text
    assert [(call.id, call.name, call.arguments) for call in completion.tool_calls] == calls
    ended = {"completed": "tool_calls" if calls else "stop", "complete": "stop"}
    assert completion.finish_reason == ended.get(answer["status"])
    if answer["usage"] and answer["usage"]["total_tokens"]:
        assert reply.usage is not None
        usage = reply.usage
        assert counted(answer["usage"]) == (
            usage.input_tokens,
            usage.cached_input_tokens,
            usage.output_tokens,
            usage.reasoning_tokens,
        )
    else:
        assert reply.usage is None
    spoken = RESPONSES.read_reply(came.body)
    again = json.loads(RESPONSES.write_reply(spoken, RESPONSES.read_request(task.body)))
    assert said(again["output"]) == (text, calls, kinds)
    sealed = [item.get("encrypted_content") for item in answer["output"]]
    assert [item.get("encrypted_content") for item in again["output"]] == sealed


@pytest.mark.parametrize(("request_body", "response"), recorded("error"))
async def test_a_recorded_error_is_what_it_says(
    request_body: dict[str, Any], response: dict[str, Any]
) -> None:
    task = a_task(request_body)
    body = json.dumps(response["parsed_body"]).encode()
    async with upstreams(Reply(response["status"]["code"], body)) as (upstream,):
        adapter = an_adapter(upstream.base_url, task)
        transport = Transport()
        came = await transport.send(adapter.request(task), 5)
        await transport.close()
    error = adapter.error(came.status, came.headers, came.body)
    assert type(error) is UpstreamRejected
    assert error.message == response["parsed_body"]["error"]["message"]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("request_body", "response"), recorded("stream"))
async def test_a_recorded_stream_says_the_same_however_it_is_cut(
    request_body: dict[str, Any], response: dict[str, Any], seed: int
) -> None:
    task = a_task(request_body)
    raw = response["body"]["string"].encode()
    async with upstreams(Reply(events=[raw])) as (upstream,):
        adapter = an_adapter(upstream.base_url, task)
        transport = Transport()
        stream = await transport.open(adapter.request(task))
        came = await stream.read_all()
        stream.close()
        await transport.close()
    reader = adapter.stream_reader(task, keep=True)
    events = RESPONSES.event_reader()
    writer = RESPONSES.event_writer(RESPONSES.read_request(task.body))
    passed = translated = b""
    for part in cut(came, seed):
        block = reader.feed(part)
        passed += block
        translated += writer.write(events.read(block))
    passed += reader.close()
    translated += writer.close()

    assert passed == raw
    recorded_end = response_in(raw)
    assert recorded_end is not None
    answer = json.loads(recorded_end)
    text, calls, kinds = said(answer["output"])
    completion = reader.completion()
    assert completion.text == text
    assert [(call.id, call.name, call.arguments) for call in completion.tool_calls] == calls
    assert completion.finish_reason == ("tool_calls" if calls else "stop")
    assert reader.reported_model == answer["model"]
    assert reader.usage is not None
    assert reader.usage.input_tokens == answer["usage"]["input_tokens"]
    assert reader.usage.output_tokens == answer["usage"]["output_tokens"]

    written = [data for event in sse.events(translated) if (data := sse.payload(event))]
    numbers = [json.loads(data)["sequence_number"] for data in written]
    assert numbers == list(range(len(written)))
    end = json.loads(written[-1])["response"]
    assert said(end["output"]) == (text, calls, kinds)
    assert counted(end["usage"]) == counted(answer["usage"])
    assert thoughts(end) == thoughts(answer)


def cut(data: bytes, seed: int) -> Iterator[bytes]:
    """The data in pieces of random sizes."""
    chance, at = random.Random(seed), 0
    while at < len(data):
        size = chance.randint(1, 500)
        yield data[at : at + size]
        at += size


def thoughts(answer: dict[str, Any]) -> list[tuple[str, bool]]:
    """Text of what was thought, and whether it is there encrypted.

    That is encrypted anew each time that an item is sent, so its bytes differ within a stream.
    """
    spoken = RESPONSES.read_reply(json.dumps(answer).encode())
    parts = spoken.choices[0].parts
    assert all(isinstance(part, (Text, ToolCall, Reasoning, Foreign)) for part in parts)
    return [(part.text, bool(part.redacted)) for part in parts if isinstance(part, Reasoning)]


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=ABSENT)
def test_answers_streams_and_errors_are_covered() -> None:
    assert {kind_of(response) for _, _, response in interactions()} == {"whole", "stream", "error"}
