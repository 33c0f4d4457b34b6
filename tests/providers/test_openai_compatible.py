"""The adapter changes what it must, and not a byte more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders import DONE, a_chunk, a_deployment, a_stream, a_task, an_answer
from tierwise.config.presets import PRESETS
from tierwise.errors import RateLimited, ServerFailed
from tierwise.providers.openai_compatible import OpenAICompatible
from tierwise.types import Completion, Task, Usage


def an_adapter(**fields: Any) -> OpenAICompatible:
    return OpenAICompatible(a_deployment(**fields))


def sent(adapter: OpenAICompatible, task: Task) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(adapter.request(task).body)
    return body


# --- requests


@pytest.mark.parametrize(
    "quirks", [(), ("max-tokens",), ("max-completion-tokens",), ("usage-cost",)]
)
def test_a_body_that_needs_no_change_is_sent_as_it_is(quirks: tuple[str, ...]) -> None:
    task = a_task('the words "max_tokens" and "max_completion_tokens"', model="small")
    adapter = an_adapter(quirks=frozenset(quirks))
    assert adapter.request(task).body is task.body


@pytest.mark.parametrize(
    ("quirk", "field"),
    [("max-tokens", "max_tokens"), ("max-completion-tokens", "max_completion_tokens")],
)
def test_a_limit_under_the_right_name_is_left_alone(quirk: str, field: str) -> None:
    fields: dict[str, Any] = {field: 5}
    task = a_task(model="small", **fields)
    assert an_adapter(quirks=frozenset({quirk})).request(task).body is task.body


def test_the_model_is_named_as_the_provider_names_it() -> None:
    task = a_task(model="auto", temperature=0.5, something_new={"a": [1]})
    body = sent(an_adapter(upstream_model='vendor/"odd"-model'), task)
    assert body == {**json.loads(task.body), "model": 'vendor/"odd"-model'}


def test_a_call_goes_to_chat_completions_with_key_and_headers() -> None:
    request = an_adapter(
        base_url="http://host/v1/", api_key="k", headers=(("x-team", "a"),)
    ).request(a_task())
    assert request.url == "http://host/v1/chat/completions"
    assert request.headers == {
        "content-type": "application/json",
        "authorization": "Bearer k",
        "x-team": "a",
    }


def test_without_a_key_no_authorization_is_sent() -> None:
    assert "authorization" not in an_adapter().request(a_task()).headers


@pytest.mark.parametrize(
    ("options", "quirks", "expected"),
    [
        (None, (), {"include_usage": True}),
        ({"include_usage": True}, (), {"include_usage": True}),
        ({"include_usage": False}, (), {"include_usage": True}),
        (
            {"include_obfuscation": False},
            (),
            {"include_obfuscation": False, "include_usage": True},
        ),
        (None, ("no-stream-options",), None),
        ({"include_usage": True}, ("no-stream-options",), None),
        ({"include_obfuscation": False}, ("no-stream-options",), None),
    ],
)
def test_usage_is_asked_for_where_the_provider_must_be_asked(
    options: Any, quirks: tuple[str, ...], expected: Any
) -> None:
    task = a_task(model="small", stream=True, **({"stream_options": options} if options else {}))
    assert sent(an_adapter(quirks=frozenset(quirks)), task).get("stream_options") == expected


WISHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"reasoning": {"effort": "high", "exclude": True}}, {"reasoning_effort": "high"}),
    ({"reasoning": {"max_tokens": 2000}}, {"reasoning_effort": "low"}),
    ({"reasoning": {"enabled": False}}, {"reasoning_effort": "none"}),
    ({"reasoning": {"enabled": True}}, {}),
    ({"reasoning": "odd"}, {}),
    ({"reasoning": {"effort": "high"}, "reasoning_effort": "low"}, {"reasoning_effort": "low"}),
]
"""OpenRouter's object, and what of it those are told who have a word alone."""


@pytest.mark.parametrize(("fields", "said"), WISHES)
@pytest.mark.parametrize("preset", ["openai", "azure", "groq", "xai", "fireworks", "deepseek"])
def test_who_has_a_word_alone_for_thinking_is_told_the_nearest(
    preset: str, fields: dict[str, Any], said: dict[str, Any]
) -> None:
    body = sent(an_adapter(quirks=PRESETS[preset].quirks), a_task(model="small", **fields))
    assert {name: body[name] for name in body if name.startswith("reasoning")} == said


