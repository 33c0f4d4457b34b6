"""Anthropic's models at Bedrock are asked in Anthropic's words, and their events come unframed."""

from __future__ import annotations

import base64
import json
import random
from typing import Any
from urllib.parse import quote

import pytest

from builders import a_deployment
from converse import frame
from tierwise.config import build, from_mapping
from tierwise.errors import RateLimited, ServerFailed, StreamBroken
from tierwise.providers import load_adapter
from tierwise.providers.bedrock_invoke import BedrockInvoke
from tierwise.telemetry.places import place_of
from tierwise.types import Aws, Task, Usage

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_bdrk_1", "type": "message", "role": "assistant", "content": [],
            "model": "claude-sonnet-4-5-20250929", "usage": {"input_tokens": 9, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Par"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "is ü"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9}},
]  # fmt: skip


def adapter() -> BedrockInvoke:
    return BedrockInvoke(
        a_deployment(
            "claude-sonnet-4-5", "bedrock", dialect="bedrock_invoke", upstream_model=MODEL,
            base_url="https://b.{region}.aws", region="eu-west-1", api_key="key-of-ours",
            headers=(("anthropic-beta", "context-1m-2025-08-07, other"),),
        )
    )  # fmt: skip


def test_a_guardrail_goes_with_every_call() -> None:
    """InvokeModel has it in headers, and Converse in the body."""
    guarded = BedrockInvoke(
        a_deployment(
            "claude-sonnet-4-5", "bedrock", dialect="bedrock_invoke", upstream_model=MODEL,
            base_url="https://b.aws", region="eu-west-1", api_key="key-of-ours",
            aws=Aws(guardrail="gr-1:2"), quirks=frozenset({"latency-optimized"}),
        )
    )  # fmt: skip
    headers = guarded.request(a_message(stream=True)).headers
    assert headers["x-amzn-bedrock-guardrailidentifier"] == "gr-1"
    assert headers["x-amzn-bedrock-guardrailversion"] == "2"
    assert headers["x-amzn-bedrock-performanceconfig-latency"] == "optimized"


def test_traces_name_it_as_bedrock() -> None:
    assert place_of(adapter().deployment).provider == "aws.bedrock"


def test_what_only_anthropic_s_own_api_looks_at_is_not_asked_here() -> None:
    assert {"image_url", "document_url", "image_file", "document_file"} <= adapter().lacks


def test_the_preset_of_bedrock_says_where_it_is() -> None:
    config = {"preset": "bedrock", "dialect": "bedrock_invoke", "region": "eu-west-1"}
    config |= {"api_key": "k", "models": [{"model": "claude-sonnet-4-5", "upstream": MODEL}]}
    [made] = build(from_mapping({"providers": {"claudes": config}}, {})).all_deployments()
    assert BedrockInvoke(made).request(a_message()).url == (
        f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{quote(MODEL)}/invoke"
    )


def a_message(stream: bool = False) -> Task:
    asked = {
        "model": "auto", "max_tokens": 9, "stream": stream, "newer": 1.50,
        "messages": [{"role": "user", "content": "Capital of France?"}],
    }  # fmt: skip
    body = json.dumps(asked).encode()
    return Task(body=body, model="auto", messages=[], dialect="anthropic", stream=stream)


def chunks(*events: dict[str, Any]) -> bytes:
    return b"".join(
        frame("chunk", {"bytes": base64.b64encode(json.dumps(one).encode()).decode(), "p": "ab"})
        for one in events
    )


def test_it_is_found_by_its_name() -> None:
    assert load_adapter("bedrock_invoke") is BedrockInvoke
    assert BedrockInvoke.speaks == "anthropic"


def test_the_address_names_the_model_and_the_body_the_version() -> None:
    call = adapter().request(a_message())
    assert call.url == (
        "https://b.eu-west-1.aws/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"
    )
    assert call.headers["authorization"] == "Bearer key-of-ours"
    assert json.loads(call.body or b"") == {
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["context-1m-2025-08-07", "other"],
        "max_tokens": 9,
        "newer": 1.5,
        "messages": [{"role": "user", "content": "Capital of France?"}],
    }
    assert adapter().request(a_message(stream=True)).url.endswith("/invoke-with-response-stream")


def test_a_whole_answer_keeps_its_bytes() -> None:
    body = json.dumps(
        {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
            "content": [{"type": "text", "text": "Paris"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 5},
        }
    ).encode()  # fmt: skip
    reply = adapter().reply(body, a_message())
    assert reply.body is body
    assert reply.completion().text == "Paris"
    assert reply.usage == Usage(input_tokens=14, output_tokens=2, cached_input_tokens=5)


def test_frames_hold_anthropics_events_wherever_they_are_cut() -> None:
    stream = chunks(*EVENTS)
    expected = b"".join(
        b"event: " + one["type"].encode() + b"\ndata: " + json.dumps(one).encode() + b"\n\n"
        for one in EVENTS
    )
    chance = random.Random(7)
    for cuts in (0, 3, 30):
        places = sorted(chance.randrange(len(stream)) for _ in range(cuts))
        reader = adapter().stream_reader(a_message(stream=True), keep=True)
        found = b"".join(
            reader.feed(stream[begin:end])
            for begin, end in zip([0, *places], [*places, len(stream)], strict=True)
        )
        assert found + reader.close() == expected
        assert reader.completion().text == "Paris ü"
        assert reader.usage == Usage(input_tokens=9, output_tokens=4)
        assert reader.finished


def test_exceptions_and_breaks_are_told() -> None:
    def read(data: bytes) -> None:
        reader = adapter().stream_reader(a_message(stream=True))
        reader.feed(data)
        reader.close()

    with pytest.raises(RateLimited, match="slow"):
        read(frame("throttlingException", {"message": "slow"}, "exception"))
    with pytest.raises(StreamBroken, match="in the middle"):
        read(chunks(*EVENTS[:3]))
    with pytest.raises(ServerFailed, match="cannot be read"):
        read(chunks(*EVENTS[:3]) + b"?" * 100)
    with pytest.raises(ServerFailed, match="cannot be read"):
        read(frame("chunk", {"bytes": 4}))
    with pytest.raises(ServerFailed, match="not a stream"):
        read(b"<html>" + b" " * 100)
