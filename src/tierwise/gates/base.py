"""The one interface of a gate, and how gates are found by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from tierwise.errors import ConfigError
from tierwise.types import Completion, Task, Verdict

BUILTIN = {
    "arithmetic": "tierwise.gates.arithmetic:ArithmeticGate",
    "citations": "tierwise.gates.citations:CitationsGate",
    "complete": "tierwise.gates.complete:CompleteGate",
    "format": "tierwise.gates.format:FormatGate",
    "json_schema": "tierwise.gates.json_schema:JsonSchemaGate",
    "refusal": "tierwise.gates.refusal:RefusalGate",
}
"""The gates that come with Tierwise, by name. Others register as entry points `tierwise.gates`."""


class Gate(Protocol):
    """Judges one answer to one task. Sees neither who gave it nor where it is served."""

    name: str

    def judge(self, task: Task, answer: Completion) -> Verdict | None:
        """P(acceptable) and the reason; None where the gate has nothing to say."""


@runtime_checkable
class Prepares(Protocol):
    """A gate that wants to see a task before anybody is asked."""

    def prepare(self, task: Task) -> None:
        """Raises `RequestError` if no answer could satisfy the gate."""


@runtime_checkable
class Early(Protocol):
    """A gate that can tell by the beginning of an answer that the whole will not do."""

    def judge_start(self, task: Task, start: Completion) -> Verdict | None:
        """P(acceptable) by its beginning; None where that says nothing."""


def load_gates(names: Iterable[str]) -> dict[str, Gate]:
    """The gates of these names, built once each.

    Raises:
        ConfigError: a name is unknown; the message offers the nearest ones.
    """
    wanted = sorted(set(names))
    others: dict[str, str] = {}
    if any(name not in BUILTIN for name in wanted):
        others = {point.name: point.value for point in entry_points(group="tierwise.gates")}
    known = {**others, **BUILTIN}
    gates: dict[str, Gate] = {}
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known) or sorted(known)
            raise ConfigError(
                f"unknown gate {name!r}", field="gates", remedy=f"Use one of: {', '.join(near)}."
            )
        module, _, attribute = known[name].partition(":")
        gates[name] = getattr(import_module(module), attribute)()
    return gates
