"""What the gateway does on signals, beside what uvicorn does: SIGTERM and SIGINT end it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType


def listen(drain: Callable[[], None], reload: Callable[[], None]) -> None:
    """Calls `drain` on SIGTERM and SIGINT before uvicorn gets them, and `reload` on SIGHUP.

    In the main thread only, inside its event loop; elsewhere signals are somebody else's.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if callable(before):
            signal.signal(number, _first(drain, before))
    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


def _first(
    drain: Callable[[], None], then: Callable[[int, FrameType | None], object]
) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        drain()
        then(number, frame)

    return handle
