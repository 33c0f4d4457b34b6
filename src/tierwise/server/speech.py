"""How an endpoint speaks with clients of one dialect: what of it is not the same for all.

A `Speech` is one dialect's: how its clients prove who they are, how their requests are read, how
errors look. An `Exchange` is one request of it, and how its answer goes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

from msgspec.structs import replace

from tierwise.errors import TierwiseError
from tierwise.server.keys import Client
from tierwise.server.request import Scope
from tierwise.types import Task
from tierwise.wire import openai_chat, openai_errors, sse
from tierwise.wire.dialect import Dialect, dialect_named
from tierwise.wire.translate import read_task

Header = tuple[bytes, bytes]

EVENTS: Sequence[Header] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
"""The head of a stream of server-sent events."""


class Exchange:
    """One request and its answer, as most dialects have it.

    `head` are the headers of a stream, `alive` is what shows a client that one which is held back
    is not forgotten.
    """

    __slots__ = ("speech", "task")

    head: Sequence[Header] = EVENTS
    alive = b": the answer is being checked\n\n"

    def __init__(self, speech: Speech, task: Task) -> None:
        self.speech = speech
        self.task = task

    def whole(self, body: bytes) -> bytes:
        """A whole answer as the client gets it."""
        return body

    def shown(self, block: bytes) -> bytes:
        """A block of complete events of a stream as the client gets it."""
        return block

    def ended(self) -> bytes:
        """What comes after the last block."""
        return b""

    def late(self, headers: Sequence[Header]) -> bytes:
        """Headers that come too late to be headers: a comment of the stream."""
        return b"".join(b": %b: %b\n" % pair for pair in headers) + b"\n"

    def broken(self, error: TierwiseError) -> bytes:
        """What ends a stream that has begun and fails."""
        return self.speech.error_event(error)


class Speech:
    """OpenAI's chat dialect, and what others share with it.

    `proves` tells clients how to send a key. `own_id` is the header in which they look for the id
    of a request, beside `x-request-id`.
    """

    proves = "`Authorization: Bearer <key>`"
    own_id: ClassVar[bytes | None] = None

    def credential(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bytes | None:  # noqa: ARG002
        """What proves who asks, as an `authorization` header would say it; None without any."""
        return headers.get(b"authorization")

    async def read(self, body: bytes, scope: Scope, client: Client) -> Exchange:  # noqa: ARG002
        """The request that a body asks.

        Raises:
            InvalidRequest: it is wrong.
        """
        return Exchange(self, openai_chat.read_request(body))

    def error(self, error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
        """An error as status, body and extra headers."""
        return openai_errors.render(error)

    def error_event(self, error: TierwiseError) -> bytes:
        """The event that ends a stream with an error."""
        return b"data: " + sse.one_line(openai_errors.render(error)[1]) + b"\n\n"


class ListingSpeech(Speech):
    """OpenAI's, where the models are listed for clients of all dialects: not all of them say which
    is theirs, and each sends the key in its own way."""

    proves = "`Authorization: Bearer <key>` or `x-api-key: <key>`"

    def credential(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bytes | None:
        """As in `Speech`."""
        key = headers.get(b"x-api-key")
        return b"Bearer " + key if key else super().credential(scope, headers)


class Spoken(Speech):
    """A dialect that is read through `wire.dialect`."""

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def dialect(self) -> Dialect:
        """It, imported when its first client comes."""
        return dialect_named(self.name)

    async def read(self, body: bytes, scope: Scope, client: Client) -> Exchange:  # noqa: ARG002
        """As in `Speech`."""
        return Exchange(self, read_task(self.name, body))

    def error(self, error: TierwiseError) -> tuple[int, bytes, dict[str, str]]:
        """As in `Speech`."""
        return self.dialect.error(error)

    def error_event(self, error: TierwiseError) -> bytes:
        """As in `Speech`."""
        return self.dialect.error_event(error)


class AnthropicExchange(Exchange):
    """One request of Anthropic's, whose streams have a ping of their own.

    https://docs.anthropic.com/en/docs/build-with-claude/streaming#ping-events
    """

    __slots__ = ()

    alive = b'event: ping\ndata: {"type": "ping"}\n\n'


class AnthropicSpeech(Spoken):
    """Anthropic's Messages. Its clients send their keys as `x-api-key`."""

    proves = "`x-api-key: <key>` or `Authorization: Bearer <key>`"
    own_id = b"request-id"

    def __init__(self) -> None:
        super().__init__("anthropic")

    def credential(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bytes | None:
        """As in `Speech`."""
        key = headers.get(b"x-api-key")
        return b"Bearer " + key if key else super().credential(scope, headers)

    async def read(self, body: bytes, scope: Scope, client: Client) -> Exchange:  # noqa: ARG002
        """As in `Speech`, with the trials that the header `anthropic-beta` names."""
        task = read_task(self.name, body)
        named = b",".join(value for name, value in scope["headers"] if name == b"anthropic-beta")
        if named:
            betas = (one.strip() for one in named.decode("latin-1").split(","))
            task = replace(task, betas=tuple(one for one in betas if one))
        return AnthropicExchange(self, task)
