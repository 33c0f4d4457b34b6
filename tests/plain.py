"""A dialect that nobody speaks, to be a client or a provider whose words are not OpenAI's.

A body is `{"model", "say": [{"who", "what"}], "heat", "most", "gear", "stream"}`, an answer
`{"said", "why", "read", "wrote"}`, a stream numbered events: `begin`, `piece`s, `call`s, `end`.
Like Anthropic's it says why an answer ended only in its goodbye.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import pytest
from aiohttp import web
from msgspec import Raw

from tierwise.errors import InvalidRequest, ServerFailed, StreamBroken, TierwiseError, UpstreamError
from tierwise.providers import base
from tierwise.providers.http import HttpRequest
from tierwise.types import Completion, Deployment, Task, Usage
from tierwise.wire import dialect as dialects
from tierwise.wire import sse
from tierwise.wire.conversation import Conversation, Foreign, Sampling, Text, Tool, Turn
from tierwise.wire.features import Feature
from tierwise.wire.spoken import (
    Began,
    Choice,
    Counted,
    Ended,
    Event,
    ForeignPiece,
    Spoken,
    TextPiece,
    ToolBegan,
    ToolPiece,
)
from tierwise.wire.translate import task_of

WORDS: Mapping[Feature, str] = {"temperature": "heat", "max_tokens": "most", "tools": "gear"}
KNOWN = {"model", "say", "heat", "most", "gear", "stream"}


class Writer:
    """Numbers its events."""

    def __init__(self) -> None:
        self.number = 0
        self.why = ""
        self.usage: Usage | None = None

    def write(self, events: Iterable[Event]) -> bytes:
        return b"".join(event for one in events for event in self._event(one))

    def close(self) -> bytes:
        usage = self.usage or Usage()
        return self._said(end=self.why, read=usage.input_tokens, wrote=usage.output_tokens)

    def _event(self, event: Event) -> Iterator[bytes]:
        match event:
            case Began():
                yield self._said(begin=event.id, model=event.model)
            case TextPiece():
                yield self._said(piece=event.text)
            case ToolBegan():
                yield self._said(call=event.call, name=event.name, id=event.id)
            case ToolPiece():
                yield self._said(call=event.call, more=event.arguments)
            case Ended():
                self.why = event.finish
            case Counted():
                self.usage = event.usage

    def _said(self, **fields: Any) -> bytes:
        self.number += 1
        return b"data: " + json.dumps({"n": self.number, **fields}).encode() + b"\n\n"


class Reader:
    """Reads them."""

    def read(self, block: bytes) -> list[Event]:
        return [found for event in sse.events(block) for found in self.event(event)]

    def event(self, event: bytes) -> Iterator[Event]:
        data = sse.payload(event)
        if data is None:
            return
        said = msgspec.json.decode(data)
        if "begin" in said:
            yield Began(id=said["begin"], model=said["model"])
        elif "piece" in said:
            yield TextPiece(text=said["piece"])
        elif "more" in said:
            yield ToolPiece(call=said["call"], arguments=said["more"])
        elif "call" in said:
            yield ToolBegan(call=said["call"], id=said["id"], name=said["name"])
        elif "strange" in said:
            yield ForeignPiece(origin="plain", what="strange", raw=Raw(data))
        elif "end" in said:
            yield Counted(usage=Usage(input_tokens=said["read"], output_tokens=said["wrote"]))
            if said["end"]:
                yield Ended(finish=said["end"])


class Plain:
    """The dialect."""

    name = "plain"
    words = WORDS

    def read_request(self, body: bytes) -> Conversation:
        try:
            said = msgspec.json.decode(body)
            turns = tuple(Turn(role=one["who"], parts=(_part(one["what"]),)) for one in said["say"])
        except (msgspec.MsgspecError, LookupError, TypeError) as error:
            raise InvalidRequest(f"`say` cannot be read: {error}", param="say") from None
        return Conversation(
            dialect="plain",
            model=said.get("model", ""),
            turns=turns,
            sampling=Sampling(temperature=said.get("heat")),
            max_tokens=said.get("most"),
            tools=tuple(
                Tool(name=name, parameters=Raw(b'{"type":"object"}'))
                for name in said.get("gear", ())
            ),
            stream=bool(said.get("stream")),
            stream_usage=bool(said.get("stream")),
            own={
                name: Raw(json.dumps(v).encode()) for name, v in said.items() if name not in KNOWN
            },
        )

    def write_request(self, asked: Conversation) -> bytes:
        say = [
            {"who": turn.role, "what": "".join(p.text for p in turn.parts if isinstance(p, Text))}
            for turn in asked.turns
        ]
        body: dict[str, Any] = {"model": asked.model, "say": say, "stream": asked.stream}
        if asked.sampling.temperature is not None:
            body["heat"] = asked.sampling.temperature
        if asked.max_tokens is not None:
            body["most"] = asked.max_tokens
        if asked.tools:
            body["gear"] = [tool.name for tool in asked.tools]
        if asked.dialect == "plain":
            body |= {name: json.loads(bytes(value)) for name, value in asked.own.items()}
        return json.dumps(body).encode()

    def read_reply(self, body: bytes) -> Spoken:
        said = msgspec.json.decode(body)
        choice = Choice(parts=(Text(text=said["said"]),), finish=said["why"])
        return Spoken(id="p1", model=said["model"], choices=(choice,), usage=_usage(said))

    def write_reply(self, spoken: Spoken, asked: Conversation) -> bytes:  # noqa: ARG002
        choice = spoken.choices[0]
        text = "".join(part.text for part in choice.parts if isinstance(part, Text))
        usage = spoken.usage or Usage()
        return a_plain_answer(
            text,
            model=spoken.model,
            why=choice.finish,
            read=usage.input_tokens,
            wrote=usage.output_tokens,
        )

    def event_reader(self) -> Reader:
        return Reader()

    def event_writer(self, asked: Conversation) -> Writer:  # noqa: ARG002
        return Writer()

    def error(self, error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
        return 400, json.dumps({"wrong": str(error)}).encode(), {}

    def error_event(self, error: TierwiseError) -> bytes:
        return b"data: " + self.error(error)[1] + b"\n\n"


PLAIN = Plain()


class PlainProvider:
    """A provider that speaks it."""

    speaks = "plain"

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def request(self, task: Task) -> HttpRequest:
        assert (task.dialect, task.reads) == ("plain", "plain")
        body = {**json.loads(task.body), "model": self.deployment.upstream_model}
        url = f"{self.deployment.base_url}/chat/completions"
        return HttpRequest(url, {}, json.dumps(body).encode(), 2.0)

    def reply(self, body: bytes, task: Task) -> PlainReply:  # noqa: ARG002
        return PlainReply(body)

    def stream_reader(self, task: Task, *, keep: bool = False) -> PlainStream:  # noqa: ARG002
        return PlainStream()

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:  # noqa: ARG002
        return ServerFailed("it failed", status=status)


class PlainReply:
    def __init__(self, body: bytes) -> None:
        said = msgspec.json.decode(body)
        self.body = body
        self.reported_model = said["model"]
        self.usage = _usage(said)

    def completion(self) -> Completion:
        return Completion(text=msgspec.json.decode(self.body)["said"], finish_reason="stop")

    def rename(self, model: str) -> None:
        self.body = json.dumps({**json.loads(self.body), "model": model}).encode()


class PlainStream:
    def __init__(self) -> None:
        self._buffer = sse.EventBuffer()
        self._kept: list[Event] = []
        self.started = self.finished = False
        self.reported_model: str | None = None
        self.usage: Usage | None = None
        self.output_chars = 0

    def feed(self, data: bytes) -> bytes:
        block = self._buffer.feed(data)
        try:
            for event in sse.events(block):
                self._take_in(Reader().event(event))
        except msgspec.MsgspecError as error:
            raise ServerFailed(f"the stream cannot be read: {error}", status=200) from None
        return block

    def _take_in(self, events: Iterable[Event]) -> None:
        for event in events:
            self._kept.append(event)
            self.started = True
            if isinstance(event, Began):
                self.reported_model = event.model
            elif isinstance(event, TextPiece):
                self.output_chars += len(event.text)
            elif isinstance(event, Counted):
                self.usage = event.usage
            elif isinstance(event, Ended):
                self.finished = True

    def close(self) -> bytes:
        if not self.finished:
            raise StreamBroken("the stream ended in the middle of the answer")
        return b""

    def rename(self, model: str, block: bytes) -> bytes:  # noqa: ARG002
        return block

    def completion(self) -> Completion:
        text = "".join(one.text for one in self._kept if isinstance(one, TextPiece))
        return Completion(text=text, finish_reason="stop")


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets clients and providers speak it for one test."""
    monkeypatch.setitem(dialects._DIALECTS, "plain", "plain:PLAIN")
    monkeypatch.setitem(base.BUILTIN, "plain", "plain:PlainProvider")


