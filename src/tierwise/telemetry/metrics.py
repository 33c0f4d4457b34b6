"""The metrics of OpenTelemetry's conventions for generative AI, counted here and sent as a whole.

https://github.com/open-telemetry/semantic-conventions-genai, v0.1.0. Those that it has in place of
what version 1.41 of the general conventions had are sent by both names unless it is said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

from tierwise.ledger import EMBEDDINGS, Aside
from tierwise.telemetry.asides import AsideCalls
from tierwise.telemetry.calls import MOST_SERIES, Calls, metrics_of
from tierwise.telemetry.histogram import Histogram
from tierwise.telemetry.places import Places, error_of
from tierwise.telemetry.series import (
    DURATIONS,
    Pairs,
    counter,
    figure,
    histogram,
    since,
    spread,
)
from tierwise.types import Attempt, Record


class GenAiMetrics:
    """Counts what records say. `observe` and `encoded` may be called in different threads: what is
    read in the middle of a request is in the next sum.

    Args:
        began: the Unix time since when is counted.
        older: whether metrics that have another name now are sent by the one before as well.
    """

    def __init__(self, places: Places, began: float, *, older: bool = True) -> None:
        self.places = places
        self._began = began
        self._older = older
        self._calls: dict[tuple[str, str, str | None, bool], Calls] = {}
        self._asides = AsideCalls()
        self._requests: dict[tuple[str | None, str | None, str], _Requests] = {}

    def observe(self, record: Record) -> None:
        """Takes in one finished request."""
        key = (record.decision.policy, record.model, record.status)
        requests = self._requests.get(key) or self._like(key)
        if requests is None:
            return
        requests.duration.add(record.latency_s)
        requests.cost += record.cost_usd
        requests.reference += record.reference_cost_usd
        for attempt in record.attempts:
            self._call(attempt)

    def observe_aside(self, aside: Aside) -> None:
        """Takes in one that was for no answer. What embeddings cost is part of the total; of what
        was passed through so little is known that it would say nothing."""
        self._asides.observe(aside, self.places)
        if aside.cost_usd is None or aside.kind != EMBEDDINGS:
            return
        requests = self._like((None, aside.model, aside.status))
        if requests is not None:
            requests.duration.add(aside.latency_s)
            requests.cost += aside.cost_usd
            requests.reference += aside.cost_usd

    def _like(self, key: tuple[str | None, str | None, str]) -> _Requests | None:
        """The requests that ended alike; None if there is no room for others."""
        requests = self._requests.get(key)
        if requests is None and len(self._requests) < MOST_SERIES:
            requests = self._requests[key] = _Requests(*key)
        return requests

    def _call(self, attempt: Attempt) -> None:
        error = error_of(attempt)
        key = (attempt.deployment, attempt.model, error, attempt.usage is not None)
        calls = self._calls.get(key)
        if calls is None:
            if len(self._calls) >= MOST_SERIES:
                return
            answered = attempt.model if attempt.usage is not None else None
            place = self.places.of(attempt)
            calls = self._calls[key] = Calls(place, attempt.deployment, answered, error)
        calls.duration.add(attempt.latency_s)
        if attempt.ttft_s is not None:
            calls.to_first.add(attempt.ttft_s)
        if attempt.usage is not None:
            calls.used(attempt.usage)

    def encoded(self, now: float) -> Iterable[bytes]:
        """Each metric as a field of `ScopeMetrics`, as it stands at this Unix time."""
        span = since(self._began, now)
        requests = list(self._requests.values())
        calls = [*self._calls.values(), *self._asides.all]
        yield from metrics_of(span, calls, older=self._older)
        yield histogram(
            "tierwise.request.duration", "s", "From when a request was routed to its answer's end.",
            [spread(span, one.facts, one.duration) for one in requests],
        )  # fmt: skip
        yield counter(
            "tierwise.cost", "USD", "USD spent, all attempts billed.",
            [figure(span, one.facts, one.cost) for one in requests],
        )  # fmt: skip
        yield counter(
            "tierwise.reference_cost", "USD", "USD that the reference model would have cost.",
            [figure(span, one.facts, one.reference) for one in requests],
        )  # fmt: skip


class _Requests:
    """The requests of one policy that one model answered, or that ended alike."""

    __slots__ = ("cost", "duration", "facts", "reference")

    def __init__(self, policy: str | None, model: str | None, status: str) -> None:
        self.facts: Pairs = (
            ("tierwise.policy", policy),
            ("gen_ai.response.model", model),
            ("tierwise.status", status),
        )
        self.duration = Histogram(DURATIONS)
        self.cost = 0.0
        self.reference = 0.0
