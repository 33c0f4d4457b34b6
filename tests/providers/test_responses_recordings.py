"""Recorded traffic of the Responses API, replayed over HTTP, is read as it was meant."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from builders import a_deployment
from recordings.calls import calls
from recordings.recorded import Interaction
from tierwise.errors import UpstreamRejected
from tierwise.providers import Transport
from tierwise.providers.openai_responses import OpenAIResponses
from tierwise.types import Task
from tierwise.wire import sse
from tierwise.wire.conversation import Foreign, Reasoning, Text, ToolCall
from tierwise.wire.responses import RESPONSES
from tierwise.wire.translate import task_of
from upstream import Reply, upstreams

ENDS = ("response.completed", "response.incomplete")


def a_task(call: Interaction) -> Task:
    return task_of(RESPONSES.read_request(call.asked), call.asked)


def an_adapter(base_url: str, task: Task) -> OpenAIResponses:
    return OpenAIResponses(a_deployment(base_url=base_url, upstream_model=task.model))


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


@pytest.mark.parametrize("call", calls("openai_responses", kinds=("whole",)))
async def test_a_recorded_answer_is_read_as_it_was_meant(call: Interaction) -> None:
    task = a_task(call)
    answer = json.loads(call.answered)
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


@pytest.mark.parametrize("call", calls("openai_responses", kinds=("error",)))
async def test_a_recorded_error_is_what_it_says(call: Interaction) -> None:
    task = a_task(call)
    body = call.answered
    async with upstreams(Reply(call.status, body)) as (upstream,):
        adapter = an_adapter(upstream.base_url, task)
        transport = Transport()
        came = await transport.send(adapter.request(task), 5)
        await transport.close()
    error = adapter.error(came.status, came.headers, came.body)
    assert type(error) is UpstreamRejected
    assert error.message == json.loads(call.answered)["error"]["message"]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("call", calls("openai_responses", kinds=("stream",)))
async def test_a_recorded_stream_says_the_same_however_it_is_cut(
    call: Interaction, seed: int
) -> None:
    task = a_task(call)
    raw = call.answered
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
    recorded = [json.loads(data) for data in sse.payloads(raw)]
    (answer,) = [one["response"] for one in recorded if one["type"] in ENDS]
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
