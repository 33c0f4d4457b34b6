"""From single runs to the figures that are reported: medians, and ratios of neighbours."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from msgspec import Struct

from tierwise.bench.load import Load
from tierwise.bench.traffic import EVENTS


class Sample(Struct, frozen=True):
    """One run against one server, and the CPU time that the server used in it, in seconds."""

    load: Load
    cpu_s: float

    @property
    def cpu_us(self) -> float:
        """CPU time of the server for each request, in microseconds."""
        return self.cpu_s / self.load.requests * 1e6

    @property
    def chunk_us(self) -> float:
        """The same for each event of a stream."""
        return self.cpu_us / EVENTS

    @property
    def rps(self) -> float:
        """Requests a second."""
        return self.load.requests / self.load.seconds

    @property
    def busy(self) -> float:
        """How much of one core the server used, as a fraction."""
        return self.cpu_s / self.load.seconds


class Round(Struct, frozen=True):
    """Every kind of run once, one right after the other.

    The runs named `one` have one connection only: what they take is latency, not queueing.
    """

    upstream_one: Load
    nginx_one: Load
    gateway_one: Load
    nginx_whole: Sample
    gateway_whole: Sample
    nginx_stream: Sample
    gateway_stream: Sample


class Latency(Struct, frozen=True):
    """Milliseconds on top of the upstream's own, at one request at a time.

    None where the difference came out below 0: the machine's noise was more than what was added.
    """

    p50: float | None
    p99: float | None


class Machine(Struct, frozen=True):
    """What was measured on, and with what. `pinned` says that the gateway had a core to itself."""

    date: str
    cpu: str
    cores: int
    pinned: bool
    tierwise: str
    python: str
    nginx: str


class Result(Struct, frozen=True, kw_only=True):
    """The figures of a benchmark.

    `cpu_us_per_request` and `chunk_us` are microseconds of CPU time, ratios are to nginx's of the
    same run, `rps` is requests a second on one core, `gateway_busy` the part of that core that was
    used meanwhile (well under 1: the load generator was the limit). Memory in MB.
    """

    cpu_us_per_request: float
    cpu_ratio_nginx: float
    chunk_us: float
    chunk_ratio_nginx: float
    rps: float
    start_s: float
    rss_idle_mb: float
    rss_end_mb: float
    added_latency_ms: Latency
    nginx_added_latency_ms: Latency
    nginx_cpu_us_per_request: float
    nginx_chunk_us: float
    nginx_rps: float
    gateway_busy: float
    requests: int
    ledger_records: int
    ledger_dropped: int
    rounds: int
    seconds: int
    machine: Machine


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of neighbouring runs, which noise that lasts cannot change."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def added_latency(through: Sequence[Load], direct: Sequence[Load]) -> Latency:
    """What a server in the middle adds, by medians."""

    def added(ours: list[float], theirs: list[float]) -> float | None:
        more = round(statistics.median(ours) - statistics.median(theirs), 3)
        return None if more < 0 else more

    return Latency(
        p50=added([load.p50_ms for load in through], [load.p50_ms for load in direct]),
        p99=added([load.p99_ms for load in through], [load.p99_ms for load in direct]),
    )


def summarise(
    rounds: Sequence[Round],
    *,
    starts_s: Sequence[float],
    rss_idle_mb: float,
    rss_end_mb: float,
    ledger_records: int,
    ledger_dropped: int,
    seconds: int,
    machine: Machine,
) -> Result:
    """The figures of some rounds."""
    median = statistics.median
    whole = [one.gateway_whole for one in rounds]
    nginx_whole = [one.nginx_whole for one in rounds]
    stream = [one.gateway_stream for one in rounds]
    nginx_stream = [one.nginx_stream for one in rounds]
    direct = [one.upstream_one for one in rounds]
    return Result(
        cpu_us_per_request=round(median(s.cpu_us for s in whole), 1),
        cpu_ratio_nginx=round(
            median_ratio([s.cpu_us for s in whole], [s.cpu_us for s in nginx_whole]), 2
        ),
        chunk_us=round(median(s.chunk_us for s in stream), 2),
        chunk_ratio_nginx=round(
            median_ratio([s.cpu_us for s in stream], [s.cpu_us for s in nginx_stream]), 2
        ),
        rps=round(median(s.rps for s in whole)),
        start_s=round(median(starts_s), 3),
        rss_idle_mb=round(rss_idle_mb, 1),
        rss_end_mb=round(rss_end_mb, 1),
        added_latency_ms=added_latency([one.gateway_one for one in rounds], direct),
        nginx_added_latency_ms=added_latency([one.nginx_one for one in rounds], direct),
        nginx_cpu_us_per_request=round(median(s.cpu_us for s in nginx_whole), 1),
        nginx_chunk_us=round(median(s.chunk_us for s in nginx_stream), 2),
        nginx_rps=round(median(s.rps for s in nginx_whole)),
        gateway_busy=round(median(s.busy for s in whole), 2),
        requests=sum(
            one.gateway_one.requests
            + one.gateway_whole.load.requests
            + one.gateway_stream.load.requests
            for one in rounds
        ),
        ledger_records=ledger_records,
        ledger_dropped=ledger_dropped,
        rounds=len(rounds),
        seconds=seconds,
        machine=machine,
    )
