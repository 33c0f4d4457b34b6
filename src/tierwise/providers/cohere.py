"""Cohere's Chat API v2, for callers of any dialect.

Its answers do not name the model, so the name is written into them here.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tierwise.errors import ServerFailed, StreamBroken, UpstreamError
from tierwise.providers.http import HttpRequest
from tierwise.providers.openai_compatible import OpenAICompatible
from tierwise.types import Completion, Deployment, Task, Usage
from tierwise.wire import openai_chat, sse
from tierwise.wire.cohere.reply import FAILURES, completion_of, decode_body, read_usage, spoken_of
from tierwise.wire.cohere.stream import choice_of, decode_event
from tierwise.wire.spoken import Spoken
from tierwise.wire.utf8 import check_text

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_END = b"message-end"


class Cohere:
    """Asks one deployment in the dialect of `POST {base_url}/v2/chat`."""

    speaks = "cohere"

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        base = deployment.base_url.rstrip("/").removesuffix("/v1").removesuffix("/v2")
        self._url = f"{base}/v2/chat"
        self._models_url = f"{base}/v1/models"
        # What its keys look like in headers, and its errors, is as in the family.
        self._account = OpenAICompatible(deployment)
        self._headers = self._account.sign_of_life().headers
        self.model = openai_chat.json_string(deployment.upstream_model)

    def request(self, task: Task) -> HttpRequest:
        """The task's body, with the provider's name of the model."""
        body = task.body
        if task.model != self.deployment.upstream_model:
            body = openai_chat.with_fields(body, {"model": self.model})
        return HttpRequest(self._url, self._headers, body, self.deployment.timeouts.connect)

    def sign_of_life(self) -> HttpRequest:
        """Its list of models, which is free and asks for the key."""
        connect = self.deployment.timeouts.connect
        return HttpRequest(self._models_url, self._headers, None, connect)

    def reply(self, body: bytes, task: Task) -> _Reply:  # noqa: ARG002 - the protocol's
        """A whole answer; raises `ServerFailed` if the body is not one."""
        return _Reply(body, self)

    def stream_reader(self, task: Task, *, keep: bool = False) -> _Stream:  # noqa: ARG002
        """A reader of a stream."""
        return _Stream(self, keep=keep)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return self._account.error(status, headers, body)

    def no_stream(self, body: bytes) -> UpstreamError:
        """What it means that something else came where a stream should have begun."""
        return self._account.no_stream(body)


class _Reply:
    __slots__ = ("_spoken", "body", "reported_model", "usage")

    def __init__(self, body: bytes, adapter: Cohere) -> None:
        try:
            check_text(body)
            read = decode_body(body)
            self._spoken: Spoken = spoken_of(read)
            self.body = openai_chat.with_fields(body, {"model": adapter.model})
        except _UNREADABLE as error:
            raise ServerFailed(f"the answer cannot be read: {error}", status=200) from None
        if read.finish_reason in FAILURES:
            raise ServerFailed(f"the answer ended with {read.finish_reason}", status=200)
        self.reported_model: str | None = adapter.deployment.upstream_model
        self.usage: Usage | None = self._spoken.usage

    def completion(self) -> Completion:
        return completion_of(self._spoken.choices[0])

    def rename(self, model: str) -> None:
        name = openai_chat.json_string(model)
        self.body = openai_chat.with_fields(self.body, {"model": name})


class _Stream:
    __slots__ = (
        "_adapter",
        "_buffer",
        "_kept",
        "_name",
        "_strange",
        "finished",
        "output_chars",
        "reported_model",
        "started",
        "usage",
    )

    def __init__(self, adapter: Cohere, *, keep: bool) -> None:
        self._adapter = adapter
        self._buffer = sse.EventBuffer()
        self._kept: list[bytes] | None = [] if keep else None
        self._name = adapter.model
        self._strange = b""
        self.started = False
        self.finished = False
        self.reported_model: str | None = None
        self.usage: Usage | None = None
        self.output_chars = 0

    def feed(self, data: bytes) -> bytes:
        block = self._buffer.feed(data)
        return self._look(block) if block else b""

    def close(self) -> bytes:
        rest = self._buffer.rest
        out = b""
        if rest.strip():
            # The blank line after the last event may be missing.
            self._buffer.rest = b""
            out = self._look(rest.rstrip(b"\r\n") + b"\n\n")
        if not self.finished:
            if self._strange and not self.started:
                raise self._adapter.no_stream(self._strange)
            where = "in the middle of the answer" if self.started else "before its first event"
            raise StreamBroken(f"the stream ended {where}")
        return out

    def rename(self, model: str, block: bytes) -> bytes:
        was, self._name = self._name, openai_chat.json_string(model)
        return block.replace(b'"model":' + was, b'"model":' + self._name)

    def completion(self) -> Completion:
        try:
            return completion_of(choice_of(b"".join(self._kept or ())))
        except _UNREADABLE as error:
            raise ServerFailed(f"the stream cannot be read: {error}", status=200) from None

    def _look(self, block: bytes) -> bytes:
        # An event carries about one token, which is about four characters.
        self.output_chars += 4 * block.count(b"-delta")
        if not self.started or _END in block:
            block = b"".join(self._event(event) for event in sse.events(block))
        if self._kept is not None:
            self._kept.append(block)
        return block

    def _event(self, event: bytes) -> bytes:
        data = sse.payload(event)
        if data is None or data == b"[DONE]":
            if data is None and not (self.started or self._strange or sse.is_event(event)):
                self._strange = event
            return event + b"\n\n"
        if self.started and _END not in event:
            return event + b"\n\n"
        try:
            read = decode_event(data)
        except _UNREADABLE as error:
            raise ServerFailed(f"the stream cannot be read: {error}", status=200) from None
        if not read.type:
            raise self._adapter.no_stream(data)
        self.started = True
        if read.type == "message-start":
            self.reported_model = self._adapter.deployment.upstream_model
            return b"data: " + openai_chat.with_fields(data, {"model": self._name}) + b"\n\n"
        if read.type == "message-end" and read.delta is not None:
            self._end(read.delta.finish_reason, read.delta.error)
            self.usage = read_usage(read.delta.usage)
        return event + b"\n\n"

    def _end(self, finish: str | None, error: str | None) -> None:
        if error or finish in FAILURES:
            words = error or f"the answer ended with {finish}"
            raise ServerFailed(words, status=200)
        self.finished = True
