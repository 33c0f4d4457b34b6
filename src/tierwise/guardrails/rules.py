"""Which guardrails look at which request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tierwise.guardrails.guard import Guard, Rule
from tierwise.types import Task

Counts = dict[tuple[str, str], int]
"""How often each guardrail `noted`, `masked`, `refused` or `broke`, or what it was to look at was
`unseen`, by its name and that word."""


class Rules:
    """The guardrails of an orchestrator.

    Args:
        always: those that look at every request.
        policies: those that look at the requests of a policy as well.
        counts: what was counted before, which is gone on with.
        version: changes when they do, so that no answer is given again that others looked at.
    """

    def __init__(
        self,
        always: Sequence[Rule],
        policies: Mapping[str, Sequence[Rule]],
        counts: Counts | None = None,
        version: str = "",
    ) -> None:
        self.version = version
        self._always = tuple(always)
        self._policies = {
            name: (*self._always, *(rule for rule in rules if rule not in self._always))
            for name, rules in policies.items()
        }
        self.counts: Counts = {} if counts is None else counts

    def guard(self, task: Task) -> Guard | None:
        """What looks at a request and its answer; None if nothing does."""
        return self._made(self._policies.get(task.policy or task.model, self._always))

    def guard_of_all(self) -> Guard | None:
        """What looks at what belongs to no policy; None if nothing does."""
        return self._made(self._always)

    def _made(self, rules: Sequence[Rule]) -> Guard | None:
        return Guard(rules, self._counted, self.version) if rules else None

    def _counted(self, name: str, done: str) -> None:
        self.counts[name, done] = self.counts.get((name, done), 0) + 1
