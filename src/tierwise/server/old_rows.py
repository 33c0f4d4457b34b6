"""Has old rows taken out of the ledger while the gateway serves, where that is configured."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from tierwise.config import Config

LOOK_S = 60.0
"""How often it is looked whether it is time, in seconds."""


async def take_out_old(current: Callable[[], Config], look_s: float = LOOK_S) -> None:
    """Looks now and then, in a thread, until it is cancelled.

    Args:
        current: the configuration as it is now; it may be read again meanwhile.
    """
    ending = threading.Event()
    try:
        while True:
            await asyncio.sleep(look_s)
            ledger = current().ledger
            if ledger.keep_days is not None:
                await asyncio.to_thread(_tend, ledger.place, ledger.keep_days, ending)
    finally:
        ending.set()  # the thread goes no further than it is


def _tend(place: str, keep_days: float, ending: threading.Event) -> None:
    # SQLAlchemy: a gateway that keeps everything does without.
    from tierwise.ledger.tending import tend

    def rest(seconds: float) -> None:
        ending.wait(seconds)

    tend(place, keep_days, going=lambda: not ending.is_set(), rest=rest)
