"""What is written is read by OpenAI's own SDK, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import Raw
from openai import AsyncOpenAI
from pydantic import BaseModel

from tierwise.errors import RateLimited
from tierwise.types import Usage
from tierwise.wire.conversation import Citation, Part, Reasoning, Refusal, Text, ToolCall
from tierwise.wire.responses import RESPONSES
from tierwise.wire.spoken import (
    Began,
    Choice,
    Cited,
    Counted,
    Ended,
    Event,
    Finish,
    ReasoningPiece,
    RefusalPiece,
    Spoken,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

USAGE = Usage(input_tokens=20, cached_input_tokens=5, output_tokens=9, reasoning_tokens=4)
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


class City(BaseModel):
    name: str
    country: str


@asynccontextmanager
async def a_client(
    *parts: Part, finish: Finish = "stop", events: Sequence[Event | Exception] = ()
) -> AsyncIterator[AsyncOpenAI]:
    """The SDK before a server that answers with these parts, or streams these events."""

    async def handle(request: web.Request) -> web.StreamResponse:
        asked = RESPONSES.read_request(await request.read())
        if not asked.stream:
            choice = Choice(parts=tuple(parts), finish=finish)
            spoken = Spoken(id="abc", model="small", choices=(choice,), usage=USAGE)
            body = RESPONSES.write_reply(spoken, asked)
            return web.Response(body=body, content_type="application/json")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        writer = RESPONSES.event_writer(asked)
        for event in events:
            if isinstance(event, Exception):
                await response.write(RESPONSES.error_event(event))  # type: ignore[arg-type]
                return response
            await response.write(writer.write([event]))
        await response.write(writer.close())
        return response

    app = web.Application()
    app.router.add_post("/v1/responses", handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    url = str(server.make_url("/v1"))
    async with AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
        yield client
    await server.close()


async def test_a_whole_answer_is_read() -> None:
    thought = Reasoning(text="A capital.", summary=True)
    async with a_client(thought, Text(text="Paris.")) as client:
        answer = await client.responses.create(
            model="auto",
            input="Capital?",
            instructions="Be short.",
            metadata={"k": "v"},
            max_output_tokens=100,
            text={"verbosity": "low"},
            tools=[WEATHER, {"type": "web_search"}],
        )
    assert answer.output_text == "Paris."
    assert answer.status == "completed"
    assert answer.model == "small"
    assert answer.id.startswith("resp_")
    assert answer.id != "resp_abc"  # which is no id of this API, and may come again
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output[0].summary[0].text == "A capital."  # type: ignore[union-attr]
    assert (answer.instructions, answer.metadata) == ("Be short.", {"k": "v"})
    assert answer.max_output_tokens == 100
    assert [tool.type for tool in answer.tools] == ["function", "web_search"]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 29
    assert answer.usage.input_tokens_details.cached_tokens == 5
    assert answer.usage.output_tokens_details.reasoning_tokens == 4


async def test_a_whole_call_is_parsed_with_its_tool() -> None:
    call = ToolCall(id="call_1", name="weather", arguments='{"city":"Paris"}')
    async with a_client(call, finish="tool_calls") as client:
        answer = await client.responses.parse(model="auto", input="Weather?", tools=[WEATHER])
    made = answer.output[0]
    assert made.type == "function_call"
    assert (made.call_id, made.parsed_arguments) == ("call_1", {"city": "Paris"})


async def test_a_whole_answer_is_parsed_into_the_type_that_was_asked_for() -> None:
    async with a_client(Text(text='{"name":"Paris","country":"France"}')) as client:
        answer = await client.responses.parse(model="auto", input="City?", text_format=City)
    assert answer.output_parsed == City(name="Paris", country="France")


async def test_a_refusal_and_an_answer_cut_short_are_told_apart() -> None:
    async with a_client(Refusal(text="No."), finish="refusal") as client:
        refused = await client.responses.create(model="auto", input="Do it.")
    assert refused.output[0].content[0].refusal == "No."  # type: ignore[union-attr]
    async with a_client(Text(text="Once"), finish="length") as client:
        cut = await client.responses.create(model="auto", input="A story.")
    assert (cut.status, cut.output[0].status) == ("incomplete", "incomplete")  # type: ignore[union-attr]
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"


EVENTS: list[Event] = [
    Began(id="abc", model="small", created=1),
    ReasoningPiece(text="Think", summary=True, begins=True, id="rs_1", origin="openai-responses"),
    ReasoningPiece(text="ing.", summary=True, id="rs_1", origin="openai-responses"),
    ReasoningPiece(redacted="sealed", id="rs_1", origin="openai-responses"),
    TextPiece(text="It is "),
    TextPiece(text="Paris."),
    Cited(citation=Citation(url="https://x.org", title="X")),
    ToolBegan(call=0, id="call_1", name="weather"),
    ToolPiece(call=0, arguments='{"city":'),
    ToolBegan(call=1, id="call_2", name="weather"),
    ToolPiece(call=1, arguments='{"city":"Rome"}'),
    ToolPiece(call=0, arguments='"Paris"}'),
    Ended(finish="tool_calls"),
    Counted(usage=USAGE),
]


async def test_a_stream_is_read_event_by_event() -> None:
    async with (
        a_client(events=EVENTS) as client,
        client.responses.stream(model="auto", input="?", tools=[WEATHER]) as stream,
    ):
        seen = [event async for event in stream]
        final = await stream.get_final_response()
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert [event.type.removeprefix("response.") for event in seen] == [
        *("created", "in_progress"),
        *("output_item.added", "reasoning_summary_part.added"),
        *("reasoning_summary_text.delta", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta"),
        "output_text.annotation.added",
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
        *("function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    assert final.output_text == "It is Paris."
    assert final.model == "small"
    thought, message, *calls = final.output
    assert thought.encrypted_content == "sealed"  # type: ignore[union-attr]
    assert thought.summary[0].text == "Thinking."  # type: ignore[union-attr]
    assert message.content[0].annotations[0].url == "https://x.org"  # type: ignore[union-attr]
    assert [(call.call_id, call.parsed_arguments) for call in calls] == [  # type: ignore[union-attr]
        ("call_1", {"city": "Paris"}),
        ("call_2", {"city": "Rome"}),
    ]
    assert final.usage is not None
    assert final.usage.total_tokens == 29


async def test_a_stream_is_parsed_into_the_type_that_was_asked_for() -> None:
    said = [TextPiece(text='{"name":"Paris",'), TextPiece(text='"country":"France"}')]
    async with (
        a_client(events=[Began(id="", model="small"), *said, Ended(finish="stop")]) as client,
        client.responses.stream(model="auto", input="?", text_format=City) as stream,
    ):
        final = await stream.get_final_response()
    assert final.output_parsed == City(name="Paris", country="France")


async def test_a_stream_says_that_it_refuses_and_that_it_was_cut_short() -> None:
    events = [RefusalPiece(text="N"), RefusalPiece(text="o."), Ended(finish="length")]
    async with a_client(events=[Began(id="", model="small"), *events]) as client:
        stream = await client.responses.create(model="auto", input="?", stream=True)
        seen = [event async for event in stream]
    deltas = [event.delta for event in seen if event.type == "response.refusal.delta"]
    assert deltas == ["N", "o."]
    last = seen[-1]
    assert last.type == "response.incomplete"
    assert last.response.output[0].content[0].refusal == "No."  # type: ignore[union-attr]


async def test_raw_thoughts_custom_tools_and_log_probabilities_are_streamed() -> None:
    token = b'{"content":[{"token":"Hi","logprob":-0.1,"bytes":[72],"top_logprobs":[]}]}'
    events: list[Event] = [
        ReasoningPiece(text="Hm", begins=True, origin="openai-chat"),
        TextPiece(text="Hi", logprobs=Raw(token)),
        ToolBegan(call=0, id="call_1", name="sql", custom=True),
        ToolPiece(call=0, arguments="select 1"),
        Ended(finish="tool_calls"),
    ]
    async with a_client(events=[Began(id="", model="small"), *events]) as client:
        stream = await client.responses.create(model="auto", input="?", stream=True)
        seen = [event async for event in stream]
    by_type = {event.type: event for event in seen}
    assert by_type["response.reasoning_text.done"].text == "Hm"  # type: ignore[union-attr]
    delta: Any = by_type["response.output_text.delta"]
    assert delta.logprobs[0].token == "Hi"
    done: Any = by_type["response.custom_tool_call_input.done"]
    assert done.input == "select 1"
    completed: Any = by_type["response.completed"]
    assert completed.response.output[1].content[0].logprobs[0].logprob == -0.1
    assert completed.response.output[2].input == "select 1"


async def test_an_error_in_a_stream_is_raised_by_the_sdk() -> None:
    events = [Began(id="", model="small"), TextPiece(text="On"), RateLimited("slow down")]
    async with a_client(events=events) as client:
        stream = await client.responses.create(model="auto", input="?", stream=True)
        with pytest.raises(openai.APIError, match="slow down"):
            [event async for event in stream]
