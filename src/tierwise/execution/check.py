"""Runs a tier's gates over an answer. A gate that breaks is left out, never the request."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from tierwise.errors import RequestError
from tierwise.gates import Early, Gate, Prepares
from tierwise.types import Completion, Task, Verdict

log = logging.getLogger("tierwise.gates")


class Checker:
    """The configured gates, and how often one of them broke."""

    def __init__(self, gates: Mapping[str, Gate]) -> None:
        self._gates = gates
        objects: Mapping[str, object] = gates
        self._preparing = {n: gate for n, gate in objects.items() if isinstance(gate, Prepares)}
        self._early = {n: gate for n, gate in objects.items() if isinstance(gate, Early)}
        self.broken: dict[str, int] = {}

    def prepare(self, names: Sequence[str], task: Task) -> None:
        """Lets gates refuse a task that no answer can satisfy, before one is paid for.

        Raises:
            RequestError: the request itself is at fault, such as an invalid schema.
        """
        for name in names:
            if name in self._preparing:
                self._preparing[name].prepare(task)

    def verdicts(self, names: Sequence[str], task: Task, answer: Completion) -> tuple[Verdict, ...]:
        """The verdicts of the gates that have something to say.

        Raises:
            RequestError: a gate found the request itself at fault, such as an invalid schema.
        """
        found: list[Verdict] = []
        for name in names:
            try:
                verdict = self._gates[name].judge(task, answer)
            except RequestError:
                raise
            except Exception:
                self.broken[name] = self.broken.get(name, 0) + 1
                log.exception("gate %s broke and was left out", name)
                continue
            if verdict is not None:
                found.append(verdict)
        return tuple(found)

    def first_look(
        self, names: Sequence[str], task: Task, start: Completion
    ) -> tuple[Verdict, ...]:
        """What the gates that can tell by the beginning of an answer say of this one."""
        found: list[Verdict] = []
        for name in names:
            if name not in self._early:
                continue
            try:
                verdict = self._early[name].judge_start(task, start)
            except Exception:
                self.broken[name] = self.broken.get(name, 0) + 1
                log.exception("gate %s broke and was left out", name)
                continue
            if verdict is not None:
                found.append(verdict)
        return tuple(found)


def acceptance(verdicts: tuple[Verdict, ...]) -> float:
    """P(acceptable) of an answer by its gates: the lowest, until a calibrated model joins them."""
    return min((verdict.p for verdict in verdicts), default=1.0)
