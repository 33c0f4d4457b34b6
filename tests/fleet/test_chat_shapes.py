"""A provider of the fleet speaks OpenAI Chat Completions exactly."""

from __future__ import annotations

import math

import jsonschema_rs
import msgspec
import openai
import pytest

from tierwise.fleet import answer_text

CHAT = {"role": "user", "content": "Hello there"}


def text_of(events):
    return "".join(
        choice["delta"].get("content") or ""
        for event in events
        for choice in event["choices"]
        if choice["index"] == 0
    )


async def test_a_whole_answer_has_the_shape_of_openai(fleet, client, first):
    item = first(fleet, "math")
    reply = await client.ask(fleet.providers["alpha"], item, "sim-large")
    body = reply.json()
    assert reply.status == 200
    assert body["object"] == "chat.completion"
    assert body["model"] == "sim-large"
    choice = body["choices"][0]
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"] == fleet.expected(item, "sim-large")
    assert choice["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0


async def test_a_stream_begins_with_the_role_and_spells_the_whole_answer(fleet, client, first):
    item = first(fleet, "math")
    reply = await client.ask(fleet.providers["alpha"], item, "sim-large", stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = reply.events()
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert text_of(events) == fleet.expected(item, "sim-large")
    assert len(events) > 10
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert len({event["id"] for event in events}) == 1
    assert reply.body.endswith(b"data: [DONE]\n\n")


async def test_a_stream_has_usage_only_if_asked_for(fleet, client, first):
    item, alpha = first(fleet, "qa"), fleet.providers["alpha"]
    plain = await client.ask(alpha, item, "sim-large", stream=True)
    assert all("usage" not in event for event in plain.events())
    asked = await client.ask(
        alpha, item, "sim-large", stream=True, stream_options={"include_usage": True}
    )
    *before, last = asked.events()
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0
    assert all(event["usage"] is None for event in before)


async def test_a_tool_call_is_streamed_in_argument_deltas(fleet, client, first):
    item, alpha = first(fleet, "agent-step"), fleet.providers["alpha"]
    whole = (await client.ask(alpha, item, "sim-large")).json()["choices"][0]
    assert whole["finish_reason"] == "tool_calls"
    assert whole["message"]["content"] is None
    assert answer_text(whole["message"]) == fleet.expected(item, "sim-large")
    events = (await client.ask(alpha, item, "sim-large", stream=True)).events()
    deltas = [
        event["choices"][0]["delta"]["tool_calls"][0]
        for event in events
        if event["choices"][0]["delta"].get("tool_calls")
    ]
    function = whole["message"]["tool_calls"][0]["function"]
    assert deltas[0]["function"] == {"name": function["name"], "arguments": ""}
    assert "".join(d["function"]["arguments"] for d in deltas) == function["arguments"]
    assert len(deltas) > 3
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_several_choices_are_all_billed(fleet, client, first):
    item, gamma = first(fleet, "math"), fleet.providers["gamma"]
    one = (await client.ask(gamma, item, "sim-nano")).json()
    three = (await client.ask(gamma, item, "sim-nano", n=3)).json()
    assert [choice["index"] for choice in three["choices"]] == [0, 1, 2]
    assert three["choices"][0]["message"] == one["choices"][0]["message"]
    assert three["usage"]["completion_tokens"] > one["usage"]["completion_tokens"]
    assert three["usage"]["prompt_tokens"] == one["usage"]["prompt_tokens"]
    streamed = await client.ask(gamma, item, "sim-nano", n=3, stream=True)
    ends = [c for e in streamed.events() for c in e["choices"] if c["finish_reason"]]
    assert sorted(choice["index"] for choice in ends) == [0, 1, 2]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_a_token_limit_cuts_the_answer(fleet, client, first, field):
    item = first(fleet, "math")
    reply = await client.ask(fleet.providers["alpha"], item, "sim-large", **{field: 5})
    body = reply.json()
    text = body["choices"][0]["message"]["content"]
    whole = fleet.expected(item, "sim-large")
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 5
    assert 0 < len(text) < len(whole)
    assert whole.startswith(text)


async def test_log_probabilities_cover_the_text_and_come_only_if_asked_for(fleet, client, first):
    item, alpha = first(fleet, "qa"), fleet.providers["alpha"]
    plain = (await client.ask(alpha, item, "sim-large")).json()["choices"][0]
    assert plain["logprobs"] is None
    asked = await client.ask(alpha, item, "sim-large", logprobs=True, top_logprobs=2)
    choice = asked.json()["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert all(len(token["top_logprobs"]) == 2 and token["logprob"] <= 0 for token in tokens)
    streamed = await client.ask(alpha, item, "sim-large", logprobs=True, stream=True)
    spelled = [
        token
        for event in streamed.events()
        for choice in event["choices"]
        if choice["logprobs"]
        for token in choice["logprobs"]["content"]
    ]
    assert [token["logprob"] for token in spelled] == [token["logprob"] for token in tokens]


async def test_wrong_answers_are_less_sure_than_right_ones(fleet, client):
    means = {True: [], False: []}
    for item in [i for i in fleet.workload(600) if i.kind == "math"][:60]:
        reply = await client.ask(fleet.providers["gamma"], item, "sim-nano", logprobs=True)
        choice = reply.json()["choices"][0]
        tokens = choice["logprobs"]["content"]
        if tokens:
            right = fleet.score(item, "sim-nano", choice["message"]["content"]) == 1
            means[right].append(sum(math.exp(t["logprob"]) for t in tokens) / len(tokens))
    assert sum(means[True]) / len(means[True]) > sum(means[False]) / len(means[False])


async def test_an_unknown_prompt_gets_an_answer_that_says_it_is_simulated(fleet, client):
    reply = await client.ask(fleet.providers["gamma"], "Who are you?", "sim-small")
    assert "simulated" in reply.json()["choices"][0]["message"]["content"]


async def test_an_unknown_prompt_still_gets_the_declared_json(fleet, client):
    schema = {
        "type": "object",
        "$defs": {"tag": {"enum": ["a", "b"]}},
        "properties": {
            "name": {"type": "string", "minLength": 12},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
            "age": {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]},
        },
        "required": ["name", "tags", "age"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    reply = await client.ask(fleet.providers["alpha"], "Hi", "sim-large", response_format=wanted)
    value = msgspec.json.decode(reply.json()["choices"][0]["message"]["content"])
    jsonschema_rs.validate(schema, value)


async def test_tools_on_an_unknown_prompt_are_called_and_then_answered(fleet, client):
    tools = [
        {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            },
        }
        for name in ("weather", "time")
    ]
    body = {"model": "sim-large", "messages": [CHAT], "tools": tools}
    alpha = fleet.providers["alpha"]
    first_said = (await client.post(alpha, body)).json()["choices"][0]["message"]
    assert first_said["tool_calls"][0]["function"]["name"] == "weather"
    chosen = {**body, "tool_choice": {"type": "function", "function": {"name": "time"}}}
    said = (await client.post(alpha, chosen)).json()["choices"][0]["message"]
    assert said["tool_calls"][0]["function"]["name"] == "time"
    assert "city" in msgspec.json.decode(said["tool_calls"][0]["function"]["arguments"])
    without = (await client.post(alpha, {**body, "tool_choice": "none"})).json()
    assert without["choices"][0]["finish_reason"] == "stop"
    result = {"role": "tool", "tool_call_id": "x", "content": "sunny"}
    after = await client.post(alpha, {**body, "messages": [CHAT, first_said, result]})
    assert after.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{not json", None),
        (b"[1]", None),
        ({"messages": [CHAT]}, "model"),
        ({"model": "sim-large"}, "messages"),
        ({"model": "sim-large", "messages": []}, "messages"),
        ({"model": "sim-large", "messages": [{"role": "wizard", "content": "x"}]},
         "messages[0].role"),
        ({"model": "sim-large", "messages": [{"role": "user"}]}, "messages[0].content"),
        ({"model": "sim-large", "messages": [CHAT], "n": 0}, "n"),
        ({"model": "sim-large", "messages": [CHAT], "temperature": 3}, "temperature"),
        ({"model": "sim-large", "messages": [CHAT], "top_logprobs": 2}, "top_logprobs"),
        ({"model": "sim-large", "messages": [CHAT], "stream_options": {}}, "stream_options"),
        ({"model": "sim-large", "messages": [CHAT], "tools": []}, "tools"),
        ({"model": "sim-large", "messages": [CHAT], "response_format": {"type": "xml"}},
         "response_format.type"),
        ({"model": "sim-large", "messages": [CHAT], "response_format": {"type": "json_schema"}},
         "response_format.json_schema.schema"),
    ],
)  # fmt: skip
async def test_a_bad_body_is_refused_and_the_field_named(fleet, client, body, param):
    reply = await client.post(fleet.providers["alpha"], body)
    error = reply.json()["error"]
    assert reply.status == 400
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"]
    assert fleet.providers["alpha"].counts.refused == 1


async def test_unknown_paths_and_methods_are_refused(fleet, client):
    base = f"http://127.0.0.1:{fleet.providers['alpha'].port}"
    headers = {"authorization": f"Bearer {fleet.providers['alpha'].api_key}"}
    async with client.session.get(f"{base}/v1/embeddings", headers=headers) as response:
        assert response.status == 404
    async with client.session.get(f"{base}/v1/chat/completions", headers=headers) as response:
        assert response.status == 405


def sdk(provider, **changes):
    options = {"api_key": provider.api_key, "max_retries": 0, "timeout": 10.0, **changes}
    return openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{provider.port}/v1", **options)


async def test_the_official_sdk_reads_answers_streams_tools_and_structures(fleet, first):
    alpha = fleet.providers["alpha"]
    async with sdk(alpha) as openai_client:
        listed = [model.id async for model in openai_client.models.list()]
        assert listed == list(alpha.models)
        item = first(fleet, "code")
        stream = await openai_client.chat.completions.create(
            model="sim-large", messages=item.request["messages"], stream=True
        )
        text = "".join([c.choices[0].delta.content or "" async for c in stream])
        assert text == fleet.expected(item, "sim-large")
        item = first(fleet, "agent-step")
        called = await openai_client.chat.completions.create(model="sim-large", **item.request)
        assert answer_text(called.choices[0].message.model_dump()) == fleet.expected(
            item, "sim-large"
        )


async def test_the_official_sdk_raises_its_own_errors(fleet):
    alpha = fleet.providers["alpha"]
    async with sdk(alpha, api_key="sk-wrong") as stranger:
        with pytest.raises(openai.AuthenticationError) as wrong_key:
            await stranger.chat.completions.create(model="sim-large", messages=[CHAT])
    assert wrong_key.value.code == "invalid_api_key"
    async with sdk(alpha) as openai_client:
        with pytest.raises(openai.NotFoundError) as unknown:
            await openai_client.chat.completions.create(model="sim-nano", messages=[CHAT])
        assert unknown.value.code == "model_not_found"
        long = {"role": "user", "content": "word " * 140_000}
        with pytest.raises(openai.BadRequestError) as too_long:
            await openai_client.chat.completions.create(model="sim-medium", messages=[long])
        assert too_long.value.code == "context_length_exceeded"
