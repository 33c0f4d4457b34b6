"""What is counted for `/metrics`: plain numbers, added up when somebody looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from tierwise.ledger import EMBEDDINGS, Aside
from tierwise.ledger.rows import tier_of
from tierwise.server.families import SECONDS
from tierwise.telemetry.histogram import Histogram
from tierwise.types import Attempt, Record, Tier

MOST_VALUES = 200
"""Different values of one label; more count as `OTHER`, so that no caller can make them many."""
OTHER = "other"
_MOST_KEYS = 5_000
_ACCEPT = Tier(model="").accept

Labels = tuple[str, ...]


class Sample(NamedTuple):
    """One figure of a metric."""

    name: str
    labels: Labels
    value: float


class Spread(NamedTuple):
    """One histogram of a metric: how many values in each bucket, and their sum."""

    name: str
    labels: Labels
    counts: list[int]
    sum: float


class Snapshot(Struct, frozen=True):
    """All that one process has counted, and how it is."""

    pid: int
    samples: list[Sample]
    spreads: list[Spread]


class _Line:
    """The requests that have the same labels."""

    __slots__ = (
        "cached", "cost", "escalated", "failovers", "first", "input", "output", "reasoning",
        "reference", "requests", "seconds",
    )  # fmt: skip

    def __init__(self) -> None:
        self.requests = self.failovers = self.escalated = 0
        self.input = self.cached = self.output = self.reasoning = 0
        self.cost = self.reference = 0.0
        self.seconds = Histogram(SECONDS)
        self.first = Histogram(SECONDS)


class _Calls:
    """The calls to one deployment that ended alike."""

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = Histogram(SECONDS)


class Counts:
    """Counts records, and whatever else is told. Labels are bounded: never prompts."""

    def __init__(self) -> None:
        self._lines: dict[Labels, _Line] = {}
        self._known: dict[tuple[str | None, str | None, int | None, str], _Line] = {}
        self._calls: dict[Labels, _Calls] = {}
        self._verdicts: dict[Labels, int] = {}
        self._embedded: dict[str, int] = {}
        self._passed: dict[Labels, Histogram] = {}
        self._told: dict[tuple[str, Labels], float] = {}
        self._values: dict[str, set[str]] = {}

    def observe(self, record: Record) -> None:
        """Takes in one finished request; called by the ledger's thread."""
        key = (record.decision.policy, record.model, record.tier, record.status)
        line = self._known.get(key)
        if line is None:
            line = self._line(key)
        line.requests += 1
        line.cost += record.cost_usd
        line.reference += record.reference_cost_usd
        line.failovers += record.failovers
        line.seconds.add(record.latency_s)
        if record.stream and record.ttft_s is not None:
            line.first.add(record.ttft_s)
        usage = record.usage
        line.input += usage.input_tokens
        line.cached += usage.cached_input_tokens
        line.output += usage.output_tokens
        line.reasoning += usage.reasoning_tokens
        for attempt in record.attempts:
            calls = self._calls.get((attempt.deployment, attempt.outcome))
            if calls is None:
                calls = self._called(attempt)
            calls.count += 1
            calls.seconds.add(attempt.latency_s)
            if attempt.outcome in ("rejected", "abandoned"):
                line.escalated += 1
            if attempt.verdicts:
                self._judged(record, attempt)

    def observe_aside(self, aside: Aside) -> None:
        """Takes in one that was for no answer; called by the ledger's thread, too."""
        for attempt in aside.attempts:
            calls = self._called(attempt)
            calls.count += 1
            calls.seconds.add(attempt.latency_s)
        if aside.kind != EMBEDDINGS:
            labels = (self._bounded("provider", aside.provider or ""),)
            self._passed.setdefault(labels, Histogram(SECONDS)).add(aside.latency_s)
        elif aside.model is not None:
            model = self._bounded("model", aside.model)
            self._embedded[model] = self._embedded.get(model, 0) + (aside.input_tokens or 0)

    def add(self, name: str, *labels: str, value: float = 1.0) -> None:
        """Counts something that is no record; called in the event loop only."""
        key = (name, tuple(self._bounded(f"{name} {at}", one) for at, one in enumerate(labels)))
        self._told[key] = self._told.get(key, 0.0) + value

    def samples(self) -> Iterable[Sample]:
        """All figures as they stand."""
        found = dict(self._told)

        def add(name: str, labels: Labels, value: float) -> None:
            found[name, labels] = found.get((name, labels), 0.0) + value

        for labels, line in list(self._lines.items()):
            policy, model = labels[:2]
            add("tierwise_requests", labels, line.requests)
            add("tierwise_cost_usd", (policy, model), line.cost)
            add("tierwise_reference_cost_usd", (policy, model), line.reference)
            add("tierwise_saved_usd", (policy, model), line.reference - line.cost)
            add("tierwise_failovers", (policy,), line.failovers)
            add("tierwise_escalations", (policy,), line.escalated)
            if model:
                add("tierwise_tokens", (model, "input"), line.input)
                add("tierwise_tokens", (model, "cached_input"), line.cached)
                add("tierwise_tokens", (model, "output"), line.output)
                add("tierwise_tokens", (model, "reasoning"), line.reasoning)
        for labels, calls in list(self._calls.items()):
            add("tierwise_attempts", labels, calls.count)
        for model, tokens in list(self._embedded.items()):
            add("tierwise_tokens", (model, "input"), tokens)
        for labels, count in list(self._verdicts.items()):
            add("tierwise_verdicts", labels, count)
        return [Sample(name, labels, value) for (name, labels), value in found.items()]

    def spreads(self) -> list[Spread]:
        """All histograms as they stand; those of one metric and label may come in parts."""
        found: list[Spread] = []
        for labels, line in list(self._lines.items()):
            found.append(_spread("tierwise_request_seconds", labels[:1], line.seconds))
            if line.first.count:
                found.append(_spread("tierwise_first_token_seconds", labels[:1], line.first))
        for labels, calls in list(self._calls.items()):
            found.append(_spread("tierwise_attempt_seconds", labels[:1], calls.seconds))
        for labels, seconds in list(self._passed.items()):
            found.append(_spread("tierwise_passed_through_seconds", labels, seconds))
        return found

    def _line(self, key: tuple[str | None, str | None, int | None, str]) -> _Line:
        policy, model, tier, status = key
        labels = (
            self._bounded("policy", policy or ""),
            self._bounded("model", model or ""),
            "" if tier is None else self._bounded("tier", str(tier)),
            status,
        )
        line = self._lines.get(labels)
        if line is None:
            line = self._lines[labels] = _Line()
        if len(self._known) < _MOST_KEYS:
            self._known[key] = line
        return line

    def _called(self, attempt: Attempt) -> _Calls:
        labels = (
            self._bounded("deployment", attempt.deployment),
            self._bounded("outcome", attempt.outcome),
        )
        return self._calls.setdefault(labels, _Calls())

    def _judged(self, record: Record, attempt: Attempt) -> None:
        tier = tier_of(record, attempt)
        accept = _ACCEPT if tier is None else tier.accept
        for verdict in attempt.verdicts:
            passed = "true" if verdict.p >= accept else "false"
            labels = (self._bounded("gate", verdict.gate), passed)
            self._verdicts[labels] = self._verdicts.get(labels, 0) + 1

    def _bounded(self, label: str, value: str) -> str:
        """The value, if it is one of those that are known or there is room for another."""
        values = self._values.setdefault(label, set())
        if value not in values:
            if len(values) >= MOST_VALUES:
                return OTHER
            values.add(value)
        return value


def _spread(name: str, labels: Labels, histogram: Histogram) -> Spread:
    return Spread(name, labels, list(histogram.counts), histogram.sum)


def joined_spreads(spreads: Iterable[Spread]) -> Mapping[tuple[str, Labels], Spread]:
    """One for each metric and labels, the parts added up."""
    found: dict[tuple[str, Labels], Spread] = {}
    for one in spreads:
        known = found.get((one.name, one.labels))
        if known is not None:
            counts = [a + b for a, b in zip(known.counts, one.counts, strict=True)]
            one = one._replace(counts=counts, sum=known.sum + one.sum)
        found[one.name, one.labels] = one
    return found
