"""OpenAI's Responses API, and servers that are compatible with it.

Only callers of the same dialect come here as they are, so their bytes pass; what the keys, the
errors and the list of models look like is as in Chat Completions at the same provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import ServerFailed, StreamBroken, UpstreamError, UpstreamRejected
from tierwise.providers.http import HttpRequest
from tierwise.providers.openai_compatible import OpenAICompatible
from tierwise.types import Completion, Deployment, Task, TokenLogprob, ToolCall, Usage
from tierwise.wire import openai_chat, sse
from tierwise.wire.conversation import Refusal, Text
from tierwise.wire.conversation import ToolCall as Called
from tierwise.wire.openai_logprobs import read_logprobs
from tierwise.wire.responses.reply import Body, decode_body, failed, spoken_of
from tierwise.wire.responses.stream import EventReader
from tierwise.wire.responses.thoughts import without_sealed
from tierwise.wire.responses.usage import read_usage
from tierwise.wire.spoken import Ended, Event, Finish, RefusalPiece, TextPiece
from tierwise.wire.spoken import ToolBegan as Began
from tierwise.wire.spoken import ToolPiece as Arguments
from tierwise.wire.utf8 import check_text

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
# Marks the few events of a stream that need a look inside; all others pass as bytes. Quotes in text
# are escaped in JSON, so a model's words cannot look like one of these.
_NOTABLE = (
    re.compile(rb'"response\.(?:completed|incomplete|failed)"'),
    re.compile(rb'"error"\s*:\s*[^\sn]'),  # not null, which is in every answer
    re.compile(rb'"type"\s*:\s*"error"'),
)
_FINISHES: dict[Finish, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "refusal": "stop",
    "filter": "content_filter",
    "pause": "length",
}
"""What gates call the ends of an answer: one that waits to be asked to go on is not whole."""
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
        self._account = OpenAICompatible(deployment)
        self._url = deployment.base_url.rstrip("/") + "/responses"
        self._headers = self._account.sign_of_life().headers
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
        return HttpRequest(self._url, self._headers, body, self.deployment.timeouts.connect)

    def sign_of_life(self) -> HttpRequest:
        """Its list of models, which is free and asks for the key."""
        return self._account.sign_of_life()

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
        except _UNREADABLE:
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
        except _UNREADABLE as error:
            if b'"error"' in body:
                raise adapter.error(200, {}, body) from None
            raise ServerFailed(f"the answer cannot be read: {error}", status=200) from None
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


class _Stream:
    __slots__ = (
        "_adapter",
        "_buffer",
        "_events",
        "_kept",
        "_names",
        "_strange",
        "_whole",
        "finished",
        "output_chars",
        "reported_model",
        "started",
        "usage",
    )

    def __init__(self, adapter: OpenAIResponses, *, keep: bool) -> None:
        self._adapter = adapter
        self._buffer = sse.EventBuffer()
        self._events = EventReader() if keep else None
        self._kept: list[Event] = []
        self._names: tuple[re.Pattern[bytes], bytes] | None = None
        self._strange = b""
        self._whole: Body | None = None
        self.started = False
        self.finished = False
        self.reported_model: str | None = None
        self.usage: Usage | None = None
        self.output_chars = 0

    def feed(self, data: bytes) -> bytes:
        block = self._buffer.feed(data)
        if not block:
            return b""
        # An event carries about one token, which is about four characters.
        events = block.count(b"data:")
        self.output_chars += 4 * events
        if events != block.count(b"}\n\n"):
            self._check(block)
        return self._renamed(self._look(block))

    def close(self) -> bytes:
        rest = self._buffer.rest
        out = b""
        if rest.strip():
            # Some servers leave out the blank line after the last event.
            self._buffer.rest = b""
            block = rest.rstrip(b"\r\n") + b"\n\n"
            self._check(block)
            out = self._renamed(self._look(block))
        if not self.finished:
            if self._strange and not self.started:
                raise self._adapter.no_stream(self._strange)
            where = "in the middle of the answer" if self.started else "before its first event"
            raise StreamBroken(f"the stream ended {where}")
        return out

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
        return _joined(self._kept)

    def _renamed(self, block: bytes) -> bytes:
        if self._names is None or b'"model"' not in block:
            return block
        return self._names[0].sub(self._names[1], block)

    def _check(self, block: bytes) -> None:
        """Refuses what is no event, in a block that does not only hold such as usual."""
        for event in sse.events(block):
            data = sse.payload(event)
            data = b"" if data is None else data.strip()
            if data not in (b"", b"[DONE]") and not (data[:1] == b"{" and data[-1:] == b"}"):
                raise ServerFailed("the stream cannot be read: an event is not whole", status=200)

    def _look(self, block: bytes) -> bytes:
        """Reads the events that need it."""
        if self._events is not None:
            self._keep(block)
        for begin, end in self._to_read(block):
            self._read(block[begin:end])
        return block

    def _keep(self, block: bytes) -> None:
        """Remembers what is said, up to an error: that one is told of elsewhere."""
        try:
            self._kept += self._events.read(block) if self._events is not None else ()
        except ServerFailed:
            self._events = None
        except _UNREADABLE as error:
            raise ServerFailed(f"the stream cannot be read: {error}", status=200) from None

    def _to_read(self, block: bytes) -> Iterator[tuple[int, int]]:
        """Where the events begin and end that need a look inside."""
        place = 0
        while place < len(block) and not (self.started and self.reported_model):
            span = sse.event_around(block, place)
            yield span
            place = span[1]
        found = {
            sse.event_around(block, match.start())
            for notable in _NOTABLE
            for match in notable.finditer(block, place)
        }
        yield from sorted(found)

    def _read(self, event: bytes) -> None:
        data = sse.payload(event)
        if data is None:
            if not (self.started or self._strange or sse.is_event(event)):
                self._strange = event
            return
        if data == b"[DONE]":
            return
        try:
            self._take(_decode_event(data))
        except _UNREADABLE as error:
            raise ServerFailed(f"the stream cannot be read: {error}", status=200) from None

    def _take(self, event: _Event) -> None:
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
    except _UNREADABLE as error:
        raise ServerFailed(f"the answer cannot be read: {error}", status=200) from None
    refusal = "".join(part.text for part in choice.parts if isinstance(part, Refusal))
    return Completion(
        text="".join(part.text for part in choice.parts if isinstance(part, Text)),
        finish_reason=_FINISHES[choice.finish] if choice.finish else None,
        tool_calls=tuple(
            ToolCall(id=part.id, name=part.name, arguments=part.arguments)
            for part in choice.parts
            if isinstance(part, Called)
        ),
        refusal=refusal or None,
        logprobs=read_logprobs(choice.logprobs),
    )


def _joined(events: list[Event]) -> Completion:
    """What gates judge of the beginning of an answer."""
    calls: dict[int, ToolCall] = {}
    refusal = "".join(event.text for event in events if isinstance(event, RefusalPiece))
    finish: Finish | None = None
    logprobs: list[TokenLogprob] = []
    for event in events:
        if isinstance(event, Began):
            calls[event.call] = ToolCall(id=event.id, name=event.name, arguments="")
        elif isinstance(event, Arguments) and event.call in calls:
            call = calls[event.call]
            said = call.arguments + event.arguments
            calls[event.call] = ToolCall(id=call.id, name=call.name, arguments=said)
        elif isinstance(event, TextPiece):
            logprobs += read_logprobs(event.logprobs)
        elif isinstance(event, Ended):
            finish = event.finish
    return Completion(
        text="".join(event.text for event in events if isinstance(event, TextPiece)),
        finish_reason=_FINISHES[finish] if finish else None,
        tool_calls=tuple(calls.values()),
        refusal=refusal or None,
        logprobs=tuple(logprobs),
    )
