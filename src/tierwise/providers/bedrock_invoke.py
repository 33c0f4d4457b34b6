"""Anthropic's models at Amazon Bedrock in Anthropic's own words: InvokeModel.

`POST {base_url}/model/{id}/invoke` and `/invoke-with-response-stream`. The body is that of the
Messages API but for the model and whether to stream, which the address says, and its events come
in frames. docs.aws.amazon.com/bedrock/latest/userguide, "Anthropic Claude Messages API"
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from tierwise.errors import ServerFailed, UpstreamError
from tierwise.providers.anthropic import Anthropic
from tierwise.providers.base import Reply, StreamReader
from tierwise.providers.bedrock_calls import BedrockCalls
from tierwise.providers.http import HttpRequest
from tierwise.types import Completion, Deployment, Task, Usage
from tierwise.wire import sse
from tierwise.wire.eventstream import BadFrame, FrameBuffer
from tierwise.wire.features import Feature
from tierwise.wire.openai_chat import with_fields
from tierwise.wire.unreadable import UNREADABLE

_VERSION = b'"bedrock-2023-05-31"'
_UNREADABLE = (*UNREADABLE, binascii.Error)
_NOT_HERE: frozenset[Feature] = frozenset(
    {"image_url", "image_file", "document_url", "document_file"}
)
"""Anthropic's own API alone looks at other addresses, and has files:
platform.claude.com, "Vision", "PDF support", "Files API"."""


class BedrockInvoke:
    """Asks one deployment by InvokeModel.

    `lacks` is what callers of other dialects may ask for, and this model refuses here.
    """

    speaks = "anthropic"

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._calls = BedrockCalls(deployment)
        self._native = Anthropic(deployment)
        self._more = self._calls.own_headers()
        self.lacks = self._native.lacks | _NOT_HERE

    def request(self, task: Task) -> HttpRequest:
        """The caller's own bytes, with only the fields changed that must be."""
        asked = self._native.request(task)
        changes: dict[str, bytes | None] = {
            "model": None,
            "stream": None,
            "anthropic_version": _VERSION,
        }
        betas = [one.strip() for one in asked.headers.get("anthropic-beta", "").split(",")]
        if any(betas):
            changes["anthropic_beta"] = msgspec.json.encode([one for one in betas if one])
        body = with_fields(asked.body or b"{}", changes)
        operation = "invoke-with-response-stream" if task.stream else "invoke"
        return self._calls.request(operation, body, self._more)

    def prefilled(self, task: Task, said: str) -> Task | None:
        """The task with the beginning of its answer; None if the model does not go on from one."""
        return self._native.prefilled(task, said)

    def reply(self, body: bytes, task: Task) -> Reply:
        """A whole answer; raises `ServerFailed` if the body is not one."""
        return self._native.reply(body, task)

    def stream_reader(self, task: Task, *, keep: bool = False) -> StreamReader:
        """A reader that makes Anthropic's events of frames."""
        return _Unframed(self._native.stream_reader(task, keep=keep), self._calls)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return self._calls.error(status, headers, body)


class _Chunk(Struct):
    bytes: str


class _Kind(Struct):
    type: str = ""


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_kind = msgspec.json.Decoder(_Kind).decode


class _Unframed:
    """A reader of Anthropic's events for a stream that has them in frames."""

    __slots__ = ("_buffer", "_calls", "_native")

    def __init__(self, native: StreamReader, calls: BedrockCalls) -> None:
        self._native = native
        self._calls = calls
        self._buffer = FrameBuffer()

    @property
    def started(self) -> bool:
        return self._native.started

    @property
    def finished(self) -> bool:
        return self._native.finished

    @property
    def reported_model(self) -> str | None:
        return self._native.reported_model

    @property
    def usage(self) -> Usage | None:
        return self._native.usage

    @property
    def output_chars(self) -> int:
        return self._native.output_chars

    def feed(self, data: bytes) -> bytes:
        events: list[bytes] = []
        try:
            for headers, payload in self._buffer.feed(data):
                if headers.get(":message-type") != "event":
                    raise self._calls.exception_in_frame(headers, payload)
                said = sse.one_line(base64.b64decode(_decode_chunk(payload).bytes))
                kind = _decode_kind(said).type.encode()
                events.append(b"event: " + kind + b"\ndata: " + said + b"\n\n")
        except BadFrame as error:
            if not self.started and not events:
                raise self._calls.no_stream(self._buffer.rest) from None
            raise ServerFailed(f"the stream cannot be read: {error}", status=200) from None
        except _UNREADABLE as error:
            raise ServerFailed(f"the stream cannot be read: {error}", status=200) from None
        return self._native.feed(b"".join(events)) if events else b""

    def close(self) -> bytes:
        if not self.started and self._buffer.rest:
            raise self._calls.no_stream(self._buffer.rest)
        return self._native.close()

    def rename(self, model: str, block: bytes) -> bytes:
        return self._native.rename(model, block)

    def completion(self) -> Completion:
        return self._native.completion()
