"""The parent of several workers: starts them again when they die, and tells them of a reload."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """uvicorn's, which on SIGHUP would replace its workers and with them all that they know.

    Args:
        reload: reads the configuration again, for workers that are started later; whether it can
            be used. Those that run read it themselves when they get the signal.
    """

    def __init__(
        self, settings: uvicorn.Config, sockets: list[socket.socket], reload: Callable[[], bool]
    ) -> None:
        super().__init__(settings, sockets)
        self._reload = reload

    def handle_hup(self) -> None:
        """SIGHUP: all workers go on under the configuration as it is written now."""
        if not self._reload():
            return
        for process in self.processes:
            if process.pid is not None:
                with contextlib.suppress(ProcessLookupError):  # the next look starts it again
                    os.kill(process.pid, signal.SIGHUP)
