"""Kept answers that all replicas find, in Redis.

A client's next request may reach another replica than the last one did. What a replica has kept
itself it also has in its memory, so that its own clients go on while Redis is away.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from tierwise.state import kept_responses
from tierwise.state.kept_responses import Caller, InProcess, Kept
from tierwise.state.shared.connection import Link, Lost
from tierwise.state.shared.naming import name_of
from tierwise.state.shared.shelves import SHELVE, UNSHELVE

log = logging.getLogger("tierwise.shared")

_MOST_BYTES_ONE = 16 << 20
"""A larger answer is kept by the replica that gave it, and by no other: Redis does one thing at a
time, and this is some 10 ms of it."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


class InRedis:
    """As `KeptResponses`. What does not arrive in time is kept here alone."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._here = InProcess()
        self._writing: set[asyncio.Task[None]] = set()

    def keep(self, caller: Caller, name: str, kept: Kept) -> None:
        """As in `KeptResponses`."""
        self._here.keep(caller, name, kept)
        if kept.size <= _MOST_BYTES_ONE:
            task = asyncio.create_task(self._write(caller, name, kept))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def find(self, caller: Caller, name: str) -> Kept | None:
        """As in `KeptResponses`."""
        here = await self._here.find(caller, name)
        if here is not None:
            return here
        data = await self._read(self._key("answer", name_of(caller, name)))
        try:
            return _decode(data) if data is not None else None
        except msgspec.MsgspecError:
            return None

    async def item(self, caller: Caller, name: str) -> bytes | None:
        """As in `KeptResponses`."""
        here = await self._here.item(caller, name)
        if here is not None:
            return here
        return await self._read(self._key("item", name_of(caller, name)))

    async def forget(self, caller: Caller, name: str) -> bool:
        """As in `KeptResponses`."""
        kept = await self.find(caller, name)
        here = await self._here.forget(caller, name)
        items = [name_of(caller, one) for one in kept.by_id] if kept is not None else []
        try:
            there = await self._link.call(UNSHELVE, self._keys(), [name_of(caller, name), *items])
        except Lost:
            return here
        return here or bool(there)

    async def _write(self, caller: Caller, name: str, kept: Kept) -> None:
        arguments: list[Any] = [
            name_of(caller, name),
            _encode(kept),
            int(kept_responses.KEEP_S),
            kept_responses.MOST_BYTES,
            kept_responses.MOST_BYTES_EACH,
            kept.size,
        ]
        for one, item in kept.by_id.items():
            arguments += [name_of(caller, one), item]
        keys = self._keys()
        try:
            await self._link.bulk_script(SHELVE, keys, arguments)
        except Lost as error:
            log.warning("an answer is kept by this replica alone: %s", error)

    async def _read(self, key: str) -> bytes | None:
        try:
            data: bytes | None = await self._link.bulk("GET", key)
        except Lost:
            return None
        return data

    def _keys(self) -> list[str]:
        return [self._key("order"), self._key("sizes"), self._key("sums")]

    def _key(self, *parts: str) -> str:
        return self._link.key("kept", *parts)
