"""Recorded Converse traffic: accepted requests are written again, answers and streams are read."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from builders import a_deployment
from converse import read_back
from tierwise.errors import UpstreamError
from tierwise.providers.bedrock import Bedrock
from tierwise.types import Task
from tierwise.wire.bedrock import BEDROCK
from tierwise.wire.conversation import Reasoning, Text, ToolCall
from tierwise.wire.eventstream import FrameBuffer
from tierwise.wire.spoken import (
    Counted,
    Ended,
    Event,
    ForeignPiece,
    ReasoningPiece,
    TextPiece,
    ToolBegan,
    ToolPiece,
)

SHARED = Path(os.environ.get("TIERWISE_SHARED", Path(__file__).parents[2].parent / "shared"))
RECORDINGS = Path(os.environ.get("TIERWISE_RECORDINGS", SHARED / "cassettes"))
ABSENT = f"no recordings at {RECORDINGS}; set TIERWISE_RECORDINGS"
HOSTED = "the request has a tool that Bedrock itself runs"


def interactions(*endings: str) -> list[Any]:
    """Model, request and response of each recorded call of these operations."""
    found = list(_interactions(endings))
    return found or [pytest.param("", {}, {}, marks=pytest.mark.skip(reason=ABSENT), id="absent")]


def _interactions(endings: tuple[str, ...]) -> Iterator[Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted((RECORDINGS / "bedrock").glob("*.yaml")):
        recorded = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
        for number, item in enumerate(recorded["interactions"]):
            uri, request = item["request"]["uri"], item["request"]
            if "bedrock-runtime" not in uri or not uri.endswith(endings):
                continue
            body = request.get("parsed_body") or json.loads(request["body"])
            model = unquote(uri.partition("/model/")[2].rpartition("/")[0])
            yield pytest.param(model, body, item["response"], id=f"{file.stem}-{number}")


def an_adapter(model: str) -> Bedrock:
    return Bedrock(
        a_deployment(
            "m", "bedrock", dialect="bedrock", upstream_model=model, region="us-east-1", api_key="k"
        )
    )


def plain(body: Any) -> Any:
    """What a recorded request means: without what only says what is so anyway."""
    found = {name: value for name, value in body.items() if value not in ([], {})}
    tools = dict(found.get("toolConfig", {}))
    if tools.get("toolChoice") == {"auto": {}}:
        del tools["toolChoice"]
    if tools:
        found["toolConfig"] = tools
    return json.loads(json.dumps(found), object_hook=_without_success)


def _without_success(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("status") == "success":
        del value["status"]
    return value


@pytest.mark.parametrize(("model", "body", "response"), interactions("/converse", "-stream"))
def test_an_accepted_request_is_written_again(
    model: str, body: dict[str, Any], response: dict[str, Any]
) -> None:
    if "systemTool" in json.dumps(body):
        pytest.skip(HOSTED)
    more = dict(body.get("additionalModelRequestFields", {}))
    effort = more.get("output_config", {}).get("effort") or more.get("reasoning_effort")
    asked = read_back({**body, "outputConfig": {"effort": effort}} if effort else body)
    if effort and more.get("thinking") == {"type": "adaptive"}:
        asked = read_back({**body, "outputConfig": {"effort": effort}} | {
            "additionalModelRequestFields": {}
        })  # fmt: skip
    task = Task(body=BEDROCK.write_request(asked), model="m", messages=[], dialect="bedrock")
    written = json.loads(an_adapter(model).request(task).body or b"")
    assert plain(written) == plain(body)


@pytest.mark.parametrize(("model", "body", "response"), interactions("/converse"))
def test_a_recorded_answer_is_read(
    model: str, body: dict[str, Any], response: dict[str, Any]
) -> None:
    task = Task(body=b"{}", model="m", messages=[], dialect="bedrock")
    recorded = response.get("parsed_body") or json.loads(response["body"]["string"])
    raw = json.dumps(recorded).encode()
    if response["status"]["code"] != 200:
        error = an_adapter(model).error(response["status"]["code"], {}, raw)
        assert error.message == recorded["message"]
        assert error.kind == "out_of_service"
        return
    reply = an_adapter(model).reply(raw, task)
    (choice,) = BEDROCK.read_reply(reply.body).choices
    content = recorded["output"]["message"]["content"]
    assert len(choice.parts) == len(content)
    for part, block in zip(choice.parts, content, strict=True):
        match part:
            case Text():
                assert part.text == block["text"]
            case ToolCall():
                call = block["toolUse"]
                assert (part.id, part.name) == (call["toolUseId"], call["name"])
                assert json.loads(part.arguments) == call["input"]
            case Reasoning():
                said = block["reasoningContent"]["reasoningText"]
                assert (part.text, part.signature) == (said["text"], said.get("signature"))
            case _:
                pytest.fail(f"{block} was read as {part}")
    finishes = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length"}
    assert choice.finish == finishes[recorded["stopReason"]]
    counts = recorded["usage"]
    usage = reply.usage
    assert usage is not None
    assert usage.input_tokens + usage.output_tokens == counts["totalTokens"]
    assert usage.cached_input_tokens == counts.get("cacheReadInputTokens", 0)
    assert usage.cache_write_tokens == counts.get("cacheWriteInputTokens", 0)


@pytest.mark.parametrize(("model", "body", "response"), interactions("/converse-stream"))
def test_a_recorded_stream_is_read_however_it_is_cut(
    model: str, body: dict[str, Any], response: dict[str, Any]
) -> None:
    stream: bytes = response["body"]["string"]
    expected = said_by(stream)
    chance = random.Random(stream[:100])
    for cuts in (0, 1, 5, 40):
        assert summary(replayed(model, stream, cuts, chance)) == expected


def replayed(model: str, stream: bytes, cuts: int, chance: random.Random) -> list[Event]:
    places = sorted(chance.randrange(len(stream)) for _ in range(cuts))
    task = Task(body=b"{}", model="m", messages=[], dialect="bedrock", stream=True)
    reader = an_adapter(model).stream_reader(task)
    events = BEDROCK.event_reader()
    found: list[Event] = []
    for begin, end in zip([0, *places], [*places, len(stream)], strict=True):
        found += events.read(reader.feed(stream[begin:end]))
    found += events.read(reader.close())
    assert reader.finished
    counted = next(event.usage for event in found if isinstance(event, Counted))
    assert reader.usage == counted
    return found


def summary(events: list[Event]) -> dict[str, Any]:
    calls = [(one.id, one.name) for one in events if isinstance(one, ToolBegan)]
    arguments = ["" for _ in calls]
    for one in events:
        if isinstance(one, ToolPiece):
            arguments[one.call] += one.arguments
    return {
        "text": "".join(one.text for one in events if isinstance(one, TextPiece)),
        "thought": "".join(one.text for one in events if isinstance(one, ReasoningPiece)),
        "sealed": sum(1 for one in events if isinstance(one, ReasoningPiece) and one.redacted),
        "calls": calls,
        "arguments": arguments,
        "own": sum(1 for one in events if isinstance(one, ForeignPiece)),
        "finish": next(one.reported for one in events if isinstance(one, Ended)),
        "tokens": next(
            one.usage.input_tokens + one.usage.output_tokens
            for one in events
            if isinstance(one, Counted)
        ),
    }


def said_by(stream: bytes) -> dict[str, Any]:
    """The same, worked out from the frames by themselves."""
    found: dict[str, Any] = {"text": "", "thought": "", "calls": [], "arguments": []}
    sealed: set[int] = set()
    own: set[int] = set()
    for headers, payload in FrameBuffer().feed(stream):
        said, kind = json.loads(payload), headers[":event-type"]
        index = said.get("contentBlockIndex", -1)
        begun, delta = said.get("start", {}), said.get("delta", {})
        if begun.get("toolUse", {}).get("type") == "server_tool_use" or "toolResult" in begun:
            own.add(index)
        elif "toolUse" in begun:
            call = begun["toolUse"]
            found["calls"].append((call["toolUseId"], call["name"]))
            found["arguments"].append("")
        found["text"] += delta.get("text", "")
        thought = delta.get("reasoningContent", {})
        found["thought"] += thought.get("text", "")
        if "redactedContent" in thought:
            sealed.add(index)
        if "toolUse" in delta and index not in own:
            found["arguments"][-1] += delta["toolUse"]["input"]
        if kind == "messageStop":
            found["finish"] = said["stopReason"]
        if kind == "metadata":
            found["tokens"] = said["usage"]["totalTokens"]
    return {**found, "sealed": len(sealed), "own": len(own)}


def test_an_error_is_an_upstream_error() -> None:
    assert isinstance(an_adapter("m").error(500, {}, b""), UpstreamError)
