"""Gates and schemas that are meant to hurt: the request is served, or refused as the caller's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import (
    KEY,
    Provider,
    RunningGateway,
    call,
    chat,
    config_for,
    tierwise,
    until,
    write_config,
)

GATES = """
import asyncio, math, sys, time

def raises(task, answer): raise KeyError("x")
def leaves(task, answer): sys.exit(1)
async def leaves_later(task, answer): sys.exit(1)
async def cancels(task, answer): raise asyncio.CancelledError
def nan(task, answer): return math.nan
def two(task, answer): return 2.0
def text(task, answer): return "very good"
def some(task, answer): return [1.0]

class Hangs:
    limit_s = 0.05
    def judge(self, task, answer): time.sleep(1)

class HangsLater:
    limit_s = 0.05
    async def judge(self, task, answer): await asyncio.sleep(60)

def nothing(task, answer): return None
"""
BAD = [
    "raises", "leaves", "leaves_later", "cancels", "nan", "two", "text", "some", "Hangs",
    "HangsLater",
]  # fmt: skip


@pytest.fixture
def gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "hostile_gates.py").write_text(GATES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "hostile_gates"
    sys.modules.pop("hostile_gates", None)


def with_gates(provider: Provider, *names: str) -> dict[str, Any]:
    tiers = [{"model": "small"}, {"model": "large"}]
    policy = {"tiers": tiers, "gates": ["complete", *names]}
    return config_for(provider.url, policies={"wary": policy}, server={"api_keys": [KEY]})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_gates_that_break_are_left_out_and_counted_and_no_request_suffers(
    provider: Provider, gates: str, stream: bool
) -> None:
    names = [f"{gates}:{name}" for name in (*BAD, "nothing")]
    with RunningGateway(with_gates(provider, *names)) as gateway:
        until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")
        assert chat(gateway.url, "wary", stream=stream).status == 200
        [attempt] = gateway.last_record().attempts
        ready = call(gateway.url, "GET", "/health/ready").json
        metrics = call(gateway.url, "GET", "/metrics").body.decode()
    assert (attempt.model, attempt.outcome) == ("small", "accepted")
    assert [verdict.gate for verdict in attempt.verdicts] == ["complete"]
    assert ready["gates"]["broken"] == {f"{gates}:{name}": 1 for name in BAD}
    assert f'tierwise_gate_broken_total{{gate="{gates}:nan"' in metrics


SCHEMAS = [
    {"type": "no such type"},
    {"minimum": "x"},
    {"pattern": "(("},
    {"$ref": "#/nowhere"},
    {"$ref": "https://example.org/schema"},
    {"$ref": "file:///etc/passwd"},
    "a string",
    [1],
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("part", ["response_format", "tools"])
def test_an_invalid_schema_is_the_caller_s_400_that_names_the_field(
    provider: Provider, part: str, stream: bool
) -> None:
    def asking(schema: Any) -> bytes:
        body: dict[str, Any] = {
            "model": "wary",
            "stream": stream,
            "messages": [{"role": "user", "content": "hi"}],
        }
        if part == "tools":
            function = {"name": "look_up", "parameters": schema}
            body["tools"] = [{"type": "function", "function": function}]
        else:
            form = {"name": "x", "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return json.dumps(body).encode()

    field = "tools.look_up.parameters" if part == "tools" else "response_format.json_schema.schema"
    with RunningGateway(with_gates(provider, "json_schema", "tool_calls")) as gateway:
        until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")
        for schema in SCHEMAS:
            reply = call(gateway.url, "POST", "/v1/chat/completions", asking(schema))
            assert reply.status == 400, schema
            assert (reply.error["param"], reply.error["type"]) == (field, "invalid_request_error")
            assert "is not a valid JSON Schema" in reply.error["message"]
    assert provider.seen == [], "nobody was paid"


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("complte", "Use one of: complete"),
        ("jugde", "Use one of: judge"),
        ("nowhere_at_all:f", "No module named 'nowhere_at_all'"),
    ],
)
def test_a_gate_that_is_not_there_is_named_with_the_nearest_before_anything_is_served(
    provider: Provider, tmp_path: Path, name: str, words: str
) -> None:
    config = write_config(tmp_path / "tierwise.yaml", with_gates(provider, name))
    for command in (["check"], ["serve", "--config", str(config)]):
        done = tierwise(*command, cwd=tmp_path)
        assert done.returncode == 2
        assert "policies.wary.gates" in done.stderr
        assert words in done.stderr
