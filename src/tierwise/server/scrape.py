"""The text of a scrape: what several processes have counted, as Prometheus reads it.

Imported at the first scrape: a gateway that nobody scrapes has no use for the client's library.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from tierwise.server.counted import Labels, Snapshot, Spread, joined_spreads
from tierwise.server.families import ALL, BY_NAME, SECONDS, Family, Joined

_JOIN: dict[Joined, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum,
    "mean": fmean,
    "min": min,
    "max": max,
}


def exposed(own: Snapshot, others: Iterable[Snapshot]) -> bytes:
    """The text of a scrape."""
    registry = CollectorRegistry()
    registry.register(_Joined([own, *others], own.pid))
    return generate_latest(registry)


class _Joined(Collector):
    """The figures of several processes as one. What one that has ended has counted still counts;
    how it was does not matter any more."""

    def __init__(self, snapshots: Sequence[Snapshot], own: int) -> None:
        self._snapshots = snapshots
        self._own = own

    def collect(self) -> Iterable[Metric]:
        """All metrics, those without a figure too."""
        values: dict[tuple[str, Labels], list[float]] = {}
        spreads: list[Spread] = []
        for snapshot in self._snapshots:
            alive = snapshot.pid == self._own or _is_alive(snapshot.pid)
            for sample in snapshot.samples:
                family = BY_NAME.get(sample.name)
                if family is not None and (alive or _stays(family)):
                    values.setdefault((sample.name, sample.labels), []).append(sample.value)
            spreads += snapshot.spreads
        figures: dict[str, list[tuple[Labels, float]]] = {}
        for (name, labels), found in values.items():
            joined = _JOIN[BY_NAME[name].joined](found)
            figures.setdefault(name, []).append((labels, joined))
        parts: dict[str, list[Spread]] = {}
        for one in joined_spreads(spreads).values():
            parts.setdefault(one.name, []).append(one)
        for family in ALL:
            if family.kind == "histogram":
                yield _histogram(family, parts.get(family.name, ()))
            else:
                yield _figures(family, sorted(figures.get(family.name, ())))


_SUMS = frozenset({"tierwise_saved_usd"})
"""Gauges that are sums of what was: an answer may cost more than the reference's."""


def _stays(family: Family) -> bool:
    """Whether a figure is of what was, and not of how a process is."""
    return family.kind == "counter" or family.name in _SUMS


def _figures(family: Family, values: Iterable[tuple[Labels, float]]) -> Metric:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for labels, value in values:
        metric.add_metric(labels, value)
    return metric


def _histogram(family: Family, spreads: Iterable[Spread]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for one in spreads:
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*SECONDS, float("inf")), one.counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else repr(bound), total))
        metric.add_metric(one.labels, buckets, one.sum)
    return metric


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
