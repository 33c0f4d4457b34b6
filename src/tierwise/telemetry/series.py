"""Metrics as OTLP writes them: histograms and sums, each with the points of its series.

Sums since the start (`cumulative`), as every collector takes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from tierwise.telemetry.histogram import Histogram
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

DURATIONS = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
TOKENS = tuple(float(4**power) for power in range(14))
TO_FIRST = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
"""The bounds that the conventions for generative AI ask for."""
_CUMULATIVE = 2
Pairs = tuple[tuple[str, Value | None], ...]


def since(began: float, now: float) -> bytes:
    """The time that points are of, as fields of each: Unix times in seconds."""
    return fixed64(2, int(began * 1e9)) + fixed64(3, int(now * 1e9))


def spread(span: bytes, facts: Pairs, histogram: Histogram) -> bytes:
    """A `HistogramDataPoint` as a field of `Histogram`."""
    counts = tuple(histogram.counts)
    return message(
        1,
        span,
        fixed64(4, sum(counts)),
        double(5, histogram.sum),
        packed_fixed64(6, counts),
        packed_doubles(7, histogram.bounds),
        attributes(9, facts),
    )


def figure(span: bytes, facts: Pairs, value: float) -> bytes:
    """A `NumberDataPoint` as a field of `Sum`; a whole number as such."""
    written = fixed64(6, value) if isinstance(value, int) else double(4, value)
    return message(1, span, written, attributes(7, facts))


def histogram(name: str, unit: str, description: str, points: Sequence[bytes]) -> bytes:
    """A metric of `spread`s as a field of `ScopeMetrics`; nothing where there are none."""
    if not points:
        return b""
    return _metric(name, unit, description, message(9, *points, number(2, _CUMULATIVE)))


def counter(name: str, unit: str, description: str, points: Sequence[bytes]) -> bytes:
    """A metric of `figure`s, which only grow; nothing where there are none."""
    if not points:
        return b""
    data = message(7, *points, number(2, _CUMULATIVE), number(3, True))
    return _metric(name, unit, description, data)


def _metric(name: str, unit: str, description: str, data: bytes) -> bytes:
    return message(2, text(1, name), text(2, description), text(3, unit), data)
