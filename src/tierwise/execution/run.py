"""One request on its way through its plan: what was decided, what has happened so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from tierwise.certificate import Combination
from tierwise.errors import UpstreamError
from tierwise.gates.combine import posterior
from tierwise.types import Attempt, Decision, Deployment, Task, Tier, Usage, Verdict
from tierwise.wire.translate import as_chat

if TYPE_CHECKING:
    from tierwise.analysis.reading import Reading
    from tierwise.execution.course import Course
    from tierwise.routing.expressed import Unsaid

_TIMER_S = 0.002
"""Timers of event loops may fire this much early."""
_EVEN = 0.5
"""P(acceptable) below which an answer is more likely bad than good."""
Paths = Mapping[str, Sequence[Deployment]]
"""The deployments that a request may use, by model."""


class Run:
    """The attempts of one request, and the one that answered. Grows until the answer is out.

    `cache` says whether the cache was asked and what it had: `hit`, `similar`, `miss`; None where
    it has nothing to do with the request. Of a hit, `age_s` is how old the answer is, `saved_usd`
    what it cost when it was made, and `left_out` what its model was not told then.

    `combination` is how verdicts are joined where the decision rests on a certificate, `reading`
    what analysis read in the prompt, if it did. `said` is the text of a stream that several wrote,
    None for any other. `unsaid` is what of the task some dialects have no words for. `upstream_id`
    is what the provider that answers calls the request. `waited_s`, `analysis_s` and `routing_s`
    are how long that took before `started`.
    """

    __slots__ = (
        "_earlier",
        "age_s",
        "analysis_s",
        "answer",
        "attempts",
        "cache",
        "clock",
        "combination",
        "cost_usd",
        "course",
        "decision",
        "deployment",
        "error",
        "failures",
        "handed_over",
        "left_out",
        "model",
        "on_hold",
        "paths",
        "read_by_gates",
        "reading",
        "routing_s",
        "said",
        "saved_usd",
        "started",
        "status",
        "task",
        "tier",
        "ttft_s",
        "unsaid",
        "upstream_id",
        "usage",
        "waited_s",
    )

    def __init__(
        self,
        task: Task,
        decision: Decision,
        paths: Paths,
        clock: Callable[[], float],
        combination: Combination | None = None,
    ) -> None:
        self.task = task
        self.decision = decision
        self.paths = paths
        self.clock = clock
        self.handed_over: Task | None = None
        self.combination = combination
        self.reading: Reading | None = None
        self.unsaid: Unsaid | None = None
        self.read_by_gates: Task | None = None
        self.course: Course | None = None
        self.on_hold: Callable[[], None] | None = None
        self.started = clock()
        self.attempts: list[Attempt] = []
        self.failures: list[tuple[Deployment, UpstreamError]] = []
        self._earlier = 0
        self.cost_usd = 0.0
        self.status: Literal["ok", "error", "cancelled"] = "error"
        self.error: str | None = None
        self.model: str | None = None
        self.deployment: str | None = None
        self.tier: int | None = None
        self.usage = Usage()
        self.ttft_s: float | None = None
        self.answer: str | None = None
        self.said: str | None = None
        self.upstream_id: str | None = None
        self.cache: Literal["hit", "similar", "miss"] | None = None
        self.age_s = self.saved_usd = 0.0
        self.waited_s: float | None = None
        self.analysis_s: float | None = None
        self.routing_s: float | None = None
        self.left_out: tuple[str, ...] = ()

    def add(self, attempt: Attempt) -> None:
        """A call is over: with an answer, accepted or not, in the middle of one, or without."""
        self.attempts.append(attempt)
        self.cost_usd += attempt.cost_usd

    def replace(self, attempt: Attempt, by: Attempt) -> None:
        """Something else came of a call than it seemed."""
        self.attempts = [by if one is attempt else one for one in self.attempts]

    def settled(self, attempt: Attempt) -> Attempt:
        """The call whose answer is given out: accepted after all, if the planner settled on it."""
        if self.course is None or not self.course.settled:
            return attempt
        accepted = replace(attempt, outcome="accepted", p=self.course.p[self.course.best])
        self.replace(attempt, accepted)
        return accepted

    @property
    def expected_tokens(self) -> int:
        """What one call is expected to take, prompt and answer."""
        profile = self.decision.profile
        return profile.input_tokens + profile.output_tokens

    @property
    def asked(self) -> Task:
        """What the next call asks: the task, or the task with the draft that was rejected."""
        return self.handed_over or self.task

    @property
    def judged(self) -> Task:
        """The task as gates and probes read it, in OpenAI's chat dialect."""
        if self.read_by_gates is None:
            self.read_by_gates = as_chat(self.task)
        return self.read_by_gates

    def dropped(self, deployment: str) -> tuple[str, ...]:
        """What a deployment, by id, was not told of the request, by the client's names of it."""
        return self.left_out if self.unsaid is None else self.unsaid.dropped(deployment)

    def spares(self, deployment: str) -> bool:
        """Whether a deployment, by id, is asked without a word of thinking."""
        return self.unsaid is not None and self.unsaid.spares(deployment)

    @property
    def out_of_time(self) -> bool:
        """Whether the task's deadline has passed, or is too near for any call to be in time."""
        return self.clock() + _TIMER_S >= self.task.deadline

    @property
    def has_draft(self) -> bool:
        """Whether somebody gave a complete answer, if one that its gates rejected."""
        return any(attempt.outcome == "rejected" for attempt in self.attempts)

    def posterior(self, verdicts: Sequence[Verdict], tier: Tier) -> float:
        """P(acceptable) of a tier's answer by all that its gates have to say."""
        return posterior(verdicts, expected=tier.expected, combination=self.combination)

    def begins_well(self, verdicts: Sequence[Verdict], tier: Tier) -> bool:
        """Whether an answer may go on, by what gates say of its beginning.

        What was fitted is for all gates together: those that have not spoken yet would count
        against it. So under a certificate an answer is left only if it is more likely bad.
        """
        if self.combination is None:
            return posterior(verdicts, expected=tier.expected) >= tier.accept
        return posterior(verdicts) >= min(_EVEN, tier.accept)

    def failed_at(self, deployment: Deployment) -> bool:
        """Whether a call to this deployment has failed in this round through the paths."""
        failures = self.failures
        return bool(failures) and any(
            tried.id == deployment.id for tried, _ in failures[self._earlier :]
        )

    def next_round(self) -> None:
        """All paths are tried once more."""
        self._earlier = len(self.failures)

    def deliver(self, attempt: Attempt, status: Literal["ok", "error", "cancelled"] = "ok") -> None:
        """This attempt's answer, or as much of it as there was, is what the client gets."""
        self.status = status
        self.model = attempt.model
        self.deployment = attempt.deployment
        self.tier = attempt.tier
        if attempt.usage is not None:
            self.usage = attempt.usage

    def reasons(self) -> tuple[str, ...]:
        """One line for each failed call; what was said again is told once."""
        lines = (f"{d.id}: {error.kind}: {error.message}" for d, error in self.failures)
        return tuple(dict.fromkeys(lines))
