"""The official OpenAI SDK against the gateway, unchanged but for its base URL and key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import openai
import pytest
from aiohttp import web
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from gateway import (
    KEY,
    PATIENCE_S,
    UPSTREAM_KEY,
    Body,
    Provider,
    RunningGateway,
    chunk,
    fails,
    pauses,
    says,
    stream,
)

HELLO = [{"role": "user", "content": "Say hello to the world"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
async def aclient(gateway: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def test_a_chat_is_answered_by_the_model_that_the_body_names(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="small", messages=HELLO)
    assert answer.choices[0].message.content == "Say hello to the world"
    assert answer.model == "small"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 15


async def test_the_asynchronous_client_chats_and_streams(aclient: AsyncOpenAI) -> None:
    answer = await aclient.chat.completions.create(model="auto", messages=HELLO)
    assert (answer.choices[0].message.content, answer.model) == ("Say hello to the world", "large")
    stream = await aclient.chat.completions.create(model="small", messages=HELLO, stream=True)
    said = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(said) == "Say hello to the world"
    assert len(said) > 5


def test_every_chunk_of_a_stream_names_the_model_that_answers(client: OpenAI) -> None:
    stream = client.chat.completions.create(model="stepwise", messages=HELLO, stream=True)
    chunks = list(stream)
    assert {chunk.model for chunk in chunks} == {"small"}
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_an_alias_of_the_upstream_is_named_as_ours_in_body_and_chunks(
    client: OpenAI, provider: Provider
) -> None:
    provider.acts["small"] = says(reported="vendor/weights-v7")
    answer = client.chat.completions.create(model="small", messages=HELLO)
    stream = client.chat.completions.create(model="small", messages=HELLO, stream=True)
    assert answer.model == "small"
    assert {chunk.model for chunk in stream} == {"small"}


def test_usage_comes_with_a_stream_only_for_those_who_ask(client: OpenAI) -> None:
    asked = client.chat.completions.create(
        model="small", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    last = list(asked)[-1]
    assert last.usage is not None
    assert last.usage.total_tokens == 15
    assert last.choices == []
    plain = client.chat.completions.create(model="small", messages=HELLO, stream=True)
    assert all(chunk.usage is None and chunk.choices for chunk in plain)


def test_the_arguments_of_a_tool_arrive_in_pieces(client: OpenAI, provider: Provider) -> None:
    arguments = json.dumps({"city": "Zürich", "unit": "celsius"})
    provider.acts["small"] = says(tool=("weather", arguments))
    stream = client.chat.completions.create(
        model="small", messages=HELLO, tools=[WEATHER], stream=True
    )
    calls = [call for chunk in stream for call in chunk.choices[0].delta.tool_calls or ()]
    assert calls[0].function is not None
    assert (calls[0].id, calls[0].function.name) == ("call_1", "weather")
    pieces = [call.function.arguments or "" for call in calls if call.function]
    assert "".join(pieces) == arguments
    assert len(pieces) > 3


def test_a_tool_call_comes_whole_without_a_stream(client: OpenAI, provider: Provider) -> None:
    provider.acts["small"] = says(tool=("weather", '{"city": "Bern"}'))
    answer = client.chat.completions.create(model="small", messages=HELLO, tools=[WEATHER])
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.tool_calls is not None
    assert answer.choices[0].message.tool_calls[0].function.arguments == '{"city": "Bern"}'
    assert provider.seen[-1].body["tools"] == [WEATHER]


class City(BaseModel):
    name: str
    people: int


def test_a_structured_output_is_parsed(client: OpenAI, provider: Provider) -> None:
    provider.acts["small"] = says('{"name": "Bern", "people": 134000}')
    answer = client.chat.completions.parse(model="small", messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Bern", people=134000)
    sent = provider.seen[-1].body["response_format"]
    assert sent["json_schema"]["schema"]["required"] == ["name", "people"]


def test_an_answer_against_the_schema_escalates_and_is_parsed(
    client: OpenAI, provider: Provider
) -> None:
    provider.acts["small"] = says('{"name": "Bern"}')
    provider.acts["large"] = says('{"name": "Bern", "people": 134000}')
    answer = client.chat.completions.parse(model="stepwise", messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Bern", people=134000)
    assert answer.model == "large"


def test_the_streaming_helper_parses_a_structured_output(
    client: OpenAI, provider: Provider
) -> None:
    provider.acts["small"] = says('{"name": "Bern", "people": 134000}')
    with client.chat.completions.stream(
        model="stepwise", messages=HELLO, response_format=City
    ) as events:
        kinds = [event.type for event in events]
        parsed = events.get_final_completion().choices[0].message.parsed
    assert parsed == City(name="Bern", people=134000)
    assert "content.done" in kinds


def test_images_choices_and_log_probabilities_pass(client: OpenAI, provider: Provider) -> None:
    pixel = "data:image/png;base64,iVBORw0KGgo="
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": pixel, "detail": "low"}},
    ]
    provider.acts["small"] = says("A pixel")
    answer = client.chat.completions.create(
        model="small",
        messages=[{"role": "user", "content": content}],
        n=2,
        logprobs=True,
        top_logprobs=1,
    )
    assert [choice.message.content for choice in answer.choices] == ["A pixel", "A pixel"]
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.content is not None
    assert answer.choices[0].logprobs.content[0].logprob == -0.25
    seen = provider.seen[-1].body
    assert seen["messages"][0]["content"] == content
    assert (seen["n"], seen["logprobs"], seen["top_logprobs"]) == (2, True, 1)


def test_unknown_parameters_reach_the_model_untouched(client: OpenAI, provider: Provider) -> None:
    extra = {"mirostat": 2, "grammar": "root ::= «x»", "nested": {"a": [1.0, None, 1e-7]}}
    client.chat.completions.create(
        model="small", messages=HELLO, temperature=0.3, seed=7, extra_body=extra
    )
    seen = provider.seen[-1].body
    assert {name: seen[name] for name in extra} == extra
    assert (seen["temperature"], seen["seed"]) == (0.3, 7)


def test_the_upstream_gets_its_own_key_and_not_the_callers(
    client: OpenAI, provider: Provider
) -> None:
    client.chat.completions.create(model="small", messages=HELLO)
    headers = provider.seen[-1].headers
    assert KEY not in str(headers)
    assert {name.lower(): value for name, value in headers.items()}["authorization"] == (
        f"Bearer {UPSTREAM_KEY}"
    )


def test_raw_responses_carry_how_the_answer_came_about(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="stepwise", messages=HELLO)
    headers = raw.headers
    assert headers["x-tierwise-model"] == "small"
    assert headers["x-tierwise-deployment"] == "alpha/small"
    assert headers["x-tierwise-tier"] == "1"
    assert headers["x-tierwise-attempts"] == "1"
    assert float(headers["x-tierwise-cost-usd"]) == pytest.approx(10e-6 + 5 * 2e-6)
    assert len(headers["x-tierwise-decision-id"]) > 20
    assert raw.parse().choices[0].message.content == "Say hello to the world"


def test_a_raw_stream_names_model_tier_and_attempts(client: OpenAI, provider: Provider) -> None:
    provider.acts["small"] = says("")
    raw = client.chat.completions.with_raw_response.create(
        model="stepwise", messages=HELLO, stream=True
    )
    assert raw.headers["x-tierwise-model"] == "large"
    assert raw.headers["x-tierwise-tier"] == "2"
    assert raw.headers["x-tierwise-attempts"] == "2"
    assert "x-tierwise-cost-usd" not in raw.headers
    assert {chunk.model for chunk in raw.parse()} == {"large"}


def test_models_are_listed_and_retrieved(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert {"auto", "economy", "best", "stepwise", "small", "large"} <= set(names)
    assert client.models.retrieve("large").owned_by == "alpha"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


def test_a_wrong_key_is_an_authentication_error(gateway: RunningGateway) -> None:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            client.chat.completions.create(model="small", messages=HELLO)
        assert caught.value.code == "invalid_api_key"
        assert "TIERWISE_API_KEYS" in caught.value.message
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_an_unknown_model_is_not_found_and_the_nearest_are_named(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="smal", messages=HELLO)
    assert caught.value.param == "model"
    assert "Did you mean small" in caught.value.message


def test_a_bad_request_names_the_field(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="small", messages=[])
    assert caught.value.param == "messages"


def test_a_large_body_is_a_status_error_413(client: OpenAI) -> None:
    message = [{"role": "user", "content": "x" * (2 << 20)}]
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="small", messages=message)
    assert caught.value.status_code == 413
    assert "server.max_body_mb" in caught.value.message


def test_a_rate_limit_everywhere_is_a_rate_limit_error_with_its_delay(
    client: OpenAI, provider: Provider
) -> None:
    provider.acts["small"] = fails(429, {"message": "slow down"}, {"retry-after": "7"})
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="small", messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7"
    assert "alpha/small: rate_limited: slow down" in caught.value.message


def test_no_path_left_is_a_503_with_every_reason(client: OpenAI, provider: Provider) -> None:
    provider.acts["small"] = fails(500, {"message": "boom"})
    provider.acts["large"] = fails(503, "<html>down</html>")
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="stepwise", messages=HELLO)
    assert caught.value.status_code == 503
    assert caught.value.code == "all_paths_failed"
    assert "alpha/small: server_failed: boom" in caught.value.message
    assert "alpha/large: server_failed" in caught.value.message
    assert "retry-after" in caught.value.response.headers


def test_a_deadline_that_passes_is_a_504(client: OpenAI, provider: Provider) -> None:
    provider.acts["small"] = pauses(provider)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="hasty", messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (504, "deadline_exceeded")


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_of_the_upstream_keeps_its_words_and_loses_its_secrets(
    client: OpenAI, provider: Provider, stream: bool
) -> None:
    message = f"Invalid 'frequency': 9 is over 2. Key {UPSTREAM_KEY}, sk-abcdef123456789."
    provider.acts["small"] = fails(
        400, {"message": message, "type": "invalid_request_error", "param": "frequency"}
    )
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="small", messages=HELLO, stream=stream)
    assert "9 is over 2" in caught.value.message
    assert caught.value.param == "frequency"
    assert UPSTREAM_KEY not in str(caught.value.response.text)
    assert "sk-abcdef" not in str(caught.value.response.text)


def test_a_stream_that_breaks_raises_in_the_client(client: OpenAI, provider: Provider) -> None:
    provider.acts["small"] = pauses(provider, cut=True)
    stream = client.chat.completions.create(model="small", messages=HELLO, stream=True)
    assert next(stream).choices[0].delta.content == "one "
    provider.release.set()
    with pytest.raises(openai.APIError):
        list(stream)


def test_an_error_event_of_the_upstream_raises_in_the_client(
    client: OpenAI, provider: Provider
) -> None:
    async def events() -> AsyncIterator[Body | str]:
        yield chunk("small", {"role": "assistant", "content": "one"})
        await asyncio.to_thread(provider.release.wait, PATIENCE_S)
        yield {"error": {"message": "overloaded", "code": 502}}

    async def act(request: web.Request, _: Body) -> web.StreamResponse:
        return await stream(request, events())

    provider.acts["small"] = act
    chunks = client.chat.completions.create(model="small", messages=HELLO, stream=True)
    assert next(chunks).choices[0].delta.content == "one"
    provider.release.set()
    with pytest.raises(openai.APIError) as caught:
        list(chunks)
    assert "overloaded" in caught.value.message
