"""Whose turn it is to answer an idempotency key, among replicas, and what was answered.

Whoever comes first has the turn and says every few seconds that it still has; others wait for its
answer. If it fails or is gone, one of those who wait has the turn. While Redis is away each replica
knows of its own turns alone.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any

from tierwise.state.shared.connection import Link, Lost
from tierwise.state.shared.limits import LEASE_S
from tierwise.state.shared.naming import name_of
from tierwise.state.shared.shelves import KEEP_TURNS, LEAVE_TURN, SHELVE, TURN

log = logging.getLogger("tierwise.shared")

KEEP_S = 3600
MOST_BYTES = 64 << 20
"""Of all answers."""
MOST_BYTES_EACH = 32 << 20
"""Of those of one caller."""
MOST_BYTES_ONE = 4 << 20
"""A larger answer is kept by the replica that gave it, and by no other."""
_LOOK_EVERY_S = 0.1
"""How often somebody who waits looks whether the answer is there."""


class Reused(Exception):
    """The key was used for another request."""


class Turn:
    """What became of a key: its `answer`, or None where it is to be asked for here. Then tell it
    when that is `over`."""

    def __init__(self, shared: SharedOnce, name: str, held: bytes, answer: bytes | None) -> None:
        self._shared = shared
        self.name = name
        self.held = held
        self.answer = answer

    def over(self, answer: bytes | None) -> None:
        """The answer is there, or None: it failed, and whoever asks again is to have a turn."""
        self._shared.over(self, answer)


class SharedOnce:
    """The turns of all replicas.

    Args:
        name: of this replica, unlike any other.
    """

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self._name = name
        self._numbers = itertools.count()
        self._turns: set[Turn] = set()
        self._ending: set[asyncio.Task[None]] = set()

    async def turn(self, caller: str | None, key: bytes, digest: bytes) -> Turn:
        """Waits until there is an answer to a key, or it is this replica's turn.

        Args:
            digest: 16 bytes, of what is asked for.

        Raises:
            Reused: another request has this key.
        """
        name = name_of(caller, key.decode("latin-1"))
        held = digest + f"{self._name}.{next(self._numbers)}".encode()
        keys = [self._link.key("once", "answer", name), self._turn_key(name)]
        while True:
            word, *answer = await self._word(keys, held)
            if word == b"reused":
                raise Reused
            if word in (b"yours", b"answered"):
                turn = Turn(self, name, held, answer[0] if answer else None)
                if turn.answer is None:
                    self._turns.add(turn)
                return turn
            await asyncio.sleep(_LOOK_EVERY_S)

    def over(self, turn: Turn, answer: bytes | None) -> None:
        """See `Turn.over`."""
        if turn not in self._turns:
            return
        task = asyncio.create_task(self._end(turn, answer))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def renew(self) -> None:
        """Says which turns this replica still has."""
        turns = list(self._turns)
        if turns:
            keys = [self._turn_key(turn.name) for turn in turns]
            held = [turn.held for turn in turns]
            self._link.tell(KEEP_TURNS, keys, [int(LEASE_S), *held], again=True)

    async def close(self) -> None:
        """Waits until the others know what was answered."""
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _word(self, keys: list[str], held: bytes) -> list[bytes]:
        """What Redis says; without it, it is this replica's turn."""
        try:
            async with asyncio.timeout(self._link.config.timeout_s):
                found: list[bytes] = await self._link.bulk_script(TURN, keys, [held, int(LEASE_S)])
        except (Lost, TimeoutError):
            return [b"yours"]
        return found

    async def _end(self, turn: Turn, answer: bytes | None) -> None:
        try:
            if answer is not None and len(answer) <= MOST_BYTES_ONE:
                keys = [self._link.key("once", part) for part in ("order", "sizes", "sums")]
                whole = turn.held[:16] + answer
                bounds = (KEEP_S, MOST_BYTES, MOST_BYTES_EACH, len(whole))
                arguments: list[Any] = [turn.name, whole, *bounds]
                await self._link.bulk_script(SHELVE, keys, arguments)
            self._turns.discard(turn)
            await self._link.bulk_script(LEAVE_TURN, [self._turn_key(turn.name)], [turn.held])
        except Lost as error:
            log.warning("the answer to an idempotency key is kept by this replica alone: %s", error)
        finally:
            self._turns.discard(turn)

    def _turn_key(self, name: str) -> str:
        return self._link.key("once", "turn", name)
