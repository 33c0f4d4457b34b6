"""Certificates that one replica has found void are void for all, be their files on other machines.

It is said in the channel once, and kept for those who start later, until somebody restores the
certificate (`tierwise calibrate --restore`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec

from tierwise.config.keeping import StateConfig
from tierwise.state.promises import Promises
from tierwise.state.shared.connection import Link, Lost, client_of
from tierwise.state.shared.scripts import TELL
from tierwise.state.shared.shelves import NOTES
from tierwise.state.void import Void

log = logging.getLogger("tierwise.shared")

KEEP_S = 90 * 86_400
"""As long as certificates usually last."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Void).decode


class SharedVoids:
    """What one replica says and hears of certificates.

    Args:
        news: makes what is said in the channel of a policy, a certificate's hash, and why.
    """

    def __init__(self, link: Link, news: Callable[[str, str, Void], bytes]) -> None:
        self._link = link
        self._news = news
        self._promises: Promises | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, promises: Promises) -> None:
        """From now on these are the certificates."""
        self._promises = promises
        promises.share(self._found)
        if self._loop is not None and self._link.up:
            self._spawn(self._look())

    def start(self) -> None:
        """Begins to tell; in a running event loop."""
        self._loop = asyncio.get_running_loop()

    def watched_by(self, members: int) -> None:
        """There are so many replicas, each of which watches its part of the traffic."""
        if self._promises is not None:
            self._promises.watched_by(members)

    def hear(self, policy: str, certificate: str, void: Void) -> None:
        """Another replica has found a certificate void."""
        if self._promises is not None:
            # It writes that down, which may take a while.
            self._spawn(asyncio.to_thread(self._promises.heard, policy, certificate, void))

    async def catch_up(self) -> None:
        """Reads what was found while nobody here listened.

        Raises:
            Lost: Redis is away.
        """
        promises = self._promises
        if promises is None or not promises.all:
            return
        pairs = [(name, promise.hash) for name, promise in promises.all.items()]
        keys = [key_of(self._link.key, *pair) for pair in pairs]
        for pair, note in zip(pairs, await self._link.call(NOTES, keys, []), strict=True):
            if note is not None:
                with suppress(msgspec.MsgspecError):
                    await asyncio.to_thread(promises.heard, *pair, _decode(note))

    def _found(self, policy: str, certificate: str, void: Void) -> None:
        """Drift has voided a certificate here; in any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the gateway is being stopped
                self._loop.call_soon_threadsafe(self._tell, policy, certificate, void)

    def _tell(self, policy: str, certificate: str, void: Void) -> None:
        self._link.tell(
            TELL,
            [key_of(self._link.key, policy, certificate)],
            [
                self._link.channel,
                self._news(policy, certificate, void),
                _encode(void),
                KEEP_S * 1000,
            ],
            again=True,
        )

    async def _look(self) -> None:
        with suppress(Lost):
            await self.catch_up()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def key_of(key: Callable[..., str], policy: str, certificate: str) -> str:
    """Where it is kept that a certificate, named by its hash, is void."""
    named = hashlib.sha256(policy.encode()).hexdigest()[:16]
    return key("void", named, certificate[:16])


async def forget(config: StateConfig, policy: str, certificate: str) -> bool:
    """A certificate is restored: whether it was void for the replicas.

    Raises:
        ConfigError: the URL cannot be used, or the client library is not installed.
        Lost: Redis is away.
    """
    from redis.exceptions import RedisError

    client = client_of(config)
    try:
        async with asyncio.timeout(max(1.0, 4 * config.timeout_s)):
            place = key_of(lambda *parts: config.prefix + ":".join(parts), policy, certificate)
            return bool(await client.delete(place))
    except (RedisError, OSError) as error:
        raise Lost(str(error)) from error
    finally:
        with suppress(Exception):
            await client.aclose()
