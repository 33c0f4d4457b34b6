"""Anthropic's Messages API, spoken natively: `POST {base_url}/v1/messages`.

The deployment's own headers go with every call, `anthropic-version` and `anthropic-beta` among
them; the trials that a caller takes part in are added to the latter.

Anthropic requires `max_tokens`. Where a caller of another dialect gave none, it is the longest
answer that the catalogue knows of the model, else 4,096 tokens beside those it may think with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tierwise.errors import UpstreamError
from tierwise.providers.account import Account
from tierwise.providers.anthropic_models import fitted, takes
from tierwise.providers.http import HttpRequest
from tierwise.providers.reading import EventStream, Said, unreadable_answer, unreadable_stream
from tierwise.types import Completion, Deployment, Task, Usage
from tierwise.wire import openai_chat, sse
from tierwise.wire.anthropic.reply import finish_of, read_reply
from tierwise.wire.anthropic.stream_reader import EventReader, decode_event
from tierwise.wire.anthropic.unsigned import without_unsigned
from tierwise.wire.anthropic.unthought import without_thinking
from tierwise.wire.anthropic.usage import read_usage
from tierwise.wire.judged import completion_of, completion_of_events
from tierwise.wire.spoken import Event
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

VERSION = "2023-06-01"
"""https://platform.claude.com/docs/en/api/versioning"""
DEFAULT_MAX_TOKENS = 4096
_CHAT = "openai-chat"
_MODEL = re.compile(rb'"model"\s*:\s*"((?:[^"\\]|\\.)*)"')
# The few events of a stream that are looked into; others pass as bytes. A model's words that look
# like one of these only cost a look.
_NOTABLE = (b"message_delta", b"message_stop", b'"error"')
_SAID = Said("text", "thinking", "partial_json")
_GOODBYE = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class Anthropic:
    """Asks one deployment in the dialect of the Messages API."""

    speaks = "anthropic"

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._base = deployment.base_url.rstrip("/").removesuffix("/v1")
        self._account = Account(deployment, lambda key: {"x-api-key": key})
        self._headers = {"anthropic-version": VERSION, **self._account.headers}
        self._upstream_model = openai_chat.json_string(deployment.upstream_model)
        self._takes = takes(deployment.upstream_model)
        self.lacks = self._takes.lacks
        """What callers of other dialects may ask for, and this model refuses."""

    def request(self, task: Task) -> HttpRequest:
        """The caller's own bytes, with only the fields changed that must be."""
        deployment = self.deployment
        body = fitted(without_unsigned(task.body), self._takes)
        if body is not task.body or task.reads != self.speaks:
            body = without_thinking(body)
        changes: dict[str, bytes | None] = {}
        if task.model != deployment.upstream_model:
            changes["model"] = self._upstream_model
        if task.max_output_tokens is None and openai_chat.field_of(body, "max_tokens") is None:
            changes["max_tokens"] = b"%d" % self._most_tokens(body)
        if changes:
            body = openai_chat.with_fields(body, changes)
        url = self._base + "/v1/messages"
        return HttpRequest(url, self._headers_for(task), body, deployment.timeouts.connect)

    def sign_of_life(self) -> HttpRequest:
        """Its list of models, which is free and asks for the key."""
        url = self._base + "/v1/models"
        return HttpRequest(url, self._headers, None, self.deployment.timeouts.connect)

    def prefilled(self, task: Task, said: str) -> Task | None:
        """The task with the beginning of its answer; None if the model does not go on from one,
        which none does that thinks or has a form to keep to."""
        if not self._takes.prefill or task.dialect not in (self.speaks, _CHAT):
            return None
        if task.reasoning or task.json_mode or task.json_schema is not None:
            return None
        message = {"role": "assistant", "content": said}
        return replace(task, body=openai_chat.with_messages(task.body, [message]))

    def reply(self, body: bytes, task: Task) -> _Reply:  # noqa: ARG002 - the protocol's
        """A whole answer; raises `ServerFailed` if the body is not one."""
        return _Reply(body, self)

    def stream_reader(self, task: Task, *, keep: bool = False) -> _Stream:  # noqa: ARG002
        """A reader that forwards bytes."""
        return _Stream(keep=keep, adapter=self)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        if status == 400 and b"credit balance" in body:
            status = 402  # nobody's request is served, whatever it asks
        return self._account.error(status, headers, body)

    def no_stream(self, body: bytes) -> UpstreamError:
        """What it means that something else came where a stream should have begun."""
        return self._account.no_stream(body)

    def _headers_for(self, task: Task) -> dict[str, str]:
        if not task.betas:
            return self._headers
        known = [one.strip() for one in self._headers.get("anthropic-beta", "").split(",")]
        every = dict.fromkeys(one for one in (*known, *task.betas) if one)
        return {**self._headers, "anthropic-beta": ",".join(every)}

    def _most_tokens(self, body: bytes) -> int:
        if self.deployment.max_output_tokens is not None:
            return self.deployment.max_output_tokens
        try:
            thinking = _decode_budget(openai_chat.field_of(body, "thinking") or b"{}")
        except UNREADABLE:
            return DEFAULT_MAX_TOKENS
        return DEFAULT_MAX_TOKENS + (thinking.budget_tokens or 0)