@pytest.mark.parametrize("fields", [fields for fields, _ in WISHES])
@pytest.mark.parametrize("preset", ["openrouter", "together", "sglang", "openai_compatible"])
def test_openrouters_object_passes_to_whoever_may_know_it(
    preset: str, fields: dict[str, Any]
) -> None:
    task = a_task(model="small", **fields)
    assert an_adapter(quirks=PRESETS[preset].quirks).request(task).body is task.body


def test_thoughts_in_a_conversation_are_no_wish_to_think() -> None:
    task = a_task('the word "reasoning"', model="small")
    adapter = an_adapter(quirks=PRESETS["openai"].quirks)
    assert adapter.request(task).body is task.body


def test_a_stream_that_asks_for_usage_itself_is_sent_as_it_is() -> None:
    task = a_task(model="small", stream=True, stream_options={"include_usage": True})
    assert an_adapter().request(task).body is task.body


def test_usage_is_not_asked_for_without_a_stream() -> None:
    assert "stream_options" not in sent(an_adapter(), a_task())


def test_a_null_stream_option_is_replaced() -> None:
    task = a_task(model="small", stream=True, stream_options=None)
    assert sent(an_adapter(), task)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("quirk", "fields", "expected"),
    [
        ("max-tokens", {"max_completion_tokens": 7}, {"max_tokens": 7}),
        ("max-tokens", {"max_completion_tokens": 7, "max_tokens": 9}, {"max_tokens": 7}),
        ("max-tokens", {"max_completion_tokens": None, "max_tokens": 9}, {"max_tokens": 9}),
        ("max-tokens", {"max_completion_tokens": None}, {}),
        ("max-completion-tokens", {"max_tokens": 7}, {"max_completion_tokens": 7}),
    ],
)
def test_the_limit_has_the_name_that_the_provider_knows(
    quirk: str, fields: dict[str, Any], expected: dict[str, int]
) -> None:
    body = sent(an_adapter(quirks=frozenset({quirk})), a_task(**fields))
    names = ("max_tokens", "max_completion_tokens")
    assert {name: body[name] for name in names if name in body} == expected


def test_what_the_provider_does_not_take_is_left_out_of_what_it_is_asked() -> None:
    adapter = an_adapter(lacks=frozenset({"logprobs", "top_k"}))
    plain = a_task(temperature=0.5, model="small")
    assert adapter.request(plain).body is plain.body
    body = sent(adapter, a_task(temperature=0.5, logprobs=True, top_logprobs=2, top_k=4))
    assert body["temperature"] == 0.5
    assert not {"logprobs", "top_logprobs", "top_k"} & body.keys()
    assert "logprobs" not in sent(adapter.asking_logprobs(), plain)


def test_a_provider_that_wants_thoughts_back_finds_them_in_each_message() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "blue"},
    ]
    task = a_task(messages=messages, model="small")
    assert an_adapter().request(task).body is task.body
    wanting = an_adapter(quirks=frozenset({"thoughts-back"}))
    assert sent(wanting, task)["messages"][1]["reasoning_content"] == ""


# --- whole answers


def test_an_answer_is_handed_on_as_it_is() -> None:
    raw = json.dumps(an_answer(), indent=3).encode()
    reply = an_adapter().reply(raw, a_task())
    assert reply.body is raw
    assert (reply.reported_model, reply.usage) == (
        "small",
        Usage(input_tokens=100, output_tokens=50),
    )
    assert reply.completion() == Completion(text="Paris.", finish_reason="stop")


def test_a_renamed_answer_keeps_everything_else() -> None:
    answer = an_answer(model="gpt-x")
    reply = an_adapter().reply(json.dumps(answer).encode(), a_task())
    reply.rename('back\\slash "and" quote')
    assert json.loads(reply.body) == {**answer, "model": 'back\\slash "and" quote'}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"{}",
        b"null",
        b'{"choices":[]}',
        b'{"choices":null}',
        b'{"choices":"x"}',
        b"\xff",
        b"[" * 100_000,
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_garbage_behind_a_200_is_a_failed_server(raw: bytes) -> None:
    with pytest.raises(ServerFailed):
        an_adapter().reply(raw, a_task())


