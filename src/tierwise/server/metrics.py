"""Prometheus metrics, fed by records; scraped at `/metrics`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from tierwise.errors import RequestError, TierwiseError
from tierwise.orchestrator import Orchestrator
from tierwise.types import Record

_LATENCY_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)


class Metrics:
    """Counts what records say. Labels are bounded: models, policies and outcomes, never prompts.

    With several workers the counts are kept in files that all of them share, as the environment
    variable PROMETHEUS_MULTIPROC_DIR of prometheus-client says.
    """

    def __init__(self, orchestrator: Orchestrator) -> None:
        # In multi-process mode a scrape reads the files of all workers instead of this registry.
        self._registry = CollectorRegistry()
        self._internals = _Internals(orchestrator)
        self._registry.register(self._internals)
        self._requests = Counter(
            "tierwise_requests",
            "Requests by what was asked for, who answered and how they ended.",
            ("policy", "model", "status"),
            registry=self._registry,
        )
        self._latency = Histogram(
            "tierwise_request_seconds",
            "Time from a request's arrival to the end of its answer.",
            buckets=_LATENCY_S,
            registry=self._registry,
        )
        self._cost = Counter(
            "tierwise_cost_usd", "USD spent, all attempts billed.", registry=self._registry
        )
        self._reference = Counter(
            "tierwise_reference_cost_usd",
            "USD that the reference model would have cost.",
            registry=self._registry,
        )
        self._attempts = Counter(
            "tierwise_attempts",
            "Calls to deployments by outcome.",
            ("deployment", "outcome"),
            registry=self._registry,
        )
        self._refused = Counter(
            "tierwise_refused",
            "Requests that were at fault themselves, by the code of the error.",
            ("code",),
            registry=self._registry,
        )
        self._passed = Counter(
            "tierwise_passed_through",
            "Calls that were passed through to a provider, by the status that it gave.",
            ("provider", "status"),
            registry=self._registry,
        )
        self._embeddings = Counter(
            "tierwise_embeddings",
            "Requests for embeddings by what was asked for and how they ended.",
            ("model", "status"),
            registry=self._registry,
        )
        self._request_children: dict[tuple[str | None, str | None, str], Counter] = {}
        self._attempt_children: dict[tuple[str, str], Counter] = {}

    def follow(self, orchestrator: Orchestrator) -> None:
        """Reads the parts of this orchestrator from now on; what was counted stays."""
        self._internals.orchestrator = orchestrator

    def observe(self, record: Record) -> None:
        """Takes in one finished request; called by the ledger's thread."""
        key = (record.decision.policy, record.model, record.status)
        child = self._request_children.get(key)
        if child is None:
            child = self._requests.labels(key[0] or "", key[1] or "", key[2])
            self._request_children[key] = child
        child.inc()
        self._latency.observe(record.latency_s)
        self._cost.inc(record.cost_usd)
        self._reference.inc(record.reference_cost_usd)
        for attempt in record.attempts:
            call = (attempt.deployment, attempt.outcome)
            counter = self._attempt_children.get(call)
            if counter is None:
                counter = self._attempt_children[call] = self._attempts.labels(*call)
            counter.inc()

    def refused(self, error: RequestError) -> None:
        """Counts a request that got this error; most of those never reach the ledger."""
        self._refused.labels(error.code or "").inc()

    def passed(self, provider: str, status: int) -> None:
        """Counts a call that was passed through."""
        self._passed.labels(provider, str(status)).inc()

    def embedded(self, model: str, error: TierwiseError | None, cost_usd: float = 0.0) -> None:
        """Counts a request for embeddings, and what it cost."""
        self._embeddings.labels(model, "ok" if error is None else type(error).__name__).inc()
        self._cost.inc(cost_usd)

    def render(self) -> bytes:
        """The text of a scrape."""
        directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if directory is None:
            return generate_latest(self._registry)
        everybodys = CollectorRegistry()
        everybodys.register(_Shared(Path(directory)))
        everybodys.register(self._internals)
        return generate_latest(everybodys)


class _Shared(Collector):
    """What all workers have counted, from their files.

    As prometheus-client's own, but for files that a worker has only just created: those are
    still empty, and would make the scrape fail.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        """The sums over all workers, also those that have ended."""
        files = [str(file) for file in self._directory.glob("*.db") if file.stat().st_size]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return merged


class _Internals(Collector):
    """What is read off the running parts at each scrape.

    A scrape reaches one of several workers and reads only that one's parts, so these samples name
    the worker: without, the counts of two would look like one that jumps.
    """

    def __init__(self, orchestrator: Orchestrator) -> None:
        self.orchestrator = orchestrator

    def collect(self) -> list[Metric]:
        """The ledger's queue, broken gates, certificates, the deployments' load, guardrails."""
        ledger = self.orchestrator.ledger
        worker = str(os.getpid())
        pending = GaugeMetricFamily(
            "tierwise_ledger_pending", "Records waiting to be written.", labels=["worker"]
        )
        pending.add_metric([worker], ledger.pending)
        dropped = CounterMetricFamily(
            "tierwise_ledger_dropped",
            "Records lost: no room in the queue, or impossible to store.",
            labels=["worker"],
        )
        dropped.add_metric([worker], ledger.dropped)
        broken = CounterMetricFamily(
            "tierwise_gate_broken",
            "Verdicts left out: the gate raised, took too long or said what is no verdict.",
            labels=["worker", "gate"],
        )
        for gate, count in self.orchestrator.checker.broken.copy().items():
            broken.add_metric([worker, gate], count)
        load = GaugeMetricFamily(
            "tierwise_deployment_in_flight", "Calls running now.", labels=["worker", "deployment"]
        )
        for name, state in self.orchestrator.health.states.items():
            load.add_metric([worker, name], state.in_flight)
        valid = GaugeMetricFamily(
            "tierwise_certificate_valid",
            "1 while the certificate of a policy holds, 0 when it is void.",
            labels=["worker", "policy"],
        )
        for name, promise in self.orchestrator.promises.all.items():
            valid.add_metric([worker, name], float(promise.void is None))
        guards = CounterMetricFamily(
            "tierwise_guardrail",
            "What guardrails did with requests and answers: noted, masked, refused, or broke.",
            labels=["worker", "guardrail", "done"],
        )
        guarded = self.orchestrator.guarded
        for (name, done), count in (guarded.rules.counts.copy() if guarded else {}).items():
            guards.add_metric([worker, name, done], count)
        return [pending, dropped, broken, load, valid, guards]
