"""The connection of one process to Redis: quick to give up, patient to come back.

Redis is on the path of some requests, and it may go away or hang. Then nobody asks it any more,
from the first call on that was not answered in time: so its end costs a request at most one short
timeout, and those that come later nothing. Meanwhile somebody looks in the background whether it is
back.

All calls of a process go out on one connection, those that come together in one batch, in the order
in which they came. What need not be waited for (`tell`) is kept while nobody is there to hear it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tierwise.config.keeping import StateConfig
from tierwise.errors import ConfigError
from tierwise.state.shared.scripts import ALL, Script
from tierwise.state.shared.shelves import SHELVES

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger("tierwise.shared")

Argument = str | bytes | int | float

_BATCH = 500
_MOST_KEPT = 200_000
"""What may wait to be told; of more than that the oldest is forgotten."""
_FIRST_S, MOST_PAUSE_S = 0.1, 2.0
"""Pauses between two looks whether Redis is back, in seconds: doubled from the first to the
longest."""
_SAY_S = 60.0
"""How often it is said that Redis refuses something."""
_BULK_TIMES = 4.0
"""Of the timeout, for answers of several MiB."""


class Lost(Exception):
    """Redis is away: go on without it."""


class _Call(Struct, eq=False):
    """One that is to be made. `again` says that it may be made twice where nobody knows whether it
    was made."""

    script: Script
    keys: Sequence[str]
    arguments: Sequence[Argument]
    result: asyncio.Future[Any] | None
    again: bool = False


class Link:
    """The connection.

    `up` is whether Redis is there, `since` since when, as Unix time in seconds, `why` what was
    wrong when it was lost, and `forgotten` how many things were not told because there were too
    many.

    Raises:
        ConfigError: the URL cannot be used, or the client library is not installed.
    """

    def __init__(self, config: StateConfig) -> None:
        self.config = config
        self._timeout_s = config.timeout_s
        self._prefix = config.prefix
        self._client = client_of(config)
        self.up = False
        self.since = time.time()
        self.why = "not connected yet"
        self.forgotten = 0
        self._said_at = float("-inf")
        self._calls: deque[_Call] = deque()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._back: Callable[[], None] = _nothing
        self._hear: Callable[[bytes], None] = _nobody
        self._reconnecting: asyncio.Task[None] | None = None
        self._hearing: asyncio.Task[None] | None = None

    def key(self, *parts: str) -> str:
        """The name of a key there."""
        return self._prefix + ":".join(parts)

    @property
    def channel(self) -> str:
        """Where replicas tell each other what is new."""
        return self.key("news")

    def watch(self, back: Callable[[], None], hear: Callable[[bytes], None]) -> None:
        """Says who is to be told that Redis is there, before it hears what was kept for it, and
        what is said in the channel."""
        self._back, self._hear = back, hear

    @property
    def waiting(self) -> int:
        """What is still to be told."""
        return len(self._calls)

    async def start(self) -> None:
        """Connects, or goes on without and looks for Redis in the background."""
        self._tasks.append(asyncio.create_task(self._flush()))
        if not await self._connect():
            log.error("state is not shared, because Redis is not there: %s", self.why)
            self._reconnecting = asyncio.create_task(self._reconnect())

    async def close(self) -> None:
        """Tells what is left to be told, and closes the connection."""
        for task in (*self._tasks, self._reconnecting, self._hearing):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self.up and self._calls:
            with suppress(*_broken()):
                async with asyncio.timeout(self._timeout_s):
                    await self._make(list(self._calls))
        self._fail_all(Lost("the gateway is being stopped"))
        with suppress(Exception):
            async with asyncio.timeout(self._timeout_s):
                await self._client.aclose()

    async def call(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """What a script gives.

        Raises:
            Lost: Redis is away, or did not answer in time; what it has done is not known then.
        """
        if not self.up:
            raise Lost(self.why)
        result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls.append(_Call(script, keys, arguments, result))
        self._wake.set()
        return await result

    def tell(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[Argument],
        *,
        again: bool = False,
    ) -> None:
        """Has a script run soon, or when Redis is back.

        Args:
            again: whether it may run twice if nobody knows whether it did.
        """
        if len(self._calls) >= _MOST_KEPT:
            self._calls.popleft()
            self.forgotten += 1
        self._calls.append(_Call(script, keys, arguments, None, again))
        self._wake.set()

    async def bulk(self, *command: Argument) -> Any:
        """What a command gives that has much to send or to read: on a connection of its own, so
        that nobody waits behind it, and with more time.

        Raises:
            Lost: Redis is away, or did not answer in time.
        """
        if not self.up:
            raise Lost(self.why)
        try:
            async with asyncio.timeout(_BULK_TIMES * self._timeout_s):
                return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        except _broken() as error:
            if _is_refusal(error):
                self._refused(_words(error))
            raise Lost(_words(error)) from error

    async def bulk_script(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> Any:
        """As `bulk`, what a script gives.

        Raises:
            Lost: Redis is away, or did not answer in time.
        """
        command = ("EVALSHA", script.sha, len(keys), *keys, *arguments)
        try:
            return await self.bulk(*command)
        except Lost as error:
            from redis.exceptions import NoScriptError

            if not isinstance(error.__cause__, NoScriptError):
                raise
        return await self.bulk("EVAL", script.text, *command[2:])  # which gives it back to Redis

    async def _flush(self) -> None:
        """Makes the calls, batch by batch."""
        while True:
            await self._wake.wait()
            if not self._calls or not self.up:
                self._wake.clear()
                continue
            batch = [self._calls.popleft() for _ in range(min(_BATCH, len(self._calls)))]
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._make(batch)
            except asyncio.CancelledError:
                self._undone(batch, Lost("the gateway is being stopped"))
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits goes on without
                self._undone(batch, Lost(_words(error)))
                self._lose(_words(error))

    async def _make(self, batch: Sequence[_Call]) -> None:
        from redis.exceptions import NoScriptError

        results = await self._send(batch)
        unknown = [n for n, result in enumerate(results) if isinstance(result, NoScriptError)]
        if unknown:  # somebody has flushed its scripts
            await self._load()
            for n, result in zip(
                unknown, await self._send([batch[n] for n in unknown]), strict=True
            ):
                results[n] = result
        for call, result in zip(batch, results, strict=True):
            failed = isinstance(result, Exception)
            if failed:
                self._refused(_words(result))
            if call.result is not None and not call.result.done():
                if failed:
                    call.result.set_exception(Lost(str(result)))
                else:
                    call.result.set_result(result)

    def _refused(self, why: str) -> None:
        """Redis is there and does not do what it is asked, as when its memory is full."""
        now = time.monotonic()
        if now - self._said_at >= _SAY_S:
            self._said_at = now
            log.error("Redis refuses what it is asked, and this replica does it by itself: %s", why)

    async def _send(self, batch: Sequence[_Call]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for call in batch:
            pipeline.execute_command(
                "EVALSHA", call.script.sha, len(call.keys), *call.keys, *call.arguments
            )
        results: list[Any] = await pipeline.execute(raise_on_error=False)
        return results

    async def _load(self) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for script in (*ALL, *SHELVES):
            pipeline.execute_command("SCRIPT", "LOAD", script.text)
        await pipeline.execute()

    def _undone(self, batch: Sequence[_Call], why: Lost) -> None:
        """Of these calls nobody knows whether they were made."""
        self._calls.extendleft(call for call in reversed(batch) if call.again)
        for call in batch:
            if call.result is not None and not call.result.done():
                call.result.set_exception(why)

    def _fail_all(self, why: Lost) -> None:
        """Nobody waits for Redis any more; what is only to be told stays."""
        waiting = [call for call in self._calls if call.result is not None]
        if waiting:
            self._calls = deque(call for call in self._calls if call.result is None)
        for call in waiting:
            if call.result is not None and not call.result.done():
                call.result.set_exception(why)

    def _lose(self, why: str) -> None:
        if not self.up:
            return
        self.up, self.since, self.why = False, time.time(), why
        log.error("Redis is lost, and each replica goes on with its own state: %s", why)
        self._fail_all(Lost(why))
        if self._hearing is not None:
            self._hearing.cancel()
        self._reconnecting = asyncio.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        pause = _FIRST_S
        while True:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            if await self._connect():
                return
            pause = min(MOST_PAUSE_S, 2 * pause)

    async def _connect(self) -> bool:
        """Whether Redis is there; then it has the scripts, and everybody is told."""
        heard: Any = None
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                await self._client.connection_pool.disconnect(inuse_connections=True)
                await self._load()
                heard = self._client.pubsub(ignore_subscribe_messages=True)
                await heard.subscribe(self.channel)
        except Exception as error:  # noqa: BLE001 - whatever it is, another look comes
            self.why = _words(error)
            if heard is not None:
                with suppress(Exception):
                    await heard.aclose()
            return False
        away = time.time() - self.since
        again = self.why != "not connected yet" or self._reconnecting is not None
        self.up, self.since, self.why = True, time.time(), ""
        if again:
            log.warning("Redis is there after %.1f s; state is shared again", away)
        kept, self._calls = self._calls, deque()
        self._back()
        self._calls.extend(kept)
        self._wake.set()
        self._hearing = asyncio.create_task(self._listen(heard))
        return True

    async def _listen(self, heard: Any) -> None:
        """Passes on what other replicas say."""
        try:
            while True:
                message = await heard.get_message(ignore_subscribe_messages=True, timeout=None)
                if message is not None and message["type"] == "message":
                    self._hear(message["data"])
        except _broken() as error:
            self._lose(_words(error))
        finally:
            with suppress(Exception):
                await heard.aclose()


def client_of(config: StateConfig) -> Redis:
    """A client of Redis, which is not connected yet. Raises `ConfigError` as `Link` does."""
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise ConfigError(
            "the client library of Redis is not installed",
            field="state.url",
            remedy="pip install 'tierwise[shared]'",
        ) from error
    url = config.url.get_secret_value() if config.url is not None else ""
    options: dict[str, Any] = {}
    if config.password is not None:
        options["password"] = config.password.get_secret_value()
    if config.ca_file is not None:
        options["ssl_ca_certs"] = config.ca_file
    try:
        return Redis.from_url(
            url,
            # A script that was sent twice would count twice.
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,
            socket_connect_timeout=config.timeout_s,
            client_name="tierwise",
            **options,
        )
    except ValueError:
        # What exactly is wrong is not said, since a part of it may be the password.
        raise ConfigError(
            "this is no URL of Redis",
            field="state.url",
            remedy="Write redis://:password@host:6379/0, rediss:// for TLS, or unix:///path; "
            "characters like / # @ of a password as %2F %23 %40, or in `state.password`.",
        ) from None


def _broken() -> tuple[type[Exception], ...]:
    from redis.exceptions import RedisError

    return RedisError, OSError  # a TimeoutError is one of these


def _is_refusal(error: BaseException) -> bool:
    """Whether Redis is there and will not do it; that it does not know a script is no refusal."""
    from redis.exceptions import NoScriptError, ResponseError

    return isinstance(error, ResponseError) and not isinstance(error, NoScriptError)


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return " ".join(str(error).split())[:200] or type(error).__name__


def _nothing() -> None:
    """Nobody is to be told."""


def _nobody(_: bytes) -> None:
    """Nobody listens."""
