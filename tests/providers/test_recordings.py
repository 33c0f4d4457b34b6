"""Recorded traffic of real providers, replayed over HTTP, is read as it was meant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from builders import a_deployment
from recordings.calls import calls
from recordings.recorded import Interaction
from recordings.scope import PROVIDERS
from tierwise.config.presets import PRESETS
from tierwise.errors import OutOfService, ServerFailed, UpstreamError, UpstreamRejected
from tierwise.providers import Transport
from tierwise.providers.base import StreamReader
from tierwise.providers.connections import HttpStream
from tierwise.providers.openai_compatible import OpenAICompatible
from tierwise.types import Completion, ToolCall
from tierwise.wire import sse
from tierwise.wire.openai_chat import read_request
from upstream import Reply, upstreams

FAMILY = ("openai_compatible", "mistral")


def replayed(call: Interaction) -> Reply:
    if call.streamed:
        return Reply(events=[call.answered])
    return Reply(call.status, call.answered)


def an_adapter(call: Interaction, base_url: str, model: str) -> OpenAICompatible:
    provider = PROVIDERS.get(call.host, "openai")
    quirks = PRESETS[provider].quirks
    return OpenAICompatible(
        a_deployment(model, provider, base_url=base_url, upstream_model=model, quirks=quirks)
    )


def expected_usage(usage: dict[str, Any]) -> tuple[int, int, int]:
    """Input, cached input and output as they are billed, reasoning included."""
    read = usage["prompt_tokens"]
    details = usage.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0
    return read, cached, max(usage["completion_tokens"], usage["total_tokens"] - read)


@pytest.mark.parametrize("call", calls(*FAMILY, kinds=("whole",)))
async def test_a_recorded_answer_is_read_as_it_was_meant(call: Interaction) -> None:
    task = read_request(call.asked)
    async with upstreams(replayed(call)) as (upstream,):
        adapter = an_adapter(call, upstream.base_url, task.model)
        transport = Transport()
        answer = await transport.send(adapter.request(task), 5)
        await transport.close()
    sent = upstream.asked[0].json()
    assert sent["messages"] == call.question()["messages"]
    assert sent["model"] == call.question()["model"]
    body = json.loads(call.answered)
    reply = adapter.reply(answer.body, task)
    assert json.loads(reply.body) == body
    assert reply.reported_model == body["model"]
    assert reply.usage is not None
    usage = reply.usage
    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == expected_usage(
        body["usage"]
    )
    assert usage.cost_usd == body["usage"].get("cost")
    choice = body["choices"][0]
    message = choice["message"]
    assert reply.completion() == Completion(
        text=message.get("content") or "",
        finish_reason=choice["finish_reason"],
        tool_calls=tuple(
            ToolCall(id=call["id"], **pick(call["function"]))
            for call in message.get("tool_calls") or ()
        ),
        refusal=message.get("refusal"),
    )


def pick(function: dict[str, Any]) -> dict[str, str]:
    return {name: function[name] for name in ("name", "arguments")}


@pytest.mark.parametrize("call", calls(*FAMILY, kinds=("error",)))
async def test_a_recorded_error_is_what_it_says(call: Interaction) -> None:
    task = read_request(json.dumps({**call.question(), "stream": True}).encode())
    async with upstreams(replayed(call)) as (upstream,):
        adapter = an_adapter(call, upstream.base_url, task.model)
        transport = Transport()
        whole = await transport.send(adapter.request(task), 5)
        stream = await transport.open(adapter.request(task))
        errors = [
            adapter.error(whole.status, whole.headers, whole.body),
            adapter.error(stream.status, stream.headers, await stream.read_all()),
        ]
        stream.close()
        await transport.close()
    said = json.loads(call.answered)["error"]
    kinds: dict[str, type[UpstreamError]] = {
        "model_not_found": OutOfService,
        "tool_use_failed": ServerFailed,
    }
    for error in errors:
        assert type(error) is kinds.get(said["code"], UpstreamRejected)
        assert error.message == " ".join(said["message"].split())[:500]
        assert error.status == call.status


def chunks_of(block: bytes) -> list[Any]:
    payloads = [sse.payload(event) for event in sse.events(block)]
    return [json.loads(data) for data in payloads if data not in (None, b"[DONE]")]


def spoken(chunks: list[Any]) -> Completion:
    """What the chunks of a stream say, joined without the adapter's help."""
    text, finish = "", None
    calls: dict[int, dict[str, str]] = {}
    for choice in (choice for chunk in chunks for choice in chunk.get("choices", ())):
        delta = choice["delta"]
        content = delta.get("content") or ""
        text += content if isinstance(content, str) else pieces(content)
        finish = choice.get("finish_reason") or finish
        for call in delta.get("tool_calls") or ():
            known = calls.setdefault(call["index"], {"id": "", "name": "", "arguments": ""})
            known["id"] = call.get("id") or known["id"]
            known["name"] = call["function"].get("name") or known["name"]
            known["arguments"] += call["function"].get("arguments") or ""
    made = tuple(ToolCall(**call) for _, call in sorted(calls.items()))
    return Completion(text=text, finish_reason=finish, tool_calls=made)


def pieces(content: list[Any]) -> str:
    return "".join(piece["text"] for piece in content if piece["type"] == "text")


async def relayed(stream: HttpStream, reader: StreamReader) -> bytes:
    """What a client gets, if the network delivers in small pieces."""
    out = b""
    while data := await stream.read():
        for start in range(0, len(data), 1000):
            out += reader.feed(data[start : start + 1000])
    return out + reader.close()


@pytest.mark.parametrize("wants_usage", [True, False], ids=["with usage", "without"])
@pytest.mark.parametrize("call", calls(*FAMILY, kinds=("stream",)))
async def test_a_recorded_stream_is_handed_on_event_by_event(
    call: Interaction, wants_usage: bool
) -> None:
    task = read_request(call.asked)
    task = replace(task, wants_stream_usage=wants_usage)
    raw = call.answered
    recorded_chunks = chunks_of(raw)
    failed = None
    errors = [chunk["error"] for chunk in recorded_chunks if "error" in chunk]
    async with upstreams(replayed(call)) as (upstream,):
        adapter = an_adapter(call, upstream.base_url, task.model)
        transport = Transport()
        stream = await transport.open(adapter.request(task))
        reader = adapter.stream_reader(task, keep=True)
        try:
            out = await relayed(stream, reader)
        except UpstreamError as error:
            failed = error.message
        finally:
            stream.close()
            await transport.close()
    if errors:
        assert failed == errors[0]["message"]
        return
    if wants_usage:
        assert out == raw
    else:
        shown = [chunk for chunk in recorded_chunks if chunk["choices"] or not chunk.get("usage")]
        assert chunks_of(out) == shown
        assert out.endswith(b"data: [DONE]\n\n")
    assert reader.finished
    assert reader.reported_model == recorded_chunks[0]["model"]
    assert reader.completion() == spoken(recorded_chunks)
    usages = [chunk["usage"] for chunk in recorded_chunks if chunk.get("usage")]
    assert reader.usage is not None
    usage = reader.usage
    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == expected_usage(
        usages[-1]
    )
