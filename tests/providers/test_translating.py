"""A translated stream names the model that is to be named, and nothing else changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from builders import a_chunk, a_deployment, a_task
from plain import PlainProvider, a_plain_task, install, plain_events, read_plain
from tierwise.providers.anthropic import Anthropic
from tierwise.providers.base import StreamReader, load_adapter
from tierwise.providers.openai_compatible import OpenAICompatible
from tierwise.providers.translating import speaking
from tierwise.types import Task
from tierwise.wire import openai_errors, sse
from tierwise.wire.dialect import dialect_named
from tierwise.wire.gemini import errors as gemini_errors
from tierwise.wire.translate import task_of

CLIENTS = ("openai-chat", "openai-responses", "anthropic", "gemini")


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def a_client(dialect: str, asks: str = "any") -> Task:
    """A streaming task of a client of that dialect, which asked for the model `asks`."""
    said = {"role": "user", "content": "Hi"}
    bodies = {
        "openai-chat": {"model": asks, "messages": [said], "stream": True},
        "openai-responses": {"model": asks, "input": "Hi", "stream": True},
        "anthropic": {"model": asks, "max_tokens": 9, "messages": [said], "stream": True},
        "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    }
    body = json.dumps(bodies[dialect]).encode()
    return replace(task_of(dialect_named(dialect).read_request(body), body), stream=True)


def named(seen: bytes) -> Iterator[str]:
    """The models that a stream names."""
    for event in sse.events(seen):
        data = sse.payload(event)
        if data in (None, b"[DONE]"):
            continue
        said = json.loads(data or b"")
        for holder in (said, said.get("message"), said.get("response")):
            for name in ("model", "modelVersion"):
                if holder and name in holder:
                    yield holder[name]


def renamed(reader: StreamReader, blocks: list[bytes], model: str) -> bytes:
    """All of a stream that is renamed where executions do: once it has started."""
    seen, at = b"", 0
    while not reader.started:
        seen += reader.feed(blocks[at])
        at += 1
    seen = reader.rename(model, seen)
    return seen + b"".join(reader.feed(block) for block in blocks[at:]) + reader.close()


@pytest.mark.parametrize("reported", ["", "large"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_stream_names_the_model_it_is_to_name_whatever_its_provider_says(
    client: str, reported: str
) -> None:
    task = a_client(client)
    reader = speaking(PlainProvider(a_deployment()), task).stream_reader(task)
    seen = renamed(reader, plain_events("Say ", '"" or ":large"', model=reported), "mine")
    assert set(named(seen)) == {"mine"}
    plain = speaking(PlainProvider(a_deployment()), task).stream_reader(task)
    as_it_was = b"".join(map(plain.feed, plain_events("Say ", '"" or ":large"', model="mine")))
    assert texts(seen) == texts(as_it_was + plain.close())


def texts(seen: bytes) -> str:
    """All text that a stream has, in any of the dialects."""
    found: list[str] = []
    for event in sse.events(seen):
        data = sse.payload(event)
        if data in (None, b"[DONE]"):
            continue
        said = json.loads(data or b"")
        if said.get("type") == "response.output_text.delta":
            found.append(said["delta"])
        elif said.get("type") == "content_block_delta":
            found.append(said["delta"]["text"])
        found += [one["delta"].get("content") or "" for one in said.get("choices", [])]
        for one in said.get("candidates", []):
            found += [part["text"] for part in one["content"]["parts"]]
    return "".join(found)


def test_arguments_of_tools_that_look_like_the_model_stay_as_they_are() -> None:
    task = a_client("gemini")
    call = {"index": 0, "id": "1", "function": {"name": "look", "arguments": '{"model":"'}}
    more = {"index": 0, "function": {"arguments": 'large"}'}}
    blocks = [a_chunk(choices=[{"index": 0, "delta": {"tool_calls": [one]}}], model="large")
              for one in (call, more)]  # fmt: skip
    blocks.append(a_chunk(finish_reason="tool_calls", model="large"))
    reader = speaking(OpenAICompatible(a_deployment()), task).stream_reader(task)
    seen = renamed(reader, blocks, "mine")
    assert set(named(seen)) == {"mine"}
    assert b'"args":{"model":"large"}' in seen


@pytest.mark.parametrize("client", ["anthropic", "gemini", "openai-responses"])
def test_a_stream_that_counts_nothing_is_counted_for_clients_that_are_always_told(
    client: str,
) -> None:
    task = a_client(client)
    reader = speaking(OpenAICompatible(a_deployment()), task).stream_reader(task)
    said = reader.feed(a_chunk("Hello ")) + reader.feed(a_chunk("there", finish_reason="stop"))
    last = (said + reader.close()).decode()
    counts = re.findall(r'"(?:output_tokens|candidatesTokenCount)":(\d+)', last)
    assert int(counts[-1]) > 0


def test_a_providers_error_is_not_shown_to_clients_of_another_dialect_as_it_is() -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too hot"}}
    body = json.dumps(error).encode()
    native, foreign = a_client("anthropic"), a_client("openai-chat")
    adapter = Anthropic(a_deployment(dialect="anthropic"))
    assert speaking(adapter, native).error(400, {}, body).body is not None
    translated = speaking(adapter, foreign).error(400, {}, body)
    assert (translated.body, translated.message) == (None, "too hot")


@pytest.mark.parametrize(
    ("client", "provider", "error", "param", "code"),
    [
        (
            "openai-responses", "openai_compatible",
            {"message": "no", "param": "reasoning_effort", "code": "unsupported_value"},
            "reasoning.effort", "unsupported_value",
        ),
        ("gemini", "openai_compatible", {"message": "no", "param": "top_p", "code": 400},
         "generationConfig.topP", None),
        (
            "openai-chat", "gemini",
            {"code": 400, "message": "no", "status": "INVALID_ARGUMENT", "details": [
                {"@type": "type.googleapis.com/google.rpc.BadRequest",
                 "fieldViolations": [{"field": "contents[0].parts", "description": "no"}]}]},
            "contents[0].parts", None,
        ),
        ("openai-chat", "gemini", {"code": 400, "message": "no", "details": [3, {}]}, None, None),
        ("openai-responses", "anthropic", {"type": "invalid_request_error", "message": "no"},
         None, None),
    ],
)  # fmt: skip
def test_an_error_that_crosses_dialects_keeps_the_field_that_it_names_and_its_code(
    client: str, provider: str, error: object, param: str | None, code: str | None
) -> None:
    adapter = load_adapter(provider)(a_deployment("m", "p", dialect=provider))
    said = json.dumps({"error": error}).encode()
    crossed = speaking(adapter, a_client(client)).error(400, {}, said)
    assert (crossed.param, crossed.code, crossed.body) == (param, code, None)
    for render in (openai_errors.render, gemini_errors.render):
        body = render(crossed)[1].decode()
        assert ((code or crossed.kind).lower()) in body.lower()
        assert param is None or f'"{param}"' in body


def test_a_stream_that_is_over_at_once_is_renamed_with_its_end() -> None:
    task = a_plain_task("Hi", stream=True)
    reader = speaking(OpenAICompatible(a_deployment()), task).stream_reader(task)
    first = reader.feed(a_chunk("Yes", finish_reason="stop", model="large").rstrip())
    assert (first, reader.started) == (b"", False)
    events = read_plain(reader.rename("mine", reader.close()))
    assert [one.get("model") for one in events if "begin" in one] == ["mine"]
    assert [("piece" in one, "end" in one) for one in events[1:]] == [(True, False), (False, True)]


def test_a_translated_request_does_not_say_what_its_provider_does_not_take() -> None:
    adapter = PlainProvider(a_deployment(lacks=frozenset({"temperature"})))
    task = a_task(temperature=0.5, max_tokens=7)
    body = json.loads(speaking(adapter, task).request(task).body or b"")
    assert body["most"] == 7
    assert "heat" not in body
