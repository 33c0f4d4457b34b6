"""What is known of one deployment now."""

from __future__ import annotations

from dataclasses import dataclass, field

from tierwise.state.breaker import Breaker
from tierwise.state.concurrency import AdaptiveLimit
from tierwise.state.ejection import Sibling
from tierwise.state.limits import Limiter
from tierwise.state.pace import Pace
from tierwise.state.probe import ProbeTimes
from tierwise.state.retry_budget import RetryBudget

INFINITE = float("inf")
SILENT_CALLS = 3
SILENT_S = 1.5
SILENT_TIMES = 1.5
"""A deployment is silent when so many calls have begun since something was heard of it, the first
of them longer ago than `SILENT_S` and `SILENT_TIMES` the 95th percentile of hearing something."""


@dataclass(slots=True)
class DeploymentState:
    """All of it. Times of the monotonic clock, in seconds.

    `clear` says that nothing keeps calls away, so that the usual case is one look. `cap` is how
    many calls at a time were found to be too many, for deployments without configured limits.
    `unanswered` calls have begun since something was heard, the first of them at `silent_since`.
    Until `unlisted_until` it is out for what a look at it does not show.
    `share` is the part of its configured limits that this process may use, where several do.
    `told` is the kind of error that the log said it is out for; None once it has answered again.
    """

    in_flight: int = 0
    requests: int = 0
    clear: bool = True
    cap: float = INFINITE
    unanswered: int = 0
    silent_since: float = 0.0
    resting_until: float = 0.0
    resting_because: str = ""
    rate_limited_until: float = 0.0
    unlisted_until: float = 0.0
    ejected_until: float = 0.0
    ejections: int = 0
    drained: bool = False
    told: str | None = None
    last_error: str | None = None
    last_error_at: float = 0.0
    limiter: Limiter | None = None
    share: float = 1.0
    breaker: Breaker = field(default_factory=Breaker)
    pace: Pace = field(default_factory=Pace)
    adaptive: AdaptiveLimit = field(default_factory=AdaptiveLimit)
    retries: RetryBudget = field(default_factory=RetryBudget)
    probes: ProbeTimes = field(default_factory=ProbeTimes)

    @property
    def failures_in_row(self) -> int:
        """Failures since the last answer."""
        return self.breaker.failures_in_row

    @property
    def latency_s(self) -> float | None:
        """Moving average of how long answers take."""
        return self.pace.latency_s

    @property
    def ttft_s(self) -> float | None:
        """Moving average of how long streams take to begin."""
        return self.pace.ttft_s

    def is_well(self, now: float) -> bool:
        """Whether it takes calls, be it at a limit."""
        return (
            not self.drained
            and self.resting_until <= now
            and self.ejected_until <= now
            and self.breaker.allows(now)
        )

    def overloaded(self, now: float) -> None:
        """A call that is over already was turned away, or timed out."""
        limit = self.adaptive.overloaded(now, self.in_flight + 1, self.pace.latency_s or 1.0)
        if self.limiter is None:
            self.cap = limit

    def is_silent(self, now: float) -> bool:
        """Whether nothing was heard for so long that something must be wrong.

        A provider that takes calls and never answers would else be found out only when the first
        of them times out, which is long for models that think.
        """
        if self.unanswered < SILENT_CALLS or now - self.silent_since <= SILENT_S:
            return False
        usual = self.pace.p95_heard_s
        return usual is not None and now - self.silent_since > SILENT_TIMES * usual

    def as_sibling(self, now: float) -> Sibling:
        """How it compares with other places of its model."""
        calls, failed = self.breaker.seen(now)
        up = not self.drained and self.resting_until <= now and self.breaker.closed
        return Sibling(calls, failed, self.pace.median_heard_s, up, self.ejected_until > now)
