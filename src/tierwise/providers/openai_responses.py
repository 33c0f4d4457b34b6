"""OpenAI's Responses API, and servers that are compatible with it.

Only callers of the same dialect come here as they are, so their bytes pass; what the keys, the
errors and the list of models look like is as in Chat Completions at the same provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import ServerFailed, UpstreamError, UpstreamRejected
from tierwise.providers.account import Account
from tierwise.providers.http import HttpRequest
from tierwise.providers.reading import EventStream, Said, unreadable_answer, unreadable_stream
from tierwise.types import Completion, Deployment, Task, Usage
from tierwise.wire import openai_chat, sse
from tierwise.wire.judged import completion_of, completion_of_events
from tierwise.wire.responses.reply import Body, decode_body, failed, spoken_of
from tierwise.wire.responses.stream import EventReader
from tierwise.wire.responses.thoughts import without_sealed
from tierwise.wire.responses.usage import read_usage
from tierwise.wire.spoken import Event
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

# Marks the few events of a stream that need a look inside; all others pass as bytes. Quotes in text
# are escaped in JSON, so a model's words cannot look like one of these.
_NOTABLE = (
    re.compile(rb'"response\.(?:completed|incomplete|failed)"'),
    re.compile(rb'"error"\s*:\s*[^\sn]'),  # not null, which is in every answer
    re.compile(rb'"type"\s*:\s*"error"'),
)
_SAID = Said("delta")
_PAUSED = "length"
"""What gates call the end of an answer that waits to be asked to go on: it is not whole."""
_AT_FAULT = re.compile(r"(?:^|_)(?:image|policy|mismatch|invalid)(?:_|$)")
"""What is in the codes of a failure that the request is to blame for; the others are the
provider's: https://platform.openai.com/docs/api-reference/responses/object, `error.code`."""


class _Error(Struct):
    code: str | None = None
    message: str | None = None


class _Event(Struct):
    """A streamed event, as much of it as relaying needs."""

    type: str = ""
    response: Raw = Raw(b"")
    error: Raw = Raw(b"")
    code: Raw = Raw(b"")
    message: Raw = Raw(b"")


class _Head(Struct):
    model: str | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_error = msgspec.json.Decoder(_Error).decode
_decode_head = msgspec.json.Decoder(_Head).decode


class OpenAIResponses:
    """Asks one deployment in the dialect of `POST {base_url}/responses`."""

    speaks = "openai-responses"

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._account = Account(deployment)
        self._base = deployment.base_url.rstrip("/")
        self._upstream_model = openai_chat.json_string(deployment.upstream_model)
        self._bills_cost = "usage-cost" in deployment.quirks

    def request(self, task: Task) -> HttpRequest:
        """The caller's own bytes, with only the name of the model changed.

        What other providers have signed is taken out of the conversation: none of these could read
        it, and they refuse what they cannot.
        """
        body = without_sealed(task.body)
        if task.model != self.deployment.upstream_model:
            body = openai_chat.with_fields(body, {"model": self._upstream_model})
        return self._account.call(f"{self._base}/responses", body)

    def sign_of_life(self) -> HttpRequest:
        """Its list of models, which is free and asks for the key."""
        return self._account.call(f"{self._base}/models", None)

    def reply(self, body: bytes, task: Task) -> _Reply:  # noqa: ARG002 - the protocol's
        """A whole answer; raises `ServerFailed` if the body is not one."""
        return _Reply(body, self)

    def stream_reader(self, task: Task, *, keep: bool = False) -> _Stream:  # noqa: ARG002
        """A reader that forwards bytes."""
        return _Stream(self, keep=keep)

    def usage(self, raw: Raw) -> Usage | None:
        """What a field `usage` says, as far as it can be believed."""
        return read_usage(raw, with_cost=self._bills_cost)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return self._account.error(status, headers, body)

    def failure(self, error: Raw) -> UpstreamError:
        """What the `error` of an answer means that has failed behind a 200."""
        body = b'{"error":%b}' % (bytes(error) or b'{"message":"the provider gave up"}')
        found = self._account.error(200, {}, body)
        try:
            code = _decode_error(error).code or ""
        except UNREADABLE:
            return found
        if type(found) is ServerFailed and _AT_FAULT.search(code):
            return UpstreamRejected(found.message, status=400, body=body)
        return found

    def no_stream(self, body: bytes) -> UpstreamError:
        """What it means that something else came where a stream should have begun."""
        return self._account.no_stream(body)


