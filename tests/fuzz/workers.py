"""Processes that run cases, and go on behind a case that ended one of them."""

from __future__ import annotations

import faulthandler
import os
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from fuzz.run import Failure, chosen, resident_kb, run

_LONGEST_S = 10.0
"""How long one case may take, in seconds: thousands of times what any does."""
_SAMPLES = 100
_mp = get_context("spawn")  # a copy of a process that has threads may never come to life


@dataclass
class Told:
    """What one process has said so far."""

    done: int = 0
    hung: int = 0
    failures: list[Failure] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)


def work(seed: int, begin: int, end: int, step: int, at: Any, tell: Connection) -> None:
    """Runs every `step`th case. `at` is where it is, for whoever finds the process dead."""
    os.nice(10)
    every = max(1, len(range(begin, end, step)) // _SAMPLES)
    done = 0

    def began(case: int) -> None:
        nonlocal done
        at.value = case
        faulthandler.dump_traceback_later(_LONGEST_S, exit=True)
        if done % every == 0:
            tell.send((done, resident_kb()))
        done += 1

    for failure in run(seed, range(begin, end, step), began):
        tell.send(failure)
    faulthandler.cancel_dump_traceback_later()
    tell.send((done, resident_kb()))
    tell.close()


class Worker:
    """A process, and those that go on after it."""

    def __init__(self, seed: int, begin: int, end: int, step: int) -> None:
        self._seed, self._begin, self._end, self._step = seed, begin, end, step
        self._at = _mp.Value("q", -1)
        self._before = 0
        self.told = Told()
        self._start(begin)

    def _start(self, begin: int) -> None:
        self._at.value = -1
        self._hear, tell = _mp.Pipe(duplex=False)
        args = (self._seed, begin, self._end, self._step, self._at, tell)
        self._process = _mp.Process(target=work, args=args)
        self._process.start()
        tell.close()

    def listen(self) -> bool:
        """Hears what it has said; whether there is more to come."""
        try:
            while self._hear.poll(0.1):
                said = self._hear.recv()
                if isinstance(said, Failure):
                    self.told.failures.append(said)
                else:
                    self.told.done = self._before + said[0]
                    self.told.memory.append((self.told.done, said[1]))
            return True
        except EOFError:
            self._process.join()
            return self._process.exitcode != 0 and self._go_on()

    def _go_on(self) -> bool:
        """Starts behind the case that ended the process."""
        case = self._at.value
        if case < 0:
            raise RuntimeError("a process ended before its first case; its trace is above")
        what, _ = chosen(self._seed, case)
        why = f"the process ended with {self._process.exitcode}; its trace is above"
        self.told.failures.append(Failure(case, what.__name__, why))
        self.told.hung += 1
        self._before = self.told.done = (case - self._begin) // self._step + 1
        if case + self._step >= self._end:
            return False
        self._start(case + self._step)
        return True


def growth(memory: list[tuple[int, int]]) -> float:
    """By how many kB memory grows in a thousand cases, after the first tenth; least squares."""
    points = [one for one in memory if one[0] >= memory[-1][0] / 10]
    count = len(points)
    if count < 3:
        return 0.0
    x = sum(one for one, _ in points) / count
    y = sum(one for _, one in points) / count
    spread = sum((one - x) ** 2 for one, _ in points)
    return 1000 * sum((a - x) * (b - y) for a, b in points) / spread if spread else 0.0
