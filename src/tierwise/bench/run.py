"""One benchmark, start to end: start everything, take turns, read the kernel's figures."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from sqlalchemy import func, select

from tierwise import __version__
from tierwise.bench.gateway import KEY, Gateway, serving
from tierwise.bench.load import Load, Wrk
from tierwise.bench.nginx import STREAM, WHOLE, Nginx
from tierwise.bench.process import cores, cpu_model, cpu_seconds, resident_mb
from tierwise.bench.programs import free_ports
from tierwise.bench.report import Machine, Result, Round, Sample, summarise
from tierwise.bench.traffic import PATH
from tierwise.ledger.reading import reading
from tierwise.ledger.tables import requests

WHOLE_CONNECTIONS = 32
STREAM_CONNECTIONS = 8
"""Few enough that chunks arrive one or a few at a time, as from a model. With many more a proxy
finds most of a burst at each read, and what is measured is copying."""
WARM_UP_S = 1
SETTLE_S = 1.0
"""After its start the gateway still reads the certificate authorities; then it is idle."""

Say = Callable[[str], None]
"""Is told what happens now, before each step."""


class Options(Struct, frozen=True):
    """How long to measure: so many rounds, in which each run takes so many seconds."""

    seconds: int = 2
    rounds: int = 5
    starts: int = 3

    @property
    def steps(self) -> int:
        """How often `run` says what it does."""
        return self.starts + 1 + 7 * self.rounds


class _Ground(Struct, frozen=True):
    """Everything that runs while measuring. Addresses are URLs without the path of a chat."""

    wrk: Wrk
    gateway: Gateway
    proxy_pid: int
    proxy: str
    upstream: str
    seconds: int
    say: Say


def run(options: Options, say: Say = lambda _: None) -> Result:
    """Measures on this machine.

    Raises:
        MissingProgram: nginx or wrk is not installed.
        BenchError: something did not start, or answered with errors.
    """
    gateway_core, load_core = cores()
    with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as name:
        home = Path(name)
        nginx = Nginx(home)
        wrk = Wrk(home, key=KEY, core=load_core)
        upstream, proxy, port = free_ports(3)
        with (
            nginx.upstream(upstream, core=load_core),
            nginx.proxy(proxy, upstream, core=gateway_core) as proxy_pid,
        ):
            starts = [
                _start_s(home, port, upstream, gateway_core, say) for _ in range(options.starts - 1)
            ]
            say("starting the gateway")
            with serving(home, port, upstream, core=gateway_core) as gateway:
                starts.append(gateway.start_s)
                time.sleep(SETTLE_S)
                rss_idle = resident_mb(gateway.pid)
                ground = _Ground(
                    wrk, gateway, proxy_pid, f"http://127.0.0.1:{proxy}",
                    f"http://127.0.0.1:{upstream}", options.seconds, say,
                )  # fmt: skip
                gateway.check()
                _warm_up(ground)
                rounds = [_round(ground, number) for number in range(1, options.rounds + 1)]
                rss_end = resident_mb(gateway.pid)
                dropped = gateway.ledger().dropped
        return summarise(
            rounds,
            starts_s=starts,
            rss_idle_mb=rss_idle,
            rss_end_mb=rss_end,
            ledger_records=_ledger_records(home),
            ledger_dropped=dropped,
            seconds=options.seconds,
            machine=_machine(nginx, pinned=gateway_core is not None),
        )


def _start_s(home: Path, port: int, upstream: int, core: int | None, say: Say) -> float:
    say("starting the gateway")
    with serving(home, port, upstream, core=core) as gateway:
        return gateway.start_s


def _warm_up(ground: _Ground) -> None:
    """Lets the gateway open its connections and fill its caches; nginx has none to fill."""
    ground.say("warming up")
    for stream in (False, True):
        ground.wrk.run(
            _url(ground, None, stream=stream),
            stream=stream,
            connections=STREAM_CONNECTIONS,
            seconds=WARM_UP_S,
        )


def _round(ground: _Ground, number: int) -> Round:
    """nginx and the gateway by turns, so that both meet the same weather."""

    def say(what: str) -> None:
        ground.say(f"round {number}: {what}")

    say("latency of the upstream")
    upstream_one = _one(ground, ground.upstream)
    say("latency through nginx")
    nginx_one = _one(ground, ground.proxy)
    say("latency through the gateway")
    gateway_one = _one(ground, None)
    say("whole answers through nginx")
    nginx_whole = _loaded(ground, ground.proxy, stream=False)
    say("whole answers through the gateway")
    gateway_whole = _loaded(ground, None, stream=False)
    say("streams through nginx")
    nginx_stream = _loaded(ground, ground.proxy, stream=True)
    say("streams through the gateway")
    gateway_stream = _loaded(ground, None, stream=True)
    return Round(
        upstream_one, nginx_one, gateway_one,
        nginx_whole, gateway_whole, nginx_stream, gateway_stream,
    )  # fmt: skip


def _one(ground: _Ground, address: str | None) -> Load:
    """One request at a time."""
    url = _url(ground, address, stream=False)
    seconds = max(1, ground.seconds // 2)
    return ground.wrk.run(url, stream=False, connections=1, seconds=seconds)


def _loaded(ground: _Ground, address: str | None, *, stream: bool) -> Sample:
    """As many requests as there is time for, and the CPU time that they cost.

    The gateway's time includes what its ledger writes afterwards.
    """
    pid = ground.gateway.pid if address is None else ground.proxy_pid
    ground.gateway.drain()
    before = cpu_seconds(pid)
    load = ground.wrk.run(
        _url(ground, address, stream=stream),
        stream=stream,
        connections=STREAM_CONNECTIONS if stream else WHOLE_CONNECTIONS,
        seconds=ground.seconds,
    )
    ground.gateway.drain()
    return Sample(load, cpu_seconds(pid) - before)


def _url(ground: _Ground, address: str | None, *, stream: bool) -> str:
    """Where to send requests: by nginx's or the upstream's address, or to the gateway if None."""
    if address is None:
        return f"http://127.0.0.1:{ground.gateway.port}{PATH}"
    return f"{address}{STREAM if stream else WHOLE}{PATH}"


def _ledger_records(home: Path) -> int:
    with reading(home / "ledger.db") as connection:
        return connection.scalar(select(func.count()).select_from(requests)) or 0


def _machine(nginx: Nginx, *, pinned: bool) -> Machine:
    return Machine(
        date=time.strftime("%Y-%m-%d"),
        cpu=cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        pinned=pinned,
        tierwise=__version__,
        python=platform.python_version(),
        nginx=nginx.version(),
    )