class _Reply:
    __slots__ = ("_whole", "body", "reported_model", "usage")

    def __init__(self, body: bytes, adapter: OpenAIResponses) -> None:
        try:
            check_text(body)
            answer = decode_body(body)
        except UNREADABLE as error:
            if b'"error"' in body:
                raise adapter.error(200, {}, body) from None
            raise unreadable_answer(error) from None
        if failed(answer):
            raise adapter.failure(answer.error)
        if answer.output is None:
            raise ServerFailed("the answer has no output", status=200)
        self._whole = answer
        self.body = body
        self.reported_model = answer.model or None
        self.usage = adapter.usage(answer.usage)

    def completion(self) -> Completion:
        return _completion(self._whole)

    def rename(self, model: str) -> None:
        self.body = openai_chat.with_fields(self.body, {"model": openai_chat.json_string(model)})


class _Stream(EventStream):
    __slots__ = ("_adapter", "_events", "_kept", "_names", "_whole", "usage")

    def __init__(self, adapter: OpenAIResponses, *, keep: bool) -> None:
        super().__init__(adapter.no_stream)
        self._adapter = adapter
        self._events = EventReader() if keep else None
        self._kept: list[Event] = []
        self._names: tuple[re.Pattern[bytes], bytes] | None = None
        self._whole: Body | None = None
        self.usage: Usage | None = None

    def _take(self, block: bytes) -> bytes:
        events = block.count(b"data:")
        self.output_chars += _SAID.chars(block, events)
        if events != block.count(b"}\n\n"):
            self._check(block)
        self._look(block)
        return self._renamed(block)

    def rename(self, model: str, block: bytes) -> bytes:
        """Tools have models too, which keep their names."""
        was = openai_chat.json_string(self.reported_model or "")
        now = b'"model":' + openai_chat.json_string(model)
        pattern = re.compile(rb'"model"\s*:\s*' + re.escape(was))
        self._names = (pattern, now.replace(b"\\", rb"\\"))
        return self._renamed(block)

    def completion(self) -> Completion:
        if self._whole is not None and self._whole.output:
            return _completion(self._whole)
        return completion_of_events(self._kept, paused=_PAUSED)

    def _renamed(self, block: bytes) -> bytes:
        if self._names is None or b'"model"' not in block:
            return block
        return self._names[0].sub(self._names[1], block)

    def _look(self, block: bytes) -> None:
        """Reads the events that need it."""
        if self._events is not None:
            self._keep(block)
        for begin, end in self._to_read(block):
            self._read(block[begin:end])

    def _keep(self, block: bytes) -> None:
        """Remembers what is said, up to an error: that one is told of elsewhere."""
        try:
            self._kept += self._events.read(block) if self._events is not None else ()
        except ServerFailed:
            self._events = None
        except UNREADABLE as error:
            raise unreadable_stream(error) from None

    def _to_read(self, block: bytes) -> Iterator[tuple[int, int]]:
        """Where the events begin and end that need a look inside."""
        place = 0
        while place < len(block) and not (self.started and self.reported_model):
            span = sse.event_around(block, place)
            yield span
            place = span[1]
        yield from sse.events_with(block, _NOTABLE, place)

    def _read(self, event: bytes) -> None:
        data = sse.payload(event)
        if data is None:
            self._stray(event)
            return
        if data == b"[DONE]":
            return
        try:
            self._take_in(_decode_event(data))
        except UNREADABLE as error:
            raise unreadable_stream(error) from None

    def _take_in(self, event: _Event) -> None:
        if event.type == "error" or (not event.type and openai_chat.given(event.error)):
            raise self._adapter.failure(_error_of(event))
        self.started = True
        if not openai_chat.given(event.response):
            return
        if self.reported_model is None:
            self.reported_model = _decode_head(event.response).model
        if event.type in ("response.completed", "response.incomplete", "response.failed"):
            answer = decode_body(event.response)
            if event.type == "response.failed" or failed(answer):
                raise self._adapter.failure(answer.error)
            self._whole = answer
            self.usage = self._adapter.usage(answer.usage)
            self.finished = True


def _error_of(event: _Event) -> Raw:
    """The error of an event, which has it in an object or beside its type."""
    if openai_chat.given(event.error):
        return event.error
    beside = {"code": event.code, "message": event.message}
    return Raw(msgspec.json.encode({k: v for k, v in beside.items() if openai_chat.given(v)}))


def _completion(answer: Body) -> Completion:
    """What gates judge of an answer."""
    try:
        choice = spoken_of(answer).choices[0]
    except UNREADABLE as error:
        raise unreadable_answer(error) from None
    return completion_of(choice, paused=_PAUSED)
