"""The official OpenAI SDK's Responses against the gateway, before a provider of chats."""

from __future__ import annotations

import openai
import pytest
from openai import OpenAI
from openai.types.responses import ResponseFunctionToolCall, ResponseInputMessageItem
from pydantic import BaseModel

from gateway import Provider, RunningGateway, says

WEATHER = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


def test_conversations_go_on_by_the_id_of_the_last_answer(
    client: OpenAI, provider: Provider
) -> None:
    first = client.responses.create(model="small", input="How are you?")
    assert (first.output_text, first.status) == ("How are you?", "completed")
    second = client.responses.create(model="small", input="Why?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert [m["role"] for m in provider.seen[-1].body["messages"]] == ["user", "assistant", "user"]


def test_streams_are_read_event_by_event(client: OpenAI) -> None:
    events = list(client.responses.create(model="small", input="one two three", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    text = "".join(one.delta for one in events if one.type == "response.output_text.delta")
    assert text == "one two three"


def test_the_streaming_helper_gives_the_whole_answer(client: OpenAI) -> None:
    with client.responses.stream(model="small", input="one two three") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == "one two three"


def test_tools_are_called_and_their_results_read(client: OpenAI, provider: Provider) -> None:
    provider.acts["small"] = says(tool=("weather", '{"city":"Oslo"}'))
    first = client.responses.create(model="small", input="Weather?", tools=[WEATHER])
    [called] = first.output
    assert isinstance(called, ResponseFunctionToolCall)
    assert (called.name, called.arguments) == ("weather", '{"city":"Oslo"}')
    provider.acts["small"] = says("It is sunny")
    result = {"type": "function_call_output", "call_id": called.call_id, "output": "sunny"}
    second = client.responses.create(
        model="small", input=[result], tools=[WEATHER], previous_response_id=first.id
    )
    assert second.output_text == "It is sunny"


def test_structured_outputs_are_parsed(client: OpenAI, provider: Provider) -> None:
    class City(BaseModel):
        name: str

    provider.acts["small"] = says('{"name":"Oslo"}')
    answer = client.responses.parse(model="small", input="A city?", text_format=City)
    assert answer.output_parsed == City(name="Oslo")


def test_kept_answers_are_retrieved_listed_and_deleted(client: OpenAI) -> None:
    made = client.responses.create(model="small", input="How are you?")
    assert client.responses.retrieve(made.id).output_text == made.output_text
    [item] = client.responses.input_items.list(made.id).data
    assert isinstance(item, ResponseInputMessageItem)
    assert [part.text for part in item.content if part.type == "input_text"] == ["How are you?"]
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_an_answer_that_is_not_kept_cannot_be_gone_on_from(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="small", input="Why?", previous_response_id="resp_none")
    assert caught.value.code == "previous_response_not_found"


def test_a_wrong_key_is_an_authentication_error(gateway: RunningGateway) -> None:
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key="wrong", max_retries=0)
    with client, pytest.raises(openai.AuthenticationError):
        client.responses.create(model="small", input="Hello")
