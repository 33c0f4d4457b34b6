"""Gives an answer again where the same was asked before, if its caller has nothing against it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from msgspec import Struct

from tierwise.cache.fingerprint import fingerprint
from tierwise.cache.kept import Found, Kept
from tierwise.cache.shared import Elsewhere, Shared
from tierwise.cache.store import InProcess, Store
from tierwise.types import Task

Mode = Literal["off", "exact", "semantic"]

_DIRECTIVE = re.compile(r"\s*([\w-]+)\s*(?:=\s*\"?(\d+)\"?)?\s*(?:,|$)")


class Similar(Protocol):
    """Finds requests that mean the same."""

    async def find(self, task: Task, oldest: float) -> Kept | None: ...

    async def keep(self, task: Task, key: bytes, kept: Kept) -> None: ...

    def share(self, store: Store, elsewhere: Elsewhere | None) -> None: ...

    def hear(self, line: bytes, age_s: float) -> None: ...

    def clear(self) -> None: ...


class Wish(Struct, frozen=True):
    """What a caller's `cache-control` asks for (RFC 9111, section 5.2.1)."""

    read: bool = True
    write: bool = True
    max_age_s: float = float("inf")


class Asked(Struct, frozen=True):
    """A request that may be answered from the cache; `key` is where its answer would lie."""

    key: bytes
    mode: Mode
    wish: Wish


class Cache:
    """The answers of an orchestrator.

    Args:
        modes: by policy; "" has the mode of those that it does not name, and of named models.
        similar: what finds requests that mean the same, asked where the mode is semantic.
        now: Unix time in seconds.
    """

    def __init__(
        self,
        store: InProcess | Shared,
        modes: Mapping[str, Mode],
        *,
        ttl_s: float,
        most_bytes: int,
        now: Callable[[], float],
        similar: Similar | None = None,
    ) -> None:
        self.store = store
        self._modes = modes
        self._ttl_s = ttl_s
        self.most_bytes = most_bytes
        self._now = now
        self.similar = similar
        self.hits = self.misses = 0

    @property
    def here(self) -> InProcess:
        """The answers that this process keeps."""
        return self.store.here if isinstance(self.store, Shared) else self.store

    def share(self, elsewhere: Elsewhere | None) -> None:
        """From now on answers are kept elsewhere as well; None: in this process alone."""
        self.store = self.here if elsewhere is None else Shared(self.here, elsewhere, self._now)
        if self.similar is not None:
            self.similar.share(self.store, elsewhere)

    def clear(self) -> None:
        """Forgets all answers of this process."""
        self.here.clear()
        if self.similar is not None:
            self.similar.clear()

    def asked(self, task: Task) -> Asked | None:
        """Whether a request has to do with the cache at all; None where it has not."""
        mode = self._modes.get(task.policy or task.model, self._modes[""])
        if mode == "off":
            return None
        wish = wish_of(task.cache_control)
        if not (wish.read or wish.write):
            return None
        key = fingerprint(task)
        return None if key is None else Asked(key, mode, wish)

    async def find(self, task: Task, asked: Asked) -> Found | None:
        """An answer that may be given again."""
        if not asked.wish.read:
            return None
        now = self._now()
        age = min(self._ttl_s, asked.wish.max_age_s)
        kept = await self.store.get(asked.key, now - age)
        if kept is not None:
            self.hits += 1
            return Found(kept, "same", max(0.0, now - kept.at))
        if asked.mode == "semantic" and self.similar is not None:
            kept = await self.similar.find(task, now - age)
            if kept is not None:
                self.hits += 1
                return Found(kept, "similar", max(0.0, now - kept.at))
        self.misses += 1
        return None

    async def keep(self, task: Task, asked: Asked, kept: Kept) -> None:
        """Keeps an answer that was given, unless its caller minds or it is too large."""
        if not asked.wish.write or kept.written > self.most_bytes:
            return
        await self.store.put(asked.key, kept, self._ttl_s)
        if asked.mode == "semantic" and self.similar is not None:
            await self.similar.keep(task, asked.key, kept)


def wish_of(cache_control: str | None) -> Wish:
    """What the header `cache-control` of a request asks for; what is unknown in it is passed over.

    `no-store` keeps nothing and gives nothing; `no-cache` makes a new answer, which is kept.
    """
    if not cache_control:
        return Wish()
    read = write = True
    age = float("inf")
    for name, number in _DIRECTIVE.findall(cache_control.lower()):
        if name == "no-store":
            read = write = False
        elif name == "no-cache":
            read = False
        elif name == "max-age" and number:
            age = float(number)
    return Wish(read, write, age)
