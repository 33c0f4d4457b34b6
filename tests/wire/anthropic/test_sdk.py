"""The official SDK reads what is written for clients of the Messages API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from messages_api import HELLO, TOOL, asked
from tierwise.errors import (
    AllPathsFailed,
    AuthenticationFailed,
    InvalidRequest,
    Overloaded,
    ServerFailed,
    TierwiseError,
    UnknownModel,
)
from tierwise.types import Usage
from tierwise.wire.anthropic import ANTHROPIC
from tierwise.wire.anthropic.request_reader import read_request
from tierwise.wire.conversation import Citation, Format, Reasoning, Text, ToolCall, ToolResult
from tierwise.wire.spoken import (
    Began,
    Choice,
    Cited,
    Counted,
    Ended,
    Event,
    ReasoningPiece,
    Spoken,
    TextPiece,
    ToolBegan,
    ToolPiece,
)
from upstream import Reply, Upstream, upstreams

anthropic = pytest.importorskip("anthropic", reason="the SDK of Anthropic is not installed")

ASKED = asked(stream=True)
USAGE = Usage(input_tokens=30, output_tokens=5, cached_input_tokens=10, reasoning_tokens=2)
PAGE = Citation(url="http://x", title="t", origin="openai-responses")


@asynccontextmanager
async def served(reply: Reply) -> AsyncIterator[tuple[Any, Upstream]]:
    """A client of a server that always answers so."""
    async with upstreams(reply) as (upstream,):
        url = upstream.base_url.removesuffix("/v1")
        async with anthropic.AsyncAnthropic(api_key="k", base_url=url, max_retries=0) as client:
            yield client, upstream


def whole(*parts: Any, **fields: Any) -> Reply:
    choice = Choice(parts=parts, **fields)
    spoken = Spoken(id="chatcmpl-1", model="gpt", choices=(choice,), usage=USAGE, origin="x")
    return Reply(body=ANTHROPIC.write_reply(spoken, ASKED))


def stream(*events: Event) -> Reply:
    writer = ANTHROPIC.event_writer(ASKED)
    blocks = [writer.write([event]) for event in (Began(id="1", model="gpt"), *events)]
    return Reply(events=[block for block in blocks if block] + [writer.close()])


async def test_an_answer_of_another_provider_is_a_message() -> None:
    reply = whole(
        Reasoning(text="hm", origin="openai-chat"),
        Text(text="Hi", citations=(PAGE,)),
        ToolCall(id="call_1", name="weather", arguments='{"city":"Paris"}'),
        finish="tool_calls",
    )
    async with served(reply) as (client, _):
        message = await client.messages.create(model="m", max_tokens=9, messages=HELLO)
    thought, text, call = message.content
    assert (thought.type, thought.thinking, thought.signature) == ("thinking", "hm", "")
    assert (text.text, text.citations[0].url) == ("Hi", "http://x")
    assert (call.id, call.name, call.input) == ("call_1", "weather", {"city": "Paris"})
    assert (message.stop_reason, message.model) == ("tool_use", "gpt")
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (20, 10)
    assert message.usage.output_tokens == 5


async def test_a_stream_of_another_provider_adds_up_to_a_message() -> None:
    reply = stream(
        ReasoningPiece(text="h", begins=True),
        ReasoningPiece(text="m"),
        TextPiece(text="He"),
        TextPiece(text="llo"),
        Cited(citation=PAGE),
        ToolBegan(call=0, id="c0", name="f"),
        ToolBegan(call=1, id="c1", name="g"),
        ToolPiece(call=1, arguments='{"b":'),
        ToolPiece(call=0, arguments='{"a":1}'),
        ToolPiece(call=1, arguments="2}"),
        Ended(finish="tool_calls"),
        Counted(usage=USAGE),
    )
    async with (
        served(reply) as (client, _),
        client.messages.stream(model="m", max_tokens=9, messages=HELLO) as streamed,
    ):
        texts = [text async for text in streamed.text_stream]
        message = await streamed.get_final_message()
    assert texts == ["He", "llo"]
    thought, text, first, second = message.content
    assert (thought.thinking, text.text, text.citations[0].url) == ("hm", "Hello", "http://x")
    assert [(call.id, call.name, call.input) for call in (first, second)] == [
        ("c0", "f", {"a": 1}),
        ("c1", "g", {"b": 2}),
    ]
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (20, 5)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (InvalidRequest("said so", param="x"), "BadRequestError"),
        (AuthenticationFailed("said so"), "AuthenticationError"),
        (UnknownModel("said so"), "NotFoundError"),
        (Overloaded("said so", retry_after=1), "RateLimitError"),
        (AllPathsFailed(["said so"]), "ServiceUnavailableError"),
        (ServerFailed("said so", status=529), "OverloadedError"),
    ],
)
async def test_an_error_is_the_exception_that_is_meant(error: TierwiseError, name: str) -> None:
    status, body, headers = ANTHROPIC.error(error)
    async with served(Reply(status, body, headers)) as (client, _):
        with pytest.raises(anthropic.APIStatusError, match="said so") as raised:
            await client.messages.create(model="m", max_tokens=9, messages=HELLO)
    assert type(raised.value).__name__ == name
    assert raised.value.body["error"]["message"].endswith("said so")


async def test_an_error_inside_a_stream_is_an_exception() -> None:
    writer = ANTHROPIC.event_writer(ASKED)
    begun = writer.write([Began(id="1", model="m"), TextPiece(text="a")])
    reply = Reply(events=[begun, ANTHROPIC.error_event(ServerFailed("it broke", status=529))])
    async with (
        served(reply) as (client, _),
        client.messages.stream(model="m", max_tokens=9, messages=HELLO) as streamed,
    ):
        with pytest.raises(anthropic.APIStatusError, match="it broke"):
            [text async for text in streamed.text_stream]


async def test_what_the_sdk_sends_is_read_as_it_is_meant() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    async with served(whole(Text(text="{}"))) as (client, upstream):
        await client.messages.create(
            model="m",
            max_tokens=9,
            system="s",
            messages=[
                *HELLO,
                {"role": "assistant", "content": [{**CALL, "input": {"city": "Paris"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
            ],
            tools=[TOOL],
            output_config={"format": {"type": "json_schema", "schema": schema}},
        )
        sent = read_request(upstream.asked[0].body)
    assert [turn.role for turn in sent.turns] == ["system", "user", "assistant", "tool"]
    (call,), (result,) = sent.turns[2].parts, sent.turns[3].parts
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"city": "Paris"}
    assert result == ToolResult(call_id="t", parts=())
    assert isinstance(sent.format, Format)
    assert json.loads(bytes(sent.format.schema)) == schema


CALL = {"type": "tool_use", "id": "t", "name": "weather"}


async def test_an_answer_goes_back_into_the_next_request() -> None:
    """A client sends the thoughts of whoever answered back with the conversation."""
    reply = whole(Reasoning(text="hm", origin="openai-chat"), Text(text="Hi"))
    async with served(reply) as (client, upstream):
        message = await client.messages.create(model="m", max_tokens=9, messages=HELLO)
        again = [*HELLO, {"role": "assistant", "content": message.content}, *HELLO]
        await client.messages.create(model="m", max_tokens=9, messages=again)
        sent = read_request(upstream.asked[1].body)
    thought, said = sent.turns[1].parts
    assert thought == Reasoning(text="hm", origin="anthropic")
    assert said == Text(text="Hi")


async def test_tokens_can_be_counted_before() -> None:
    async with served(Reply(body=b'{"input_tokens": 7}')) as (client, upstream):
        counted = await client.messages.count_tokens(model="m", messages=HELLO, tools=[TOOL])
        sent = read_request(upstream.asked[0].body, counting=True)
    assert counted.input_tokens == 7
    assert sent.max_tokens is None
