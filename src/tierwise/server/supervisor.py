"""The parent of several workers: starts them again when they die, tells them of a reload, and ends
them so that nobody is left standing at the port that they share."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable

import uvicorn
from uvicorn.supervisors import Multiprocess

from tierwise.server.door import Door

_LOOK_S = 0.05


class Supervisor(Multiprocess):
    """uvicorn's, which on SIGHUP would replace its workers and with them all that they know.

    Args:
        reload: reads the configuration again, for workers that are started later; whether it can
            be used. Those that run read it themselves when they get the signal.
        notice_s: how long workers go on, not ready any more, when all are to end, in seconds.
    """

    def __init__(
        self,
        settings: uvicorn.Config,
        sockets: list[socket.socket],
        reload: Callable[[], bool],
        notice_s: float,
    ) -> None:
        super().__init__(settings, sockets)
        self._reload = reload
        self._notice_s = notice_s

    def handle_hup(self) -> None:
        """SIGHUP: all workers go on under the configuration as it is written now."""
        if self._reload():
            self._tell(signal.SIGHUP)

    def terminate_all(self) -> None:
        """Ends all workers, having announced it and shut the port.

        Until the last of them has stopped accepting they let in who stands there. Then nobody may
        hold the port open any more, this process neither: connections would be taken in by the
        kernel, and answered by nobody.
        """
        if hasattr(signal, "SIGUSR1"):  # Windows has none
            self._tell(signal.SIGUSR1)
        until = time.monotonic() + self._notice_s
        while time.monotonic() < until and not self.signal_queue:  # a second signal is impatient
            time.sleep(_LOOK_S)
        for listening in self.sockets:
            Door(listening).shut_for_others()
            listening.close()
        super().terminate_all()

    def _tell(self, number: int) -> None:
        for process in self.processes:
            if process.pid is not None:
                with contextlib.suppress(ProcessLookupError):  # the next look starts it again
                    os.kill(process.pid, number)
