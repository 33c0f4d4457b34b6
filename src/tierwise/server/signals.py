"""What the gateway does on signals, beside what uvicorn does: SIGTERM and SIGINT end it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], object]


def listen(
    drain: Callable[[], None],
    leave: Callable[[], Coroutine[Any, Any, None]],
    reload: Callable[[], None],
    announced: Callable[[], None],
) -> None:
    """Listens for signals, in the main thread only, inside its event loop; elsewhere they are
    somebody else's.

    Args:
        drain: called on SIGTERM and SIGINT.
        leave: what is waited for between one of them and the moment in which uvicorn gets it. If
            another one comes, uvicorn gets that at once.
        reload: called on SIGHUP.
        announced: called on SIGUSR1, with which the process over several workers says that it will
            end them all.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    end = _End(loop, drain, leave)
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if callable(before):
            signal.signal(number, partial(end.asked, before))
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, reload)
        loop.add_signal_handler(signal.SIGUSR1, announced)


class _End:
    """What SIGTERM and SIGINT bring about."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        drain: Callable[[], None],
        leave: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._loop = loop
        self._drain = drain
        self._leave = leave
        self._leaving = False
        self._task: asyncio.Task[None] | None = None

    def asked(self, then: Handler, number: int, _: FrameType | None) -> None:
        """One of them has come; `then` is what uvicorn does about it."""
        self._drain()
        first, self._leaving = not self._leaving, True
        # In a handler nothing of the loop may be touched but this.
        self._loop.call_soon_threadsafe(self._begin if first else self._hurry, then, number)

    def _begin(self, then: Handler, number: int) -> None:
        self._task = self._loop.create_task(self._left(then, number))

    def _hurry(self, then: Handler, number: int) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
        then(number, None)

    async def _left(self, then: Handler, number: int) -> None:
        await self._leave()
        then(number, None)
