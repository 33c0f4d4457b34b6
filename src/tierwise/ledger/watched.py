"""Who looks on while records are made."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tierwise.ledger.asides import Aside
from tierwise.types import Record

log = logging.getLogger("tierwise.ledger")

Observer = Callable[[Record], None]
AsideObserver = Callable[[Aside], None]


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
        for observer in self._observers:
            try:
                with self._showing:
                    observer(record)
            except Exception:  # whoever looks on must not cost us the record
                log.exception("an observer of the ledger broke")

    def _show_aside(self, aside: Aside) -> None:
        for observer in self._aside_observers:
            try:
                with self._showing:
                    observer(aside)
            except Exception:  # whoever looks on must not cost us the rest
                log.exception("an observer of the ledger broke")
