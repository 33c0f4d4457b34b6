"""What it costs to be told of every request: all of it on, against none of it.

Two gateways run beside each other before the same upstream. One sends a trace of every request, and
metrics, to a collector, writes its log as JSON with a line for each request, and is scraped; the
other does none of that. They get the same load by turns.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from msgspec import Struct

from tierwise import __version__
from tierwise.bench.gateway import KEY, Gateway, config_text, started
from tierwise.bench.load import Wrk
from tierwise.bench.nginx import Nginx
from tierwise.bench.process import cores, cpu_model, cpu_seconds
from tierwise.bench.programs import BenchError, free_ports, listens, running, wait_until
from tierwise.bench.report import Sample, median_ratio
from tierwise.bench.run import SETTLE_S, STREAM_CONNECTIONS, WARM_UP_S, WHOLE_CONNECTIONS
from tierwise.bench.traffic import PATH

Say = Callable[[str], None]
_WRITTEN_S = 0.5
"""After its last request a gateway writes the rest of its log for less than so long, in seconds."""
_SENT_S = 30.0
_FIGURE = re.compile(r"^(tierwise_\w+) ([\d.e+]+)$", re.MULTILINE)


class Options(Struct, frozen=True):
    """How long each run is, in seconds, and how many rounds there are."""

    seconds: int = 2
    rounds: int = 5

    @property
    def steps(self) -> int:
        """How often `run` says what it does."""
        return 3 + 4 * self.rounds


class Observed(Struct, frozen=True, kw_only=True):
    """The figures: microseconds of CPU time with everything on (`observed`) and off (`plain`), and
    the median of the ratios of neighbouring runs. `lines` are those of the access log."""

    plain_us: float
    observed_us: float
    ratio: float
    plain_chunk_us: float
    observed_chunk_us: float
    chunk_ratio: float
    requests: int
    spans_sent: int
    spans_dropped: int
    lines: int
    rounds: int
    seconds: int
    cpu: str
    tierwise: str


def run(options: Options, say: Say = lambda _: None) -> Observed:
    """Measures on this machine.

    Raises:
        MissingProgram: nginx or wrk is not installed.
        BenchError: something did not start, or answered with errors.
    """
    core, load_core = cores()
    with tempfile.TemporaryDirectory(prefix="tierwise-bench-") as name:
        home = Path(name)
        wrk = Wrk(home, key=KEY, core=load_core)
        upstream, sink, plain_port, port = free_ports(4)
        homes = [home / "plain", home / "observed"]
        for folder in homes:
            folder.mkdir()
        config = _observed(config_text(homes[1], port, upstream), sink)
        log = home / "sink.log"
        collector = [sys.executable, "-m", "tierwise.bench.sink", str(sink)]
        say("starting the gateways")
        with (
            Nginx(home).upstream(upstream, core=load_core),
            running(collector, core=load_core, log=log, environment=dict(os.environ)) as process,
            started(
                homes[0], plain_port, config_text(homes[0], plain_port, upstream), core=core
            ) as plain,
            started(homes[1], port, config, core=core) as observed,
        ):
            wait_until(lambda: listens(sink), process, log, timeout_s=10.0)
            time.sleep(SETTLE_S)
            for gateway in (plain, observed):
                say("warming up")
                gateway.check()
                _load(wrk, gateway, stream=False, seconds=WARM_UP_S)
                _load(wrk, gateway, stream=True, seconds=WARM_UP_S)
            found: dict[tuple[bool, bool], list[Sample]] = {}
            for number in range(1, options.rounds + 1):
                for stream in (False, True):
                    for gateway in (plain, observed):
                        on = gateway is observed
                        say(f"round {number}: {'streams' if stream else 'whole answers'}")
                        one = _load(wrk, gateway, stream=stream, seconds=options.seconds)
                        found.setdefault((on, stream), []).append(one)
            figures = _figures(observed)
        return _result(found, figures, _lines(homes[1] / "gateway.log"), options)


def _observed(config: str, sink: int) -> str:
    """The configuration with everything on."""
    data = json.loads(config)
    data["server"] |= {"log_format": "json", "access_log": True}
    data["telemetry"] = {"otlp_endpoint": f"http://127.0.0.1:{sink}"}
    return json.dumps(data)


def _load(wrk: Wrk, gateway: Gateway, *, stream: bool, seconds: int) -> Sample:
    """As many requests as there is time for, and the CPU time that they cost, with what is written
    and sent afterwards, and a scrape."""
    _over(gateway)
    before = cpu_seconds(gateway.pid)
    load = wrk.run(
        f"http://127.0.0.1:{gateway.port}{PATH}",
        stream=stream,
        connections=STREAM_CONNECTIONS if stream else WHOLE_CONNECTIONS,
        seconds=seconds,
    )
    _over(gateway)
    return Sample(load, cpu_seconds(gateway.pid) - before)


def _over(gateway: Gateway) -> None:
    """Waits until all of what there was to write and to send is written and sent."""
    gateway.drain()
    time.sleep(_WRITTEN_S)
    give_up = time.monotonic() + _SENT_S
    while _figures(gateway).get("tierwise_spans_waiting", 0):
        if time.monotonic() > give_up:
            raise BenchError(f"the spans were not sent within {_SENT_S:g} s")
        time.sleep(0.2)


def _figures(gateway: Gateway) -> dict[str, float]:
    """The metrics without labels."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    try:
        connection.request("GET", "/metrics", headers={"authorization": f"Bearer {KEY}"})
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return {name: float(value) for name, value in _FIGURE.findall(text)}


def _lines(log: Path) -> int:
    with log.open("rb") as file:
        return sum(b'"tierwise.access"' in line for line in file)


def _result(
    found: dict[tuple[bool, bool], list[Sample]],
    figures: dict[str, float],
    lines: int,
    options: Options,
) -> Observed:
    def us(on: bool, stream: bool) -> list[float]:
        return [s.chunk_us if stream else s.cpu_us for s in found[on, stream]]

    return Observed(
        plain_us=round(median(us(False, False)), 1),
        observed_us=round(median(us(True, False)), 1),
        ratio=round(median_ratio(us(True, False), us(False, False)), 2),
        plain_chunk_us=round(median(us(False, True)), 2),
        observed_chunk_us=round(median(us(True, True)), 2),
        chunk_ratio=round(median_ratio(us(True, True), us(False, True)), 2),
        requests=sum(s.load.requests for stream in (False, True) for s in found[True, stream]),
        spans_sent=int(figures.get("tierwise_spans_sent_total", 0)),
        spans_dropped=int(figures.get("tierwise_spans_dropped_total", 0)),
        lines=lines,
        rounds=options.rounds,
        seconds=options.seconds,
        cpu=cpu_model(),
        tierwise=__version__,
    )