def a_plain_task(*say: str, **fields: Any) -> Task:
    """A task of one of its clients: what the user says, or user and model in turn."""
    turns = [{"who": ("user", "assistant")[at % 2], "what": text} for at, text in enumerate(say)]
    body = json.dumps({"model": "auto", "say": turns or [{"who": "user", "what": "Hi"}], **fields})
    return task_of(PLAIN.read_request(body.encode()), body.encode())


def a_plain_answer(text: str, **fields: Any) -> bytes:
    """A whole answer."""
    usual = {"model": "large", "said": text, "why": "stop", "read": 7, "wrote": 3}
    return json.dumps({**usual, **fields}).encode()


def plain_events(*pieces: str, ends: bool = True, model: str = "large") -> list[bytes]:
    """A stream, whole or without its end."""
    writer = Writer()
    events: list[Event] = [Began(id="p1", model=model)]
    events += [TextPiece(text=piece) for piece in pieces]
    counted = Counted(usage=Usage(input_tokens=7, output_tokens=3))
    blocks = [writer.write([event]) for event in events]
    if ends:
        writer.write([counted, Ended(finish="stop")])
        blocks.append(writer.close())
    return blocks


async def answers(request: web.Request, body: Mapping[str, Any]) -> web.StreamResponse:
    """What a provider of this dialect does: it repeats the last thing that was said."""
    said = body["say"][-1]["what"]
    if not body.get("stream"):
        return web.Response(body=a_plain_answer(said, model=body["model"]))
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for event in plain_events(said, model=body["model"]):
        await response.write(event)
    await response.write_eof()
    return response


def read_plain(seen: bytes) -> list[dict[str, Any]]:
    """The events that a client has seen."""
    return [json.loads(data) for one in sse.events(seen) if (data := sse.payload(one)) is not None]


def _part(what: Any) -> Text | Foreign:
    if isinstance(what, str):
        return Text(text=what)
    return Foreign(origin="plain", what=what["kind"], raw=Raw(json.dumps(what).encode()))


def _usage(said: Mapping[str, Any]) -> Usage:
    return Usage(input_tokens=said["read"], output_tokens=said["wrote"])
