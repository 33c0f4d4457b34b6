"""The interfaces of a gate, and how gates are found by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tierwise.errors import ConfigError
from tierwise.types import Completion, Task, Verdict

if TYPE_CHECKING:
    from tierwise.gates.probe import Probe

BUILTIN = {
    "arithmetic": "tierwise.gates.arithmetic:ArithmeticGate",
    "citations": "tierwise.gates.citations:CitationsGate",
    "code": "tierwise.gates.code:CodeGate",
    "code_tests": "tierwise.gates.code_tests:CodeTestsGate",
    "complete": "tierwise.gates.complete:CompleteGate",
    "format": "tierwise.gates.format:FormatGate",
    "json_schema": "tierwise.gates.json_schema:JsonSchemaGate",
    "refusal": "tierwise.gates.refusal:RefusalGate",
    "token_confidence": "tierwise.gates.token_confidence:TokenConfidenceGate",
    "tool_calls": "tierwise.gates.tool_calls:ToolCallsGate",
}
"""The gates that come with Tierwise, by name. Others register as entry points `tierwise.gates`, or
are named as `module:attribute`."""

PROBES = {
    "agreement": "tierwise.gates.agreement:AgreementProbe",
    "judge": "tierwise.gates.judge:JudgeProbe",
    "self_check": "tierwise.gates.self_check:SelfCheckProbe",
}
"""Those that must ask a model before they can judge, by name."""


@runtime_checkable
class Gate(Protocol):
    """Judges one answer to one task. Sees neither who gave it nor where it is served."""

    name: str

    def judge(self, task: Task, answer: Completion) -> Verdict | None:
        """P(acceptable) and the reason; None where the gate has nothing to say."""


@runtime_checkable
class Slow(Protocol):
    """A gate that waits for something: a process, a thread, another model.

    `limit_s` is the time that one verdict may take, in seconds; after it the gate is left out.
    """

    name: str
    limit_s: float

    async def judge_slowly(self, task: Task, answer: Completion) -> Verdict | None:
        """As `Gate.judge`, without keeping the event loop from other requests."""


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


def load_gates(names: Iterable[str]) -> dict[str, Gate | Slow | Probe]:
    """The gates and probes of these names, built once each.

    Raises:
        ConfigError: a name is unknown, and the message offers the nearest ones; or a gate of
            somebody else's cannot be imported or built.
    """
    wanted = sorted(set(names))
    others: dict[str, str] = {}
    own = {**BUILTIN, **PROBES}
    if any(name not in own for name in wanted):
        others = {point.name: point.value for point in entry_points(group="tierwise.gates")}
    _check_known(wanted, {*own, *others})
    gates: dict[str, Gate | Slow | Probe] = {}
    for name in wanted:
        if name in own:
            module, _, attribute = own[name].partition(":")
            gates[name] = getattr(import_module(module), attribute)()
        else:
            # Imported only here: most gateways have no gate of somebody else's.
            from tierwise.gates.outside import load_outside

            gates[name] = load_outside(name, others.get(name, name))
    return gates


def _check_known(wanted: Iterable[str], known: set[str]) -> None:
    """Raises `ConfigError` for all names that are neither known nor somebody's own."""
    unknown = [name for name in wanted if name not in known and ":" not in name]
    if not unknown:
        return
    near = {close for name in unknown for close in difflib.get_close_matches(name, known)}
    named = ", ".join(map(repr, unknown))
    raise ConfigError(
        f"unknown gate{'s' if len(unknown) > 1 else ''} {named}",
        field="gates",
        remedy=f"Use one of: {', '.join(sorted(near or known))}. "
        "Your own are named `module:function`.",
    )
