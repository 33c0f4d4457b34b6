"""The port that a gateway listens at, and how it is closed with nobody left standing at it.

A listening socket that is closed resets whoever is connected to it and was not accepted yet. Who is
reset has sent a request by then, and may not send it to another gateway: nobody can know that it
has cost nothing. So first the door is shut: connections that begin now are not answered by the
kernel, those that have begun are accepted. Only when nobody stands there any more it is closed, and
whoever was not answered asks again by himself (TCP does, a second later), is refused, and may go
elsewhere, as he has sent nothing.

Where the kernel cannot do that (it is Linux that can), the door is closed in a moment in which
nobody stands there.
"""

from __future__ import annotations

import array
import asyncio
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator

SETTLE_S = 0.05
"""How long connections that have begun get to be there, in seconds."""
_PATIENCE_S = 2.0
_LOOK_S = 0.002
_SO_ATTACH_FILTER = 26
_ONLY_WHO_HAS_BEGUN = (
    (0x30, 0, 0, 13),  # load the byte of the TCP header that has the flags
    (0x45, 0, 1, 0x02),  # is it a SYN, with which connections begin?
    (0x06, 0, 0, 0),  # then drop it,
    (0x06, 0, 0, 0xFFFF_FFFF),  # else let it in
)
"""In the classic language of BPF (filter.txt of Linux): code, jump if true, jump if false, k."""


class Door:
    """The listening socket of one process, or of several that all stop."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening

    async def shut(self) -> None:
        """Returns when nobody stands at the door; the event loop lets those in who do."""
        for pause in self._pauses():
            await asyncio.sleep(pause)

    def shut_for_others(self) -> None:
        """As `shut`, where others let those in who stand there. Blocks."""
        for pause in self._pauses():
            time.sleep(pause)

    def _pauses(self) -> Iterator[float]:
        """For how many seconds to let them in, again and again until nobody is there."""
        if self._lets_nobody_new_come():
            yield SETTLE_S
        give_up = time.monotonic() + _PATIENCE_S
        while self._somebody_is_there() and time.monotonic() < give_up:
            yield _LOOK_S

    def _lets_nobody_new_come(self) -> bool:
        """Whether nobody new comes to the door from now on."""
        if sys.platform != "linux":
            return False
        program = array.array(
            "B", b"".join(struct.pack("HBBI", *one) for one in _ONLY_WHO_HAS_BEGUN)
        )
        where, _ = program.buffer_info()
        told = struct.pack("@HP", len(_ONLY_WHO_HAS_BEGUN), where)
        try:
            self._listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, told)
        except OSError:  # a kernel without it, or closed already
            return False
        return True

    def _somebody_is_there(self) -> bool:
        try:
            return bool(select.select([self._listening], [], [], 0)[0])
        except (OSError, ValueError):  # it is closed, or its number is too high for `select`
            return False
