"""Reading a request off ASGI: its body, its headers, and whether its client is still there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Literal, get_args

import msgspec

from tierwise.answer import MAX_COST_USD, MAX_DEADLINE_S, MAX_SESSION_CHARS
from tierwise.errors import BodyTooLarge, BodyTooSlow, InvalidRequest
from tierwise.routing.refuse import DROP_HEADER
from tierwise.server.keys import Client
from tierwise.state.queue import PRIORITIES
from tierwise.types import OnStreamBreak, Priority, Streams, Task, Trace

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

WATCH_AFTER_S = 0.1
"""Most answers from a cache or a mock are quicker than this and need no watch over the client."""
UPLOAD_STALLED_S = 30.0
"""How long the next part of a body may keep us waiting, in seconds."""
_DROP = DROP_HEADER.encode()
_WISHES = frozenset(
    {
        b"x-tierwise-policy",
        b"x-tierwise-quality",
        b"x-tierwise-max-cost-usd",
        b"x-tierwise-max-latency-s",
        b"x-tierwise-session",
        b"x-tierwise-streams",
        b"x-tierwise-on-stream-break",
        b"x-tierwise-priority",
        b"cache-control",
        _DROP,
    }
)
"""The headers that say what a request wants beside its body."""


class ClientGone(Exception):
    """The client closed its connection."""


async def read_body(
    receive: Receive, headers: Mapping[bytes, bytes], limit: int, watched: Watched
) -> bytes:
    """The whole body. Tells `watched` of every part.

    Raises:
        BodyTooLarge: it is over `limit` bytes.
        ClientGone: the connection closed before its end.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(int(declared), limit)
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise too_large(size, limit)
        more = message.get("more_body", False)
        watched.heard(more)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(size: int, limit: int, field: str = "server.max_body_mb") -> BodyTooLarge:
    """The error of a body with so many bytes, which `field` of the configuration allows."""
    return BodyTooLarge(
        f"The body has {size:,} bytes or more; the limit is {limit:,}. Send less, or raise "
        f"`{field}`."
    )


def too_slow() -> BodyTooSlow:
    """The error of a body whose rest does not come."""
    return BodyTooSlow(
        f"The rest of the body did not come within {UPLOAD_STALLED_S:g} s. Send the request again."
    )


def with_headers(
    task: Task,
    headers: Mapping[bytes, bytes],
    client: Client,
    arrived: float,
    patience_s: Callable[[str], float],
    trace: Trace | None = None,
) -> Task:
    """The task with what its HTTP headers say, and its deadline.

    Args:
        arrived: when the request came, by the monotonic clock.
        patience_s: the seconds that a request for this policy or model may take.

    Raises:
        InvalidRequest: a header has a value that cannot be used.
    """
    if _WISHES.isdisjoint(headers):  # as in most requests
        return msgspec.structs.replace(
            task,
            caller=client.name,
            owner=client.owner,
            allowed=client.models,
            priority=client.priority or "normal",
            deadline=arrived + patience_s(task.model),
            arrived=arrived,
            trace=trace,
        )
    raw_policy = headers.get(b"x-tierwise-policy")
    policy = _text(raw_policy) if raw_policy else None
    session = headers.get(b"x-tierwise-session")
    return msgspec.structs.replace(
        task,
        policy=policy,
        quality=_number(headers, b"x-tierwise-quality", 0.0, 1.0),
        max_cost_usd=_number(headers, b"x-tierwise-max-cost-usd", 0.0, MAX_COST_USD),
        max_latency_s=_number(headers, b"x-tierwise-max-latency-s", 0.0, MAX_DEADLINE_S),
        session=_text(session)[:MAX_SESSION_CHARS] if session else None,
        streams=_word(headers, b"x-tierwise-streams", Streams),
        on_stream_break=_word(headers, b"x-tierwise-on-stream-break", OnStreamBreak),
        drop_unsupported=_flag(headers, _DROP),
        cache_control=_text(headers.get(b"cache-control", b"")) or None,
        caller=client.name,
        owner=client.owner,
        allowed=client.models,
        priority=_priority(headers, client),
        deadline=arrived + patience_s(policy or task.model),
        arrived=arrived,
        trace=trace,
    )


