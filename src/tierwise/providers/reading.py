"""What the readers of native answers have in common, whichever dialect they are in."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection
from typing import ClassVar

from tierwise.errors import ServerFailed, StreamBroken, TierwiseError, UpstreamError
from tierwise.types import Deployment
from tierwise.wire import sse

log = logging.getLogger("tierwise")

_NOTHING = (b"", b"[DONE]")


_LEAST = 4
"""Characters of a token: an event says one at least, in whichever field."""


class Said:
    """Counts about how much the events of a stream say: the bytes of the strings in some fields.

    A string is found by its field's name. Quotes in a text are escaped, so that a model's words
    cannot look like one.
    """

    def __init__(self, *fields: str) -> None:
        names = "|".join(fields)
        # Possessive: a text of megabytes is gone through once, whatever is in it.
        pattern = rf'"(?:{names})"\s*:\s*"((?:[^"\\]++|\\.)*+)'
        self._strings = re.compile(pattern.encode(), re.DOTALL).findall

    def chars(self, block: bytes, events: int) -> int:
        """For a block in which so many events may say something."""
        return max(_LEAST * events, sum(map(len, self._strings(block))))


def unreadable_answer(error: Exception) -> ServerFailed:
    """A body is no answer, by what its decoder raised."""
    return ServerFailed(f"the answer cannot be read: {error}", status=200)


def unreadable_stream(error: Exception | str) -> ServerFailed:
    """Something in a stream is no event, by what its decoder raised."""
    return ServerFailed(f"the stream cannot be read: {error}", status=200)


def half_event() -> ServerFailed:
    """An event is not whole.

    A client that meets half an event gives up, and then nobody can go on for this provider.
    """
    return unreadable_stream("an event is not whole")


def broken(*, started: bool) -> StreamBroken:
    """A stream has ended before its answer was whole."""
    where = "in the middle of the answer" if started else "before its first event"
    return StreamBroken(f"the stream ended {where}")


def failure_of(error: BaseException, deployment: Deployment) -> BaseException:
    """The error that ends a call to a deployment.

    What an adapter may not raise, such as another's `KeyError`, is its deployment's failure, so
    that the next is asked. The log has its words, which may quote anything; others its class alone.
    """
    if isinstance(error, TierwiseError) or not isinstance(error, Exception):
        return error
    name = type(error).__name__
    log.error("the adapter of %s raised %s", deployment.id, name, exc_info=error)
    failure = ServerFailed(f"its adapter {deployment.dialect!r} raised {name}")
    failure.__cause__ = error
    return failure


class EventStream:
    """A stream of server-sent events, cut into blocks of complete ones; see `base.StreamReader`.

    What reads a dialect has `_take`, through which all blocks go. `_done` says that the provider
    has said goodbye by itself; else `goodbye` is said for it.

    Args:
        no_stream: what it means that something else came where a stream should have begun.
    """

    __slots__ = (
        "_buffer",
        "_done",
        "_no_stream",
        "_strange",
        "finished",
        "output_chars",
        "reported_model",
        "started",
    )
    goodbye: ClassVar[bytes] = b""

    def __init__(self, no_stream: Callable[[bytes], UpstreamError]) -> None:
        self._buffer = sse.EventBuffer()
        self._no_stream = no_stream
        self._strange = b""
        self._done = False
        self.started = False
        self.finished = False
        self.reported_model: str | None = None
        self.output_chars = 0

    def feed(self, data: bytes) -> bytes:
        try:
            block = self._buffer.feed(data)
        except sse.EventTooLong as error:
            raise unreadable_stream(error) from None
        return self._take(block) if block else b""

    def close(self) -> bytes:
        # Some servers leave out the blank line after the last event.
        block = self._buffer.last()
        out = self._take(block) if block else b""
        if not (self.finished or self._done):
            if self._strange and not self.started:
                raise self._no_stream(self._strange)
            raise broken(started=self.started)
        return out if self._done else out + self.goodbye

    def _take(self, block: bytes) -> bytes:
        """Reads a block of complete events; gives what is handed on for it."""
        raise NotImplementedError

    def _stray(self, event: bytes) -> None:
        """Remembers the first thing without data, if it is nothing that a stream may have."""
        if not (self.started or self._strange or sse.is_event(event)):
            self._strange = event

    def _check(self, block: bytes, nothing: Collection[bytes] = _NOTHING) -> None:
        """Refuses what is no event, in a block that does not only hold such as usual."""
        for event in sse.events(block):
            data = (sse.payload(event) or b"").strip()
            if data not in nothing and not (data[:1] == b"{" and data[-1:] == b"}"):
                raise half_event()