class _Budget(Struct):
    budget_tokens: int | None = None


class _Head(Struct):
    """The part of an answer that accounting needs."""

    content: list[Raw]
    model: str | None = None
    usage: Raw = Raw(b"")


_decode_budget = msgspec.json.Decoder(_Budget).decode
_decode_head = msgspec.json.Decoder(_Head).decode


class _Reply:
    __slots__ = ("body", "reported_model", "usage")

    def __init__(self, body: bytes, adapter: Anthropic) -> None:
        try:
            check_text(body)
            head = _decode_head(body)
        except UNREADABLE as error:
            if b'"error"' in body:
                raise adapter.error(200, {}, body) from None
            raise unreadable_answer(error) from None
        self.body = body
        self.reported_model = head.model
        self.usage = read_usage(head.usage)

    def completion(self) -> Completion:
        try:
            return completion_of(read_reply(self.body).choices[0])
        except UNREADABLE as error:
            raise unreadable_answer(error) from None

    def rename(self, model: str) -> None:
        self.body = openai_chat.with_fields(self.body, {"model": openai_chat.json_string(model)})


class _Stream(EventStream):
    __slots__ = ("_adapter", "_events", "_kept", "_name", "usage")
    goodbye = _GOODBYE

    def __init__(self, *, keep: bool, adapter: Anthropic) -> None:
        super().__init__(adapter.no_stream)
        self._adapter = adapter
        self._events = EventReader() if keep else None
        self._kept: list[Event] = []
        self._name: bytes | None = None
        self.usage: Usage | None = None

    def rename(self, model: str, block: bytes) -> bytes:
        name = openai_chat.json_string(model)
        self._name = b'"model":' + name.replace(b"\\", rb"\\")
        return self._renamed(block)

    def completion(self) -> Completion:
        """What the stream said, as gates read it."""
        return completion_of_events(self._kept)

    def _take(self, block: bytes) -> bytes:
        events = block.count(b"data:")
        self.output_chars += _SAID.chars(block, events)
        if events != block.count(b"}\n\n"):
            self._check(block, (b"",))
        for begin, end in self._to_read(block):
            self._read(block[begin:end])
        if self._events is not None:
            try:
                self._kept += self._events.read(block)
            except UNREADABLE as error:
                raise unreadable_stream(error) from None
        return self._renamed(block)

    def _renamed(self, block: bytes) -> bytes:
        """The model is named where the message starts, and nowhere else."""
        if self._name is None or b"message_start" not in block:
            return block
        return _MODEL.sub(self._name, block, count=1)

    def _to_read(self, block: bytes) -> Iterator[tuple[int, int]]:
        """Where the events begin and end that need a look inside."""
        place = 0
        while place < len(block) and not self.started:
            span = sse.event_around(block, place)
            yield span
            place = span[1]
        found: set[tuple[int, int]] = set()
        for notable in _NOTABLE:
            at = block.find(notable, place)
            while at >= 0:
                span = sse.event_around(block, at)
                found.add(span)
                at = block.find(notable, span[1])
        yield from sorted(found)

    def _read(self, event: bytes) -> None:
        data = sse.payload(event)
        if data is None:
            self._stray(event)
            return
        try:
            said = decode_event(data)
        except UNREADABLE as error:
            raise unreadable_stream(error) from None
        match said.type:
            case "message_start":
                self.started = True
                if said.message is not None:
                    self.reported_model = said.message.model or None
                    self.usage = read_usage(said.message.usage)
            case "message_delta":
                self.usage = read_usage(said.usage, self.usage)
                if said.delta is not None and finish_of(said.delta.stop_reason) is not None:
                    self.finished = True
            case "message_stop":
                self._done = self.finished = True
            case "error":
                raise self._adapter.error(200, {}, data)
            case _:
                pass
