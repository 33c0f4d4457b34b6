"""How the running parts are: what is read of them for every scrape."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import get_args

from tierwise.orchestrator import Orchestrator
from tierwise.server.counted import Sample
from tierwise.server.exposition import sample
from tierwise.state.status import Standing

_STARTED = time.time()
_STANDINGS: tuple[str, ...] = get_args(Standing)
_STATM = Path("/proc/self/statm")
_FDS = Path("/proc/self/fd")


def of_parts(orchestrator: Orchestrator) -> Iterator[Sample]:
    """The ledger's queue, gates, guardrails, certificates, deployments and shadow prices."""
    ledger = orchestrator.ledger
    yield sample("tierwise_ledger_written", ledger.written)
    yield sample("tierwise_ledger_pending", ledger.pending)
    yield sample("tierwise_ledger_dropped", ledger.dropped)
    for gate, count in orchestrator.checker.broken.copy().items():
        yield sample("tierwise_gate_broken", count, gate)
    if orchestrator.guarded is not None:
        for (guardrail, done), count in orchestrator.guarded.rules.counts.copy().items():
            yield sample("tierwise_guardrail", count, guardrail, done)
    for policy, promise in orchestrator.promises.all.items():
        yield sample("tierwise_certificate_valid", promise.void is None, policy)
    for status in orchestrator.health.snapshot():
        yield sample("tierwise_deployment_in_flight", status.in_flight, status.id)
        for standing in _STANDINGS:
            here = status.state == standing
            yield sample("tierwise_deployment_state", here, status.id, standing)
    prices = orchestrator.health.scarcity.prices
    for model in orchestrator.setup.models:
        yield sample("tierwise_shadow_price", prices.get(model, 0.0), model)


def of_process() -> Iterator[Sample]:
    """What runs, and what it takes."""
    yield sample("tierwise_workers", 1)
    yield sample("tierwise_build_info", 1, version("tierwise"), platform.python_version())
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield sample("process_cpu_seconds", used.ru_utime + used.ru_stime)
    yield sample("process_start_time_seconds", _STARTED)
    try:
        pages = int(_STATM.read_text().split()[1])
        yield sample("process_resident_memory_bytes", pages * os.sysconf("SC_PAGE_SIZE"))
        yield sample("process_open_fds", len(os.listdir(_FDS)))  # noqa: PTH208 - only how many
    except (OSError, ValueError):
        return  # only Linux has these
