"""The rooms before models that are full: who waits there, and who gets the next place.

A model at a limit is passed over in favour of whoever stands in, unless the task would lose more
by that than the wait costs. Those who wait are served by priority, and tenants in turn. Whoever
comes meanwhile goes behind them, so that no place is a matter of luck.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from tierwise.execution.paths import Step, at_stake
from tierwise.execution.run import Run
from tierwise.state.health import Health
from tierwise.state.queue import FairQueue
from tierwise.types import Deployment

MOST_WAITING = 1000
"""Requests that may wait for one model. Expected waits keep rooms much emptier than that."""
SECOND = 0.02
"""What a second of waiting costs, in quality. A task that a larger model is ten points surer to do
well waits five seconds for it, as people wait that long for a model that thinks; one that gains a
point or less goes on at once."""
_LEAST_S = 0.005
"""The shortest time after which a room looks again whether there is a place."""


class _Waiting(Struct, eq=False):
    """One that waits. Its turn brings a deployment, or None if there is none for it."""

    turn: asyncio.Future[Deployment | None]
    tokens: int


class _Room:
    """`look` is when somebody looks next whether there is a place."""

    def __init__(self, places: Sequence[Deployment], most: int) -> None:
        self.places = places
        self.queue: FairQueue[_Waiting] = FairQueue(most)
        self.look: asyncio.TimerHandle | None = None


class Rooms:
    """A room for each group of deployments that somebody has waited for.

    Args:
        most: how many may wait in one room; 0 lets nobody wait.
    """

    def __init__(self, health: Health, most: int = MOST_WAITING) -> None:
        self._health = health
        self._most = most
        self._rooms: dict[tuple[str, ...], _Room] = {}
        self._of_model: dict[str, list[_Room]] = {}
        self._coming: set[str] = set()
        """Models where somebody has a place and has not begun yet."""
        health.freed = self._serve

    def queued(self, places: Sequence[Deployment]) -> bool:
        """Whether others come first at these deployments."""
        if not self._rooms:
            return False
        if places[0].model in self._coming:
            return True
        room = self._rooms.get(_key(places))
        return room is not None and len(room.queue) > 0

    async def place(self, step: Step, run: Run) -> Deployment | None:
        """A deployment of the step's model that has room now, for which a call must begin at once.

        None if that would take longer than it is worth, than the plan waits, or than the task has
        time.
        """
        if not self._most:
            return None
        room = self._room(run.paths[step.tier.model])
        patience = self._patience_s(step, run)
        if self._expected_s(room, step, run) > patience:
            return None
        waiting = _Waiting(asyncio.get_running_loop().create_future(), run.expected_tokens)
        task, tenant = run.task, run.task.caller or ""
        gone = room.queue.push(waiting, task.priority, tenant)
        if gone is not None and not gone.turn.done():
            gone.turn.set_result(None)
        self._serve(step.tier.model)
        try:
            async with asyncio.timeout(patience):
                return await waiting.turn
        except TimeoutError:
            return _granted(waiting)
        finally:
            room.queue.remove(waiting, task.priority, tenant)
            granted = _granted(waiting)
            if granted is not None:
                self._health.unreserve(granted)

    def _room(self, places: Sequence[Deployment]) -> _Room:
        key = _key(places)
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = _Room(tuple(places), self._most)
            self._of_model.setdefault(places[0].model, []).append(room)
        return room

    def _patience_s(self, step: Step, run: Run) -> float:
        """For how long the wait is worth it."""
        now = run.clock()
        until = min(run.started + run.decision.plan.wait_s, run.task.deadline)
        return min(at_stake(run, step) / SECOND, until - now)

    def _expected_s(self, room: _Room, step: Step, run: Run) -> float:
        """How long it takes until a newcomer has a place."""
        tokens = run.expected_tokens
        first = self._health.next_return_s(room.places, tokens)
        rate = self._health.capacity(step.tier.model, tokens)
        ahead = room.queue.ahead_of(run.task.priority)
        return max(first, (ahead + 1) / rate) if rate else first

    def _serve(self, model: str) -> None:
        """Gives whoever is first a place if there is one.

        One at a time: where a place is taken shows only once the call has begun.
        """
        if model in self._coming:
            return
        rooms = self._of_model.get(model, [])
        for room in rooms:
            if self._let_in(room):
                rooms.remove(room)
                rooms.append(room)  # so that other rooms of the model have their turn
                self._coming.add(model)
                # Whose turn has come wakes in the loop's next round, and a call that is a task of
                # its own begins in the one after it. Who has left meanwhile has taken nothing.
                loop = asyncio.get_running_loop()
                loop.call_soon(loop.call_soon, self._came, model)
                return

    def _let_in(self, room: _Room) -> bool:
        """Whether somebody in the room got a place. If there is no longer anything to wait for,
        because the places are out, all are sent on."""
        while room.queue:
            head = room.queue.first()
            if not head.turn.done():
                ready = self._health.order(room.places, head.tokens)
                if not ready and self._health.is_full(room.places, head.tokens):
                    self._look_later(room, head.tokens)
                    return False
                if ready:
                    # Until it wakes nobody else gets the place, be it as a last resort.
                    self._health.reserve(ready[0])
                head.turn.set_result(ready[0] if ready else None)
            room.queue.pop()
            if _granted(head) is not None:
                return True
        return False

    def _look_later(self, room: _Room, tokens: int) -> None:
        """A call that ends tells, but a minute's allowance comes back without a word."""
        if room.look is None:
            wait = max(_LEAST_S, self._health.next_return_s(room.places, tokens))
            room.look = asyncio.get_running_loop().call_later(wait, self._looked, room)

    def _came(self, model: str) -> None:
        self._coming.discard(model)
        self._serve(model)

    def _looked(self, room: _Room) -> None:
        room.look = None
        self._serve(room.places[0].model)


def _key(places: Sequence[Deployment]) -> tuple[str, ...]:
    return tuple(deployment.id for deployment in places)


def _granted(waiting: _Waiting) -> Deployment | None:
    turn = waiting.turn
    return turn.result() if turn.done() and not turn.cancelled() else None
