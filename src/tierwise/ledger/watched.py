"""Who looks on while records are made."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from tierwise.ledger.asides import Aside
from tierwise.types import Record

log = logging.getLogger("tierwise.ledger")

Observer = Callable[[Record], None]
AsideObserver = Callable[[Aside], None]
Shown = TypeVar("Shown", Record, Aside)


class Watched:
    """A part of a ledger: shows what was recorded to those who watch, one at a time."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []
        self._aside_observers: list[AsideObserver] = []
        self._showing = threading.Lock()

    def watch(self, observer: Observer) -> None:
        """Calls `observer` with every record once, whether it can be written or not.

        That does not wait for the disk. Calls come one at a time, mostly in the writer's thread.
        """
        self._observers.append(observer)

    def unwatch(self, observer: Observer) -> None:
        """Calls it no more."""
        self._observers = [one for one in self._observers if one != observer]

    def watch_asides(self, observer: AsideObserver) -> None:
        """The same with every request that is for no answer."""
        self._aside_observers.append(observer)

    def unwatch_asides(self, observer: AsideObserver) -> None:
        """Calls it no more."""
        self._aside_observers = [one for one in self._aside_observers if one != observer]

    def _show(self, record: Record) -> None:
        self._tell(self._observers, record)

    def _show_aside(self, aside: Aside) -> None:
        self._tell(self._aside_observers, aside)

    def _tell(self, observers: Iterable[Callable[[Shown], None]], what: Shown) -> None:
        for observer in observers:
            try:
                with self._showing:
                    observer(what)
            except Exception:  # whoever looks on must not cost us what is shown
                log.exception("an observer of the ledger broke")
