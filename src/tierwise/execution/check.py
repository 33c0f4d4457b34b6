"""Runs a tier's gates over an answer. A gate that breaks is left out, never the request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tierwise.errors import RequestError
from tierwise.gates import Early, Gate, Prepares, Slow
from tierwise.gates.base import PROBES
from tierwise.types import Completion, Task, Verdict

if TYPE_CHECKING:
    from tierwise.gates.probe import Probe

log = logging.getLogger("tierwise.gates")


class Checker:
    """The configured gates, and how often one of them broke.

    A gate breaks when it raises, takes longer than it may, or says what is no verdict. Gates that
    wait for something wait together, each within its own limit and all within the deadline.
    """

    def __init__(
        self,
        gates: Mapping[str, Gate | Slow | Probe],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        objects: Mapping[str, object] = gates
        self._gates = gates
        self._preparing = {n: gate for n, gate in objects.items() if isinstance(gate, Prepares)}
        self._early = {n: gate for n, gate in objects.items() if isinstance(gate, Early)}
        self._slow = {n: gate for n, gate in objects.items() if isinstance(gate, Slow)}
        self._telling = {n for n, gate in objects.items() if getattr(gate, "wants_logprobs", False)}
        self._clock = clock
        self.broken: dict[str, int] = {}

    def prepare(self, names: Sequence[str], task: Task) -> None:
        """Lets gates refuse a task that no answer can satisfy, before one is paid for.

        Raises:
            RequestError: the request itself is at fault, such as an invalid schema.
        """
        for name in names:
            if name in self._preparing:
                try:
                    self._preparing[name].prepare(task)
                except RequestError:
                    raise
                except Exception as error:  # noqa: BLE001 - counted and told
                    self.left_out(name, error)

    def wants_logprobs(self, names: Sequence[str]) -> bool:
        """Whether one of these gates reads how likely an answer's tokens were."""
        return not self._telling.isdisjoint(names)

    async def verdicts(
        self, names: Sequence[str], task: Task, answer: Completion
    ) -> tuple[Verdict, ...]:
        """The verdicts of the gates that have something to say, in the order of `names`.

        Probes among them are left to whoever buys those.

        Raises:
            RequestError: a gate found the request itself at fault, such as an invalid schema.
        """
        names = [name for name in names if name not in PROBES]
        slow = [name for name in names if name in self._slow]
        began = self._clock()
        found: dict[str, Verdict | None] = {}
        for name in names:
            if name not in slow:
                asked = self._clock()
                verdict = self._at_once(name, task, answer)
                found[name] = self._timed(verdict, began, asked)
        if slow:
            said = await asyncio.gather(
                *(self._slowly(name, task, answer, began) for name in slow), return_exceptions=True
            )
            for name, late in zip(slow, said, strict=True):
                if isinstance(late, BaseException):
                    raise late
                found[name] = late
        return tuple(verdict for name in names if (verdict := found[name]) is not None)

    def first_look(
        self, names: Sequence[str], task: Task, start: Completion
    ) -> tuple[Verdict, ...]:
        """What the gates that can tell by the beginning of an answer say of this one."""
        found: list[Verdict] = []
        for name in names:
            if name not in self._early:
                continue
            try:
                verdict = _checked(self._early[name].judge_start(task, start))
            except Exception as error:  # noqa: BLE001 - counted and told
                self.left_out(name, error)
                continue
            if verdict is not None:
                found.append(verdict)
        return tuple(found)

    def _at_once(self, name: str, task: Task, answer: Completion) -> Verdict | None:
        try:
            gate: object = self._gates[name]
            if not isinstance(gate, Gate):
                raise TypeError("it has no `judge`")
            return _checked(gate.judge(task, answer))
        except RequestError:
            raise
        except Exception as error:  # noqa: BLE001 - counted and told
            self.left_out(name, error)
        return None

    async def _slowly(
        self, name: str, task: Task, answer: Completion, began: float
    ) -> Verdict | None:
        asked = self._clock()
        return self._timed(await self._in_time(name, task, answer), began, asked)

    def _timed(self, verdict: Verdict | None, began: float, asked: float) -> Verdict | None:
        """The verdict with when its gate was asked, and how long that took."""
        if verdict is None:
            return None
        return replace(verdict, after_s=asked - began, took_s=self._clock() - asked)

    async def _in_time(self, name: str, task: Task, answer: Completion) -> Verdict | None:
        gate = self._slow[name]
        left = task.deadline - self._clock()
        try:
            async with asyncio.timeout(min(gate.limit_s, left)):
                return _checked(await gate.judge_slowly(task, answer))
        except RequestError:
            raise
        except TimeoutError as error:
            if self._clock() < task.deadline:  # else it is not the gate's fault
                self.left_out(name, error)
        except asyncio.CancelledError as error:
            current = asyncio.current_task()
            if current is None or current.cancelling():
                raise
            self.left_out(name, error)  # nobody cancelled it: the gate raised it
        except Exception as error:  # noqa: BLE001 - counted and told
            self.left_out(name, error)
        return None

    def left_out(self, name: str, error: BaseException) -> None:
        """Counts a gate that broke, and tells the operator now and then."""
        count = self.broken[name] = self.broken.get(name, 0) + 1
        # One that always breaks would fill the log: the 1st, 2nd, 4th, 8th ... time is told.
        if count & (count - 1) == 0:
            log.warning(
                "gate %s broke and was left out, %d times so far: %s: %s",
                name, count, type(error).__name__, error or "it took too long", exc_info=error,
            )  # fmt: skip


def _checked(verdict: Verdict | None) -> Verdict | None:
    """The verdict, if it is one.

    Raises:
        ValueError: it is none, or its probability is not in [0, 1].
    """
    said: object = verdict
    if said is None:
        return None
    if not isinstance(said, Verdict) or not isinstance(said.p, int | float):
        raise ValueError(f"{said!r:.200} is no verdict")
    if not 0.0 <= said.p <= 1.0:  # nor is it if p is not a number
        raise ValueError(f"a probability of {said.p} is not in [0, 1]")
    return verdict
