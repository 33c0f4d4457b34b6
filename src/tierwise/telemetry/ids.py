"""Random ids of traces and spans, as lower-case hex digits."""

from __future__ import annotations

import os

_AT_ONCE = 256
"""Ids that are made together, which costs each a quarter of what it costs by itself."""


class RandomIds:
    """Ids of so many bytes, each at most once. May be used by several threads."""

    def __init__(self, size: int) -> None:
        self._digits = 2 * size
        self._size = size
        self._ready: list[str] = []
        if hasattr(os, "register_at_fork"):  # else a fork would give the ids that we give
            os.register_at_fork(after_in_child=self._ready.clear)

    def new(self) -> str:
        """Another one."""
        try:
            return self._ready.pop()
        except IndexError:
            digits = self._digits
            block = os.urandom(self._size * _AT_ONCE).hex()
            made = [block[at : at + digits] for at in range(0, len(block), digits)]
            last = made.pop()
            self._ready += made
            return last
