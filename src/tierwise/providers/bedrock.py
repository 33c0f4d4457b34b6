"""Amazon Bedrock by its own API: `POST {base_url}/model/{id}/converse` and `/converse-stream`.

Frames of a stream become server-sent events here, so that everything behind is the same as for
other providers; Bedrock does not name the model that answers, so that is added.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tierwise.errors import ServerFailed, UpstreamError
from tierwise.providers.bedrock_calls import BedrockCalls
from tierwise.providers.http import HttpRequest
from tierwise.providers.reading import Said, broken, unreadable_answer, unreadable_stream
from tierwise.types import Completion, Deployment, Task, Usage
from tierwise.wire.bedrock.fit import fitted
from tierwise.wire.bedrock.makers import lacks_of, maker_of
from tierwise.wire.bedrock.reply import read_reply
from tierwise.wire.bedrock.stream import BedrockEvents
from tierwise.wire.bedrock.usage import read_usage
from tierwise.wire.eventstream import BadFrame, FrameBuffer
from tierwise.wire.judged import completion_of, completion_of_events
from tierwise.wire.openai_chat import json_string, with_fields, with_messages
from tierwise.wire.translate import CHAT
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

_SAID = Said("text", "input")
_GO_ON = frozenset({"claude", "nova", "nova-2"})


class Bedrock:
    """Asks one deployment by Converse.

    `lacks` are the features that the dialect has words for and its model does not take.
    """

    speaks = "bedrock"

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.model = json_string(deployment.upstream_model)
        names = (deployment.upstream_model, deployment.model)
        self.lacks = lacks_of(*names)
        self._goes_on = "prefill" not in self.lacks and maker_of(*names) in _GO_ON
        self._calls = BedrockCalls(deployment)
        self._own = self._calls.own_fields()

    def request(self, task: Task) -> HttpRequest:
        """The call; the body's words are those of the model's maker."""
        deployment = self.deployment
        body = fitted(task.body, deployment.upstream_model, deployment.model)
        if self._own:
            body = with_fields(body, self._own)
        return self._calls.request("converse-stream" if task.stream else "converse", body)

    def prefilled(self, task: Task, said: str) -> Task | None:
        """The task with the beginning of its answer; None if the model does not go on from one.

        Claude until 4.5 and Nova do, unless they think or have a form to keep to, and not from a
        text that ends with a space.
        """
        if self._goes_on and task.dialect == CHAT and said == said.rstrip():
            if task.reasoning or task.json_mode or task.json_schema is not None:
                return None
            message = {"role": "assistant", "content": said}
            return replace(task, body=with_messages(task.body, [message]))
        return None

    def reply(self, body: bytes, task: Task) -> _Reply:  # noqa: ARG002 - the protocol's
        """A whole answer; raises `ServerFailed` if the body is not one."""
        return _Reply(body, self)

    def stream_reader(self, task: Task, *, keep: bool = False) -> _Stream:  # noqa: ARG002
        """A reader that makes events of frames."""
        return _Stream(keep=keep, adapter=self)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return self._calls.error(status, headers, body)

    def exception(self, headers: Mapping[str, str], payload: bytes) -> UpstreamError:
        """What it means that a frame is no event."""
        return self._calls.exception_in_frame(headers, payload)

    def no_stream(self, body: bytes) -> UpstreamError:
        """What it means that something else came where a stream should have begun."""
        return self._calls.no_stream(body)


class _Head(Struct, rename="camel"):
    """The part of an answer that accounting needs."""

    output: Raw
    stop_reason: str | None = None
    usage: Raw = Raw(b"")


class _Usage(Struct):
    usage: Raw = Raw(b"")


class _Stop(Struct, rename="camel"):
    stop_reason: str = ""


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode
_decode_stop = msgspec.json.Decoder(_Stop).decode


class _Reply:
    __slots__ = ("body", "reported_model", "usage")

    def __init__(self, body: bytes, adapter: Bedrock) -> None:
        try:
            check_text(body)
            head = _decode_head(body)
        except UNREADABLE as error:
            raise unreadable_answer(error) from None
        _refuse_malformed(head.stop_reason)
        self.body = with_fields(body, {"model": adapter.model})
        self.reported_model: str | None = adapter.deployment.upstream_model
        self.usage = read_usage(head.usage)

    def completion(self) -> Completion:
        try:
            return completion_of(read_reply(self.body).choices[0])
        except UNREADABLE as error:
            raise unreadable_answer(error) from None

    def rename(self, model: str) -> None:
        self.body = with_fields(self.body, {"model": json_string(model)})


class _Stream:
    __slots__ = (
        "_adapter",
        "_buffer",
        "_kept",
        "_model",
        "finished",
        "output_chars",
        "reported_model",
        "started",
        "usage",
    )

    def __init__(self, *, keep: bool, adapter: Bedrock) -> None:
        self._adapter = adapter
        self._buffer = FrameBuffer()
        self._kept: list[bytes] | None = [] if keep else None
        self._model = adapter.model
        self.started = False
        self.finished = False
        self.reported_model: str | None = adapter.deployment.upstream_model
        self.usage: Usage | None = None
        self.output_chars = 0

    def feed(self, data: bytes) -> bytes:
        events: list[bytes] = []
        try:
            for headers, payload in self._buffer.feed(data):
                if headers.get(":message-type") != "event":
                    raise self._adapter.exception(headers, payload)
                events.append(self._event(headers.get(":event-type", ""), payload))
        except (BadFrame, *UNREADABLE) as error:
            if isinstance(error, BadFrame) and not self.started:
                raise self._adapter.no_stream(self._buffer.rest) from None
            raise unreadable_stream(error) from None
        block = b"".join(events)
        if self._kept is not None:
            self._kept.append(block)
        return block

    def close(self) -> bytes:
        if not self.finished:
            if not self.started and self._buffer.rest:
                raise self._adapter.no_stream(self._buffer.rest)
            raise broken(started=self.started)
        return b""

    def rename(self, model: str, block: bytes) -> bytes:
        was, self._model = self._model, json_string(model)
        return block.replace(b'"model":' + was, b'"model":' + self._model)

    def completion(self) -> Completion:
        try:
            return completion_of_events(BedrockEvents().read(b"".join(self._kept or ())))
        except UNREADABLE as error:
            raise unreadable_stream(error) from None

    def _event(self, kind: str, payload: bytes) -> bytes:
        """A frame as a server-sent event."""
        match kind:
            case "contentBlockDelta":
                self.output_chars += _SAID.chars(payload, 1)
            case "messageStart":
                payload = with_fields(payload, {"model": self._model})
            case "messageStop":
                _refuse_malformed(_decode_stop(payload).stop_reason)
                self.finished = True
            case "metadata":
                self.usage = read_usage(_decode_usage(payload).usage)
            case _:
                pass
        self.started = True
        if b"\n" in payload or b"\r" in payload:  # neither is within a string
            payload = payload.replace(b"\n", b" ").replace(b"\r", b" ")
        return b'data: {"' + kind.encode() + b'":' + payload + b"}\n\n"


def _refuse_malformed(reason: str | None) -> None:
    """What the model said was no answer, and Bedrock has kept it to itself."""
    if reason is not None and reason.startswith("malformed_"):
        raise ServerFailed(f"the model's answer was no answer: {reason}", status=200)