@pytest.mark.parametrize("content", [5, {"a": 1}, [5]])
def test_an_answer_whose_words_cannot_be_read_is_a_failed_server(content: Any) -> None:
    answer = an_answer()
    answer["choices"][0]["message"]["content"] = content
    reply = an_adapter().reply(json.dumps(answer).encode(), a_task())
    with pytest.raises(ServerFailed):
        reply.completion()


ODD_USAGES: list[Any] = [
    {"prompt_tokens": -5, "completion_tokens": 50},
    {"prompt_tokens": 10**25, "completion_tokens": 50},
    {"prompt_tokens": {}, "completion_tokens": 50},
    [],
    [{"prompt_tokens": 5}],
    "none",
    7,
]


@pytest.mark.parametrize("usage", ODD_USAGES)
def test_a_good_answer_with_an_odd_usage_is_a_good_answer(usage: Any) -> None:
    raw = json.dumps({**an_answer("Paris."), "usage": usage}).encode()
    reply = an_adapter().reply(raw, a_task())
    assert reply.body is raw
    assert reply.usage is None
    assert reply.completion().text == "Paris."


@pytest.mark.parametrize("usage", ODD_USAGES)
@pytest.mark.parametrize("keep", [False, True])
def test_a_good_stream_with_an_odd_usage_is_a_good_stream(usage: Any, keep: bool) -> None:
    events = [a_chunk("Paris."), a_chunk(finish_reason="stop")]
    reader = an_adapter().stream_reader(a_task(stream=True), keep=keep)
    told = [*events, a_chunk(choices=[], usage=usage), DONE]
    out = b"".join([reader.feed(event) for event in told]) + reader.close()
    assert out == b"".join([*events, DONE])
    assert reader.usage is None


COSTLY = {"prompt_tokens": 100, "completion_tokens": 50, "cost": 0.125}


@pytest.mark.parametrize(("quirks", "cost"), [((), None), (("usage-cost",), 0.125)])
def test_only_a_provider_that_bills_by_it_is_believed_a_cost(
    quirks: tuple[str, ...], cost: float | None
) -> None:
    adapter = an_adapter(quirks=frozenset(quirks))
    reply = adapter.reply(json.dumps(an_answer(usage=COSTLY)).encode(), a_task())
    reader = adapter.stream_reader(a_task(stream=True))
    reader.feed(b"".join(a_stream(usage=COSTLY)))
    expected = Usage(input_tokens=100, output_tokens=50, cost_usd=cost)
    assert reply.usage == reader.usage == expected


def test_of_the_known_providers_only_openrouter_bills_by_the_cost_it_names() -> None:
    assert [name for name, p in PRESETS.items() if "usage-cost" in p.quirks] == ["openrouter"]


def test_an_error_behind_a_200_is_what_it_says() -> None:
    raw = b'{"error":{"message":"sk-abcdefgh is rate limited","code":429}}'
    with pytest.raises(RateLimited) as caught:
        an_adapter().reply(raw, a_task())
    assert caught.value.message == "[redacted] is rate limited"


def test_a_choice_that_is_an_error_is_no_answer() -> None:
    """OpenRouter tells of it in the choice, Mistral by its finish alone."""
    answer = an_answer()
    answer["choices"][0] |= {"finish_reason": "error"}
    with pytest.raises(ServerFailed, match="ended with an error"):
        an_adapter().reply(json.dumps(answer).encode(), a_task())
    answer["choices"][0]["error"] = {"code": 429, "message": "slow down"}
    with pytest.raises(RateLimited, match="slow down"):
        an_adapter().reply(json.dumps(answer).encode(), a_task())


def test_keys_in_headers_are_hidden_like_the_key_itself() -> None:
    adapter = an_adapter(headers=(("x-api-key", "hunter2hunter2"), ("x-team", "blue")))
    error = adapter.error(401, {}, b'{"error":"hunter2hunter2 of team blue is wrong"}')
    assert error.message == "[redacted] of team blue is wrong"
