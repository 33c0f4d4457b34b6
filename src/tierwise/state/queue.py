"""A bounded, fair queue: classes by weight, tenants of a class in turn.

A class that waits is served in proportion to its weight (stride scheduling; Waldspurger and Weihl,
MIT/LCS/TM-528, 1995), so that the low ones are slow and never starve. Within a class tenants take
turns, so that one with a thousand requests does not keep another's single one waiting.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar, get_args

from tierwise.types import Priority

PRIORITIES: tuple[Priority, ...] = get_args(Priority)
"""From the highest to the lowest."""
_WEIGHTS: dict[Priority, int] = {"high": 16, "normal": 4, "low": 1}

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items that wait, each of a tenant and a priority. Items are told apart by identity.

    Args:
        most: how many may wait; may be changed, and those that wait then go on waiting.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._classes: dict[Priority, _Class[Item]] = {name: _Class() for name in PRIORITIES}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def ahead_of(self, priority: Priority) -> int:
        """How many wait that are of this priority or a higher one."""
        which = PRIORITIES[: PRIORITIES.index(priority) + 1]
        return sum(self._classes[name].size for name in which)

    def push(self, item: Item, priority: Priority, tenant: str) -> Item | None:
        """Puts an item in; returns the one that has to go for it, which may be itself.

        Where there is no room, one of the lowest class goes; in the newcomer's own class one of the
        tenant that has most there, if that is more than the newcomer's tenant would have.
        """
        gone: Item | None = None
        if self._size >= self.most:
            gone = self._evict(priority, tenant)
            if gone is None:
                return item
            self._size -= 1
        mine = self._classes[priority]
        if not self._size:
            for one in self._classes.values():
                one.passed = 0.0  # what was served in an earlier crowd is not held against anybody
        if not mine.size:
            waiting = [one.passed for one in self._classes.values() if one.size]
            mine.passed = max([mine.passed, min(waiting, default=mine.passed)])
        mine.push(item, tenant)
        self._size += 1
        return gone

    def pop(self) -> Item:
        """Takes the next one out.

        Raises:
            IndexError: nobody waits.
        """
        name = self._next()
        chosen = self._classes[name]
        chosen.passed += 1.0 / _WEIGHTS[name]
        self._size -= 1
        return chosen.pop()

    def first(self) -> Item:
        """The one that `pop` would take out; raises as it does."""
        return self._classes[self._next()].first()

    def remove(self, item: Item, priority: Priority, tenant: str) -> bool:
        """Takes one out that waits no longer; False if it is not here."""
        removed = self._classes[priority].remove(item, tenant)
        self._size -= removed
        return removed

    def _next(self) -> Priority:
        waiting = [name for name in PRIORITIES if self._classes[name].size]
        if not waiting:
            raise IndexError("nobody waits")
        return min(waiting, key=lambda one: self._classes[one].passed)

    def _evict(self, priority: Priority, tenant: str) -> Item | None:
        for name in reversed(PRIORITIES):
            one = self._classes[name]
            if name == priority:
                greedy = one.greediest()
                more = greedy is not None and one.of(greedy) > one.of(tenant) + 1
                return one.pop_last(greedy) if more and greedy is not None else None
            greedy = one.greediest()
            if greedy is not None:
                return one.pop_last(greedy)
        return None


class _Class(Generic[Item]):
    """The items of one priority. `passed` is how much of its share it has had."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.size = 0
        self._tenants: OrderedDict[str, deque[Item]] = OrderedDict()

    def of(self, tenant: str) -> int:
        """How many a tenant has here."""
        return len(self._tenants.get(tenant, ()))

    def greediest(self) -> str | None:
        """The tenant that has most here."""
        return max(self._tenants, key=self.of, default=None)

    def push(self, item: Item, tenant: str) -> None:
        """Behind all others of its tenant."""
        self._tenants.setdefault(tenant, deque()).append(item)
        self.size += 1

    def first(self) -> Item:
        """The one that `pop` takes."""
        return next(iter(self._tenants.values()))[0]

    def pop(self) -> Item:
        """The first of the tenant whose turn it is."""
        tenant, items = next(iter(self._tenants.items()))
        item = items.popleft()
        self._tenants.move_to_end(tenant)
        self._took(tenant, items)
        return item

    def pop_last(self, tenant: str) -> Item:
        """The one that its tenant has put in last."""
        items = self._tenants[tenant]
        item = items.pop()
        self._took(tenant, items)
        return item

    def remove(self, item: Item, tenant: str) -> bool:
        """See `FairQueue.remove`."""
        items = self._tenants.get(tenant, deque())
        for place, one in enumerate(items):
            if one is item:
                del items[place]
                self._took(tenant, items)
                return True
        return False

    def _took(self, tenant: str, items: deque[Item]) -> None:
        self.size -= 1
        if not items:
            del self._tenants[tenant]
