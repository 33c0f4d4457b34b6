"""Gates of somebody else's: any `module:attribute`, and the entry points `tierwise.gates`.

Such a gate may raise, hang or say nonsense. It is run apart (see `theirs`), so that the event loop
goes on meanwhile, and what it says is made a verdict here or refused.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from tierwise.errors import ConfigError
from tierwise.theirs import AT_A_TIME, NotThere, Theirs, found_at
from tierwise.types import Completion, Task, Verdict

LIMIT_S = 2.0
"""The time that a gate has for one verdict, in seconds, unless its `limit_s` says otherwise."""
_REASON_CHARS = 300

Opinion = Callable[[Task, Completion], Any]


class OutsideGate:
    """A gate from outside Tierwise: what it says becomes a verdict in its configured name.

    It is a function `(task, answer)`, plain or async, or an object whose `judge` is one. It gives
    a `Verdict`, a probability, a bool, or None where it has nothing to say.
    """

    def __init__(self, name: str, opinion: Opinion, *, threads: int = AT_A_TIME) -> None:
        self.name = name
        self.limit_s = LIMIT_S
        self._theirs = Theirs(f"gate {name}", opinion, at_a_time=threads)

    @property
    def stuck(self) -> int:
        """How many calls go on that nobody waits for."""
        return self._theirs.stuck

    async def judge_slowly(self, task: Task, answer: Completion) -> Verdict | None:
        """The gate's verdict.

        Raises:
            Exception: whatever the gate raises.
            ValueError: what it says is no verdict.
            TimeoutError: all its threads hang.
        """
        return verdict_of(self.name, await self._theirs.ask(task, answer))


def verdict_of(name: str, said: Any) -> Verdict | None:
    """What a gate said as a verdict in its name.

    Raises:
        ValueError: it is neither a verdict nor a probability, a bool or None.
    """
    if said is None:
        return None
    reason = ""
    p = said
    if isinstance(said, Verdict):
        p, reason = said.p, said.reason
    if not isinstance(p, int | float) or not 0.0 <= p <= 1.0 or math.isnan(p):
        raise ValueError(f"{said!r:.200} is no verdict: a probability must be in [0, 1]")
    # The ledger stores it, and half a character cannot be stored.
    words = str(reason)[:_REASON_CHARS].encode("utf-8", "replace").decode()
    return Verdict(gate=name, p=float(p), reason=words)


class _Preparing(OutsideGate):
    """An outside gate that wants to see a task before anybody is asked."""

    def __init__(self, name: str, opinion: Opinion, prepare: Callable[[Task], None]) -> None:
        super().__init__(name, opinion)
        self._prepare = prepare

    def prepare(self, task: Task) -> None:
        """As the gate has it. Raises whatever that raises, and `RuntimeError` if it would exit."""
        try:
            self._prepare(task)
        except SystemExit as raised:
            raise RuntimeError(f"SystemExit: {raised}") from None


def load_outside(name: str, target: str) -> OutsideGate:
    """The gate at `module:attribute` (see `theirs.found_at`), called `name` in configurations and
    verdicts.

    Raises:
        ConfigError: it cannot be imported or built, or it cannot be called as a gate.
    """
    try:
        gate = found_at(target)
    except NotThere as error:
        raise _unusable(name, error.why, error.remedy) from error
    opinion = getattr(gate, "judge_slowly", None) or getattr(gate, "judge", gate)
    if not callable(opinion) or not _takes_two(opinion):
        raise _unusable(name, "cannot be called with a task and an answer")
    limit = getattr(gate, "limit_s", LIMIT_S)
    if not isinstance(limit, int | float) or not 0.0 < limit < math.inf:
        raise _unusable(name, f"has a `limit_s` of {limit!r}, which is no number of seconds")
    prepare = getattr(gate, "prepare", None)
    made = _Preparing(name, opinion, prepare) if prepare else OutsideGate(name, opinion)
    made.limit_s = float(limit)
    return made


def _unusable(name: str, why: str, remedy: str = "") -> ConfigError:
    return ConfigError(
        f"the gate {name!r} {why}",
        field="gates",
        remedy=remedy or "A gate is a function (task, answer), or a class whose `judge` is one.",
    )


def _takes_two(opinion: Opinion) -> bool:
    try:
        inspect.signature(opinion).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # some builtins do not say what they take
        return True
    return True