def _text(value: bytes) -> str:
    """A header's text. Clients send UTF-8, whatever the standard says; if not, it is Latin-1."""
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def _word(headers: Mapping[bytes, bytes], name: bytes, words: Any) -> Any:
    """One of the words that a header may hold, None without it; `words` is their `Literal`."""
    raw = headers.get(name)
    if raw is None:
        return None
    try:
        return msgspec.convert(_text(raw), type=words)
    except msgspec.ValidationError:
        header = name.decode()
        raise InvalidRequest(
            f"`{header}` is {_text(raw)!r}. Use one of: {', '.join(get_args(words))}.",
            param=header,
        ) from None


def _flag(headers: Mapping[bytes, bytes], name: bytes) -> bool | None:
    """What a header that is `true` or `false` says, None without it."""
    word = _word(headers, name, Literal["true", "false"])
    return None if word is None else word == "true"


def _priority(headers: Mapping[bytes, bytes], client: Client) -> Priority:
    """What the request asks for, its key's if that is lower; its key's if it asks for nothing."""
    raw = headers.get(b"x-tierwise-priority")
    if raw is None:
        return client.priority or "normal"
    try:
        wanted: Priority = msgspec.convert(_text(raw), type=Priority)
    except msgspec.ValidationError:
        raise InvalidRequest(
            f"`x-tierwise-priority` is {_text(raw)!r}. Use one of: {', '.join(PRIORITIES)}.",
            param="x-tierwise-priority",
        ) from None
    return wanted if client.priority is None else max(wanted, client.priority, key=PRIORITIES.index)


def _number(
    headers: Mapping[bytes, bytes], name: bytes, lowest: float, highest: float
) -> float | None:
    raw = headers.get(name)
    if raw is None:
        return None
    try:
        value = float(raw)
    except ValueError:
        value = float("nan")
    if not lowest <= value <= highest:
        header = name.decode()
        raise InvalidRequest(
            f"The header {header} is {_text(raw)!r}; it must be a number from "
            f"{lowest:g} to {highest:g}.",
            param=header,
        )
    return value


class Watched:
    """One request whose client is being watched.

    `looks` counts how often the watch saw it since its client was last heard.
    """

    __slots__ = ("gone", "looks", "receive", "stalled", "task", "uploading", "watcher")

    def __init__(self, receive: Receive, task: asyncio.Task[Any] | None) -> None:
        self.receive = receive
        self.task = task
        self.watcher: asyncio.Task[None] | None = None
        self.uploading = True
        self.looks = 0
        self.gone = False
        self.stalled = False

    def heard(self, more: bool) -> None:
        """A part of the body is here; `more` says that it was not the last."""
        self.uploading = more
        self.looks = 0

    def cut(self) -> None:
        """Cancels the request, because its body does not come."""
        self.stalled = True
        if self.task is not None:
            self.task.cancel()

    async def wait(self) -> None:
        """Cancels the request when its client has gone."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self.task is not None:
            self.task.cancel()


class ClientWatch:
    """Cancels requests whose clients go away, or do not send the rest of their bodies.

    Watching takes a task of its own, which costs more than most of the work of a quick request,
    and so would a timer for each; so one timer looks every `WATCH_AFTER_S` which requests are
    still there since its last look, and those get a watcher.
    """

    def __init__(self) -> None:
        self._unwatched: set[Watched] = set()
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self, receive: Receive) -> Watched:
        """The current task serves the client behind `receive` from now on."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(WATCH_AFTER_S, self._look)
        # To ask which loop runs is a system call each time.
        watched = Watched(receive, asyncio.current_task(self._loop))
        self._unwatched.add(watched)
        return watched

    def leave(self, watched: Watched) -> None:
        """The request is over."""
        if watched.watcher is None:
            self._unwatched.discard(watched)
        else:
            self._watched.discard(watched)
            # What was cancelled remembers where, and with it all that this request knew: without a
            # way back it is freed now, and not when the collector comes by.
            watcher, watched.watcher = watched.watcher, None
            watcher.cancel()

    async def all_left(self, timeout_s: float) -> None:
        """Waits until no request is here any more, for `timeout_s` seconds at most."""
        tasks = [w.task for w in self._unwatched | self._watched if w.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        for watched in list(self._unwatched):
            if watched.uploading:
                if watched.looks * WATCH_AFTER_S >= UPLOAD_STALLED_S and not watched.stalled:
                    watched.cut()
            elif watched.looks:
                self._unwatched.discard(watched)
                self._watched.add(watched)
                watched.watcher = loop.create_task(watched.wait())
            watched.looks += 1
        self._timer = loop.call_later(WATCH_AFTER_S, self._look) if self._unwatched else None
