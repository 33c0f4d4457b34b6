"""The metrics of OpenTelemetry's conventions for generative AI, counted here and sent as a whole.

Sums since the start (`cumulative`), as every collector takes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tierwise.telemetry.histogram import Histogram
from tierwise.telemetry.places import Place, Places, error_of
from tierwise.telemetry.protobuf import (
    Value,
    attributes,
    double,
    fixed64,
    message,
    number,
    packed_doubles,
    packed_fixed64,
    text,
)
from tierwise.types import Attempt, Record

DURATIONS = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
TOKENS = tuple(float(4**power) for power in range(14))
TO_FIRST = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
"""The bounds that the conventions ask for."""
MOST_SERIES = 2_000
"""Of one metric; what comes beyond is not counted. A set-up has far fewer."""
_CUMULATIVE = 2
Pairs = tuple[tuple[str, Value | None], ...]


class GenAiMetrics:
    """Counts what records say. `observe` and `encoded` may be called in different threads: what is
    read in the middle of a request is in the next sum."""

    def __init__(self, places: Places, began: float) -> None:
        """With `began`, the Unix time since when is counted."""
        self.places = places
        self._began = began
        self._calls: dict[tuple[str, str, str | None, bool], _Calls] = {}
        self._requests: dict[tuple[str | None, str | None, str], _Requests] = {}

    def observe(self, record: Record) -> None:
        """Takes in one finished request."""
        key = (record.decision.policy, record.model, record.status)
        requests = self._requests.get(key)
        if requests is None:
            if len(self._requests) >= MOST_SERIES:
                return
            requests = self._requests[key] = _Requests(*key)
        requests.duration.add(record.latency_s)
        requests.cost += record.cost_usd
        requests.reference += record.reference_cost_usd
        for attempt in record.attempts:
            self._call(attempt)

    def _call(self, attempt: Attempt) -> None:
        error = error_of(attempt)
        key = (attempt.deployment, attempt.model, error, attempt.usage is not None)
        calls = self._calls.get(key)
        if calls is None:
            if len(self._calls) >= MOST_SERIES:
                return
            calls = self._calls[key] = _Calls(self.places.of(attempt), attempt, error)
        calls.duration.add(attempt.latency_s)
        if attempt.ttft_s is not None:
            calls.to_first.add(attempt.ttft_s)
        if attempt.usage is not None:
            calls.input.add(attempt.usage.input_tokens)
            calls.output.add(attempt.usage.output_tokens)

    def encoded(self, now: float) -> Iterable[bytes]:
        """Each metric as a field of `ScopeMetrics`, as it stands at this Unix time."""
        span = fixed64(2, int(self._began * 1e9)) + fixed64(3, int(now * 1e9))
        calls, requests = list(self._calls.values()), list(self._requests.values())
        yield _histogram(
            "gen_ai.client.operation.duration", "s", "GenAI operation duration.",
            [_point(span, 9, one.facts, one.duration) for one in calls],
        )  # fmt: skip
        yield _histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s",
            "Time to the first chunk of a streamed answer.",
            [_point(span, 9, one.facts, one.to_first) for one in calls if one.to_first.count],
        )  # fmt: skip
        yield _histogram(
            "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.",
            [
                _point(span, 9, (*one.model_facts, ("gen_ai.token.type", kind)), histogram)
                for one in calls
                for kind, histogram in (("input", one.input), ("output", one.output))
                if histogram.count
            ],
        )  # fmt: skip
        yield _histogram(
            "tierwise.request.duration", "s", "From when a request was routed to its answer's end.",
            [_point(span, 9, one.facts, one.duration) for one in requests],
        )  # fmt: skip
        yield _sum(
            "tierwise.cost", "USD spent, all attempts billed.",
            [_number(span, one.facts, one.cost) for one in requests],
        )  # fmt: skip
        yield _sum(
            "tierwise.reference_cost", "USD that the reference model would have cost.",
            [_number(span, one.facts, one.reference) for one in requests],
        )  # fmt: skip


class _Calls:
    """The calls to one deployment that ended alike."""

    __slots__ = ("duration", "facts", "input", "model_facts", "output", "to_first")

    def __init__(self, place: Place, attempt: Attempt, error: str | None) -> None:
        self.model_facts: Pairs = (
            ("gen_ai.operation.name", place.operation),
            ("gen_ai.provider.name", place.provider),
            ("gen_ai.request.model", place.model),
            ("gen_ai.response.model", attempt.model if attempt.usage is not None else None),
            ("server.address", place.address or None),
            ("server.port", place.port if place.address else None),
            ("tierwise.deployment", attempt.deployment),
        )
        self.facts: Pairs = (*self.model_facts, ("error.type", error))
        self.duration = Histogram(DURATIONS)
        self.to_first = Histogram(TO_FIRST)
        self.input = Histogram(TOKENS)
        self.output = Histogram(TOKENS)


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


def _point(span: bytes, field: int, facts: Pairs, histogram: Histogram) -> bytes:
    """A `HistogramDataPoint` as a field of `Histogram`."""
    counts = tuple(histogram.counts)
    return message(
        1,
        span,
        fixed64(4, sum(counts)),
        double(5, histogram.sum),
        packed_fixed64(6, counts),
        packed_doubles(7, histogram.bounds),
        attributes(field, facts),
    )


def _number(span: bytes, facts: Pairs, value: float) -> bytes:
    """A `NumberDataPoint` as a field of `Sum`."""
    return message(1, span, double(4, value), attributes(7, facts))


def _histogram(name: str, unit: str, description: str, points: Sequence[bytes]) -> bytes:
    return _metric(name, unit, description, message(9, *points, number(2, _CUMULATIVE)))


def _sum(name: str, description: str, points: Sequence[bytes]) -> bytes:
    data = message(7, *points, number(2, _CUMULATIVE), number(3, True))
    return _metric(name, "USD", description, data)


def _metric(name: str, unit: str, description: str, data: bytes) -> bytes:
    return message(2, text(1, name), text(2, description), text(3, unit), data)
