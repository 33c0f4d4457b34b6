"""Logins to the dashboard that somebody has ended at one replica are over at all of them."""

from __future__ import annotations

from math import ceil

from tierwise.state.shared.connection import Link, Lost
from tierwise.state.shared.shelves import NOTE, NOTES


class SharedEnded:
    """As `dashboard.ended.Elsewhere`. What is said while Redis is away it hears when it is back."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def tell(self, name: bytes, lasts_s: float) -> None:
        """As there."""
        self._link.tell(NOTE, [self._key(name)], [b"", ceil(lasts_s)], again=True)

    async def told(self, name: bytes) -> bool:
        """As there."""
        try:
            (note,) = await self._link.call(NOTES, [self._key(name)], [])
        except Lost:
            return False
        return note is not None

    def _key(self, name: bytes) -> str:
        return self._link.key("ended", name.hex())
