"""Who the replicas are, and who of them is missing.

One is missing that was there and has not said that it ends: it was killed, or it does not reach
Redis and goes on by itself, with its part of what all have. The others do not spend that part
until it is there again, or was missed for so long that it is taken to be dead.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from tierwise.state.shared.connection import Argument, Link
from tierwise.state.shared.loads import MEMBER_S
from tierwise.state.shared.news import ORDERS_S
from tierwise.state.shared.scripts import DEPART, PRESENT

MISSED_S = 60.0
"""Who is missing for longer is taken to be dead, in seconds."""


class Circle:
    """As one of the replicas sees it.

    `members` is how many are there, and `missing` the names of those that are not.

    Args:
        name: of this one, unlike any other.
        workers: of this gateway, which are known without anybody counting.
        orders_key: what is to be kept as long as there is anybody.
    """

    def __init__(self, link: Link, name: str, workers: int, orders_key: str) -> None:
        self._link = link
        self.name = name
        self._keys = [link.key("members"), orders_key]
        self.members = max(1, workers)
        self.missing: AbstractSet[str] = frozenset()
        self._others: AbstractSet[str] = frozenset()
        self._unheard: AbstractSet[str] = frozenset()
        self._back_at: float | None = None

    @property
    def everybody(self) -> int:
        """How many there are, those that are missing included."""
        return max(self.members, 1 + len(self._others))

    async def present(self) -> None:
        """Says that this one is there, and learns who else is.

        Raises:
            Lost: Redis is away.
        """
        told: list[Argument] = [self.name, MEMBER_S, ORDERS_S, MISSED_S]
        expected = self._unheard if self._back_at is None else ()
        now, *found = await self._link.call(PRESENT, self._keys, [*told, *expected])
        ends = {n.decode(): float(end) for n, end in zip(found[::2], found[1::2], strict=True)}
        if self._back_at is None:
            self._back_at = float(now)
        self.members = sum(end > float(now) for end in ends.values())
        del ends[self.name]
        # Who has said so since Redis is back has told his bills before that.
        self._unheard = {
            name for name in self._unheard if name in ends and ends[name] - MEMBER_S < self._back_at
        }
        self.missing = self._unheard | {name for name, end in ends.items() if end <= float(now)}
        self._others = frozenset(ends)

    def back(self) -> None:
        """Redis is there, or there again: of nobody else is known yet whether he has found it."""
        self._back_at = None
        self._unheard = self.missing = frozenset(self._others)

    def depart(self) -> None:
        """This one ends, and will not be missed."""
        self._link.tell(DEPART, self._keys[:1], [self.name], again=True)
