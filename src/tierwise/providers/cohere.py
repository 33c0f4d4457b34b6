"""Cohere's Chat API v2, for callers of any dialect.

Its answers do not name the model, so the name is written into them here.
"""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.errors import ServerFailed, UpstreamError
from tierwise.providers.account import Account
from tierwise.providers.http import HttpRequest
from tierwise.providers.reading import EventStream, Said, unreadable_answer, unreadable_stream
from tierwise.types import Completion, Deployment, Task, Usage
from tierwise.wire import openai_chat, sse
from tierwise.wire.cohere.reply import FAILURES, decode_body, read_usage, spoken_of
from tierwise.wire.cohere.stream import CohereEvents, decode_event
from tierwise.wire.judged import completion_of, completion_of_events
from tierwise.wire.spoken import Spoken
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

_END = b"message-end"
_SAID = Said("text", "thinking", "arguments", "tool_plan")


class Cohere:
    """Asks one deployment in the dialect of `POST {base_url}/v2/chat`."""

    speaks = "cohere"

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        base = deployment.base_url.rstrip("/").removesuffix("/v1").removesuffix("/v2")
        self._url = f"{base}/v2/chat"
        self._models_url = f"{base}/v1/models"
        self._account = Account(deployment)
        self.model = openai_chat.json_string(deployment.upstream_model)

    def request(self, task: Task) -> HttpRequest:
        """The task's body, with the provider's name of the model."""
        body = task.body
        if task.model != self.deployment.upstream_model:
            body = openai_chat.with_fields(body, {"model": self.model})
        return self._account.call(self._url, body)

    def sign_of_life(self) -> HttpRequest:
        """Its list of models, which is free and asks for the key."""
        return self._account.call(self._models_url, None)

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
        except UNREADABLE as error:
            raise unreadable_answer(error) from None
        if read.finish_reason in FAILURES:
            raise ServerFailed(f"the answer ended with {read.finish_reason}", status=200)
        self.reported_model: str | None = adapter.deployment.upstream_model
        self.usage: Usage | None = self._spoken.usage

    def completion(self) -> Completion:
        return completion_of(self._spoken.choices[0])

    def rename(self, model: str) -> None:
        name = openai_chat.json_string(model)
        self.body = openai_chat.with_fields(self.body, {"model": name})


class _Stream(EventStream):
    __slots__ = ("_adapter", "_kept", "_name", "usage")

    def __init__(self, adapter: Cohere, *, keep: bool) -> None:
        super().__init__(adapter.no_stream)
        self._adapter = adapter
        self._kept: list[bytes] | None = [] if keep else None
        self._name = adapter.model
        self.usage: Usage | None = None

    def rename(self, model: str, block: bytes) -> bytes:
        was, self._name = self._name, openai_chat.json_string(model)
        return block.replace(b'"model":' + was, b'"model":' + self._name)

    def completion(self) -> Completion:
        try:
            return completion_of_events(CohereEvents().read(b"".join(self._kept or ())))
        except UNREADABLE as error:
            raise unreadable_stream(error) from None

    def _take(self, block: bytes) -> bytes:
        self.output_chars += _SAID.chars(block, block.count(b"-delta"))
        if not self.started or _END in block:
            block = b"".join(self._event(event) for event in sse.events(block))
        if self._kept is not None:
            self._kept.append(block)
        return block

    def _event(self, event: bytes) -> bytes:
        data = sse.payload(event)
        if data is None or data == b"[DONE]":
            if data is None:
                self._stray(event)
            return event + b"\n\n"
        if self.started and _END not in event:
            return event + b"\n\n"
        try:
            check_text(data)
            read = decode_event(data)
        except UNREADABLE as error:
            raise unreadable_stream(error) from None
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
