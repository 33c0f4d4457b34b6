"""What a model's maker does not know is put in its words, or left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tierwise.wire.bedrock.fit import fitted
from tierwise.wire.bedrock.makers import claude_version, lacks_of, maker_of
from tierwise.wire.features import TWO_DRAWS

CLAUDE_OLD = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_NEW = "us.anthropic.claude-sonnet-4-6"
CLAUDE_NEWEST = "global.anthropic.claude-opus-5-5"
CLAUDE_MUTE = "anthropic.claude-3-5-haiku-20241022-v1:0"
NOVA, NOVA_2 = "us.amazon.nova-pro-v1:0", "global.amazon.nova-2-lite-v1:0"
GPT, LLAMA = "openai.gpt-oss-120b-1:0", "us.meta.llama4-scout-17b-instruct-v1:0"
HI = [{"role": "user", "content": [{"text": "hi"}]}]
POINT = {"cachePoint": {"type": "default"}}


def fit(name: str, **fields: Any) -> Any:
    body = json.dumps({"messages": HI, **fields}, separators=(",", ":")).encode()
    return json.loads(fitted(body, name))


@pytest.mark.parametrize(
    ("names", "maker"),
    [
        ((CLAUDE_OLD,), "claude"),
        ((NOVA_2,), "nova-2"),
        ((NOVA,), "nova"),
        ((GPT,), "openai"),
        ((LLAMA,), "other"),
        (
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/x", "claude-opus-5"),
            "claude",
        ),
    ],
)
def test_the_maker_is_known_by_either_name(names: tuple[str, ...], maker: str) -> None:
    assert maker_of(*names) == maker


@pytest.mark.parametrize(
    ("name", "version"),
    [
        (CLAUDE_OLD, (4, 5)),
        ("anthropic.claude-sonnet-4-20250514-v1:0", (4, 0)),
        ("eu.anthropic.claude-opus-4-1-20250805-v1:0", (4, 1)),
        ("global.anthropic.claude-opus-4-6-v1:0", (4, 6)),
        (CLAUDE_NEW, (4, 6)),
        ("claude-sonnet-5", (5, 0)),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", (3, 7)),
        (CLAUDE_MUTE, (3, 0)),
        ("anthropic.claude-v2:1", (3, 0)),
        ("anthropic.claude-something", (99, 0)),
    ],
)
def test_the_version_of_a_claude_is_known(name: str, version: tuple[int, int]) -> None:
    assert claude_version(name) == version


@pytest.mark.parametrize(
    ("name", "asked", "left"),
    [
        (CLAUDE_OLD, {"temperature": 0.5, "topP": 1}, {"temperature": 0.5}),
        (CLAUDE_OLD, {"temperature": 1, "topP": 0.5}, {"topP": 0.5}),
        (CLAUDE_OLD, {"temperature": 0.5, "topP": 0.9}, {"temperature": 0.5, "topP": 0.9}),
        (CLAUDE_OLD, {"topP": 1}, {"topP": 1}),
        (NOVA, {"temperature": 0.5, "topP": 1}, {"temperature": 0.5, "topP": 1}),
    ],
)
def test_of_two_ways_to_draw_claude_gets_the_one_that_asks_for_something(
    name: str, asked: dict[str, float], left: dict[str, float]
) -> None:
    assert fit(name, inferenceConfig=asked)["inferenceConfig"] == left


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        (CLAUDE_OLD, {TWO_DRAWS}),
        (CLAUDE_NEW, {"prefill", TWO_DRAWS}),
        (CLAUDE_NEWEST, {"prefill", "temperature", "top_p", "top_k"}),
        (CLAUDE_MUTE, {"effort", "thinking_budget", "json_schema"}),
        (NOVA, {"effort", "thinking_budget", "json_schema"}),
        (NOVA_2, {"json_schema"}),
        (GPT, {"top_k"}),
        (LLAMA, {"effort", "thinking_budget", "json_schema"}),
        ("qwen.qwen3-32b-v1:0", {"effort", "thinking_budget"}),
    ],
)
def test_what_a_model_does_not_take_is_known(name: str, lacks: set[str]) -> None:
    assert lacks_of(name) == lacks


def test_a_plain_request_keeps_its_bytes() -> None:
    body = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}]}'
    assert fitted(body, LLAMA) is body


@pytest.mark.parametrize(
    ("name", "more"),
    [
        (CLAUDE_NEW, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (CLAUDE_OLD, {"thinking": {"type": "enabled", "budget_tokens": 16384}}),
        (NOVA_2, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        (GPT, {"reasoning_effort": "high"}),
        (CLAUDE_MUTE, None),
        (NOVA, None),
        (LLAMA, None),
    ],
)
def test_an_effort_is_said_in_the_models_own_words(name: str, more: Any) -> None:
    found = fit(name, outputConfig={"effort": "high"})
    assert found.get("additionalModelRequestFields") == more
    assert "outputConfig" not in found


@pytest.mark.parametrize(
    ("name", "more"),
    [
        (CLAUDE_NEW, {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        (CLAUDE_OLD, {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        (CLAUDE_NEWEST, {"thinking": {"type": "adaptive"}}),
        (CLAUDE_MUTE, None),
        (NOVA_2, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        (GPT, {"reasoning_effort": "low"}),
        (LLAMA, None),
    ],
)
def test_a_budget_is_said_in_the_models_own_words(name: str, more: Any) -> None:
    wanted = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    found = fit(name, additionalModelRequestFields=wanted)
    assert found.get("additionalModelRequestFields") == more


def test_no_more_is_thought_than_may_be_said() -> None:
    fields = {"outputConfig": {"effort": "high"}, "inferenceConfig": {"maxTokens": 4096}}
    found = fit(CLAUDE_OLD, **fields)["additionalModelRequestFields"]
    assert 1024 <= found["thinking"]["budget_tokens"] < 4096
    short = fit(CLAUDE_OLD, **{**fields, "inferenceConfig": {"maxTokens": 100}})
    assert "additionalModelRequestFields" not in short


def test_thinking_ends_where_the_thoughts_of_a_call_were_not_kept() -> None:
    call = {"toolUse": {"toolUseId": "1", "name": "f", "input": {}}}
    result = {"toolResult": {"toolUseId": "1", "content": [{"text": "7"}]}}
    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}

    def thinks(*turns: list[Any]) -> bool:
        roles = ("user", "assistant")
        messages = [{"role": roles[at % 2], "content": turn} for at, turn in enumerate(turns)]
        found = fit(CLAUDE_OLD, messages=messages, outputConfig={"effort": "low"})
        return "thinking" in found.get("additionalModelRequestFields", {})

    hi = [{"text": "hi"}]
    assert not thinks(hi, [call], [result])
    assert thinks(hi, [thought, call], [result])
    assert thinks(hi, [call], [result], [{"text": "7"}], hi)


def test_top_k_is_said_in_the_models_own_words() -> None:
    wanted = {"top_k": 20}
    assert fit(CLAUDE_OLD, additionalModelRequestFields=wanted)["additionalModelRequestFields"] == {
        "top_k": 20
    }
    assert fit(NOVA, additionalModelRequestFields=wanted)["additionalModelRequestFields"] == {
        "inferenceConfig": {"topK": 20}
    }
    assert "additionalModelRequestFields" not in fit(GPT, additionalModelRequestFields=wanted)


def test_cache_points_reach_only_those_who_know_them() -> None:
    fields: dict[str, Any] = {
        "messages": [{"role": "user", "content": [{"text": "hi"}, POINT]}],
        "system": [{"text": "s"}, POINT],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}, POINT]},
    }
    assert fit(CLAUDE_OLD, **fields) == fields
    nova = fit(NOVA, **fields)
    assert POINT in nova["messages"][0]["content"]
    assert POINT in nova["system"]
    assert POINT not in nova["toolConfig"]["tools"]
    assert b"cachePoint" not in json.dumps(fit(LLAMA, **fields)).encode()


def test_thoughts_go_back_to_claude_alone() -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}
    messages = [*HI, {"role": "assistant", "content": [thought, {"text": "so"}]}, *HI]
    assert fit(CLAUDE_OLD, messages=messages)["messages"] == messages
    assert fit(NOVA_2, messages=messages)["messages"][1]["content"] == [{"text": "so"}]


def test_claude_gets_ids_without_dots_and_colons() -> None:
    strange = {"toolUseId": "functions.f:0", "name": "f", "input": {"say": '"toolUseId":"a.b"'}}
    result = {"toolUseId": "functions.f:0", "content": [{"text": "7"}]}
    messages = [
        *HI,
        {"role": "assistant", "content": [{"toolUse": strange}]},
        {"role": "user", "content": [{"toolResult": result}]},
    ]
    found = fit(CLAUDE_OLD, messages=messages)["messages"]
    call = found[1]["content"][0]["toolUse"]
    assert call["toolUseId"] == found[2]["content"][0]["toolResult"]["toolUseId"]
    assert call["toolUseId"].replace("_", "").isalnum()
    assert call["input"] == strange["input"]
    assert fit(LLAMA, messages=messages)["messages"] == messages
