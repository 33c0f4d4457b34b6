"""From what programs and the kernel print to the figures that are reported."""

from __future__ import annotations

import json
import os

import msgspec
import pytest

from tierwise.bench.load import Load, parse_load
from tierwise.bench.process import (
    cpu_seconds,
    parse_cpu_model,
    parse_cpu_seconds,
    parse_resident_mb,
    resident_mb,
)
from tierwise.bench.programs import BenchError
from tierwise.bench.report import (
    Latency,
    Machine,
    Result,
    Round,
    Sample,
    added_latency,
    median_ratio,
    summarise,
)
from tierwise.cli.bench_view import show, warnings

MACHINE = Machine(
    date="2026-01-01", cpu="A CPU", cores=2, pinned=True, tierwise="1", python="3", nginx="1"
)


def a_load(requests: int = 1000, p50: float = 1.0, p99: float = 2.0) -> Load:
    return Load(requests, 2.0, 0, p50, p99)


def a_sample(cpu_s: float, requests: int = 1000) -> Sample:
    return Sample(a_load(requests), cpu_s)


def a_round(*, whole_s: float = 0.1, nginx_s: float = 0.01) -> Round:
    """A round of 1,000 requests a run, by the CPU seconds that they cost."""
    return Round(
        upstream_one=a_load(p50=0.1, p99=0.2),
        nginx_one=a_load(p50=0.2, p99=0.4),
        gateway_one=a_load(p50=0.4, p99=0.9),
        nginx_whole=a_sample(nginx_s),
        gateway_whole=a_sample(whole_s),
        nginx_stream=a_sample(0.102),
        gateway_stream=a_sample(0.255),
    )


def a_result(*rounds: Round, machine: Machine = MACHINE) -> Result:
    return summarise(
        rounds or [a_round()] * 3,
        starts_s=[0.5, 0.3, 0.4],
        rss_idle_mb=50.04,
        rss_end_mb=60.06,
        ledger_records=9000,
        ledger_dropped=0,
        seconds=2,
        machine=machine,
    )


def test_cpu_time_is_that_of_user_and_kernel_mode_whatever_the_program_is_called() -> None:
    stat = "42 (a (strange) name) S 1 42 42 0 -1 4194560 900 0 3 0 150 50 7 8 20 0 9 0 100 1 2"
    assert parse_cpu_seconds(stat, ticks_per_s=100) == 2.0


def test_memory_is_what_is_resident() -> None:
    assert parse_resident_mb("Name:\tx\nVmSize:\t  900000 kB\nVmRSS:\t   62500 kB\n") == 64.0


def test_a_process_of_this_machine_can_be_read() -> None:
    assert cpu_seconds(os.getpid()) > 0
    assert resident_mb(os.getpid()) > 1


def test_the_processor_is_named_where_the_kernel_knows_its_name() -> None:
    assert parse_cpu_model("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\n") == "A CPU @ 2 GHz"
    assert parse_cpu_model("processor\t: 0\nBogoMIPS\t: 50\n") is None


def test_the_load_generators_figures_are_found_among_what_else_it_prints() -> None:
    told = (
        "Running 1s test\n  1 threads\n\nRESULT "
        '{"requests":7,"seconds":1.5,"failed":1,"p50_ms":0.25,"p99_ms":4}\nbye\n'
    )
    assert parse_load(told) == Load(7, 1.5, 1, 0.25, 4.0)


def test_a_load_generator_without_figures_is_an_error_that_quotes_it() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        parse_load("unable to connect to 127.0.0.1")


def test_a_ratio_is_of_neighbours_so_that_a_slow_round_does_not_change_it() -> None:
    assert median_ratio([10.0, 60.0, 12.0], [2.0, 12.0, 2.0]) == 5.0


def test_added_latency_is_what_comes_on_top_of_the_upstreams() -> None:
    through = [a_load(p50=0.5, p99=3.0), a_load(p50=0.7, p99=2.0), a_load(p50=0.6, p99=9.0)]
    direct = [a_load(p50=0.1, p99=1.0)] * 3
    assert added_latency(through, direct) == Latency(p50=0.5, p99=2.0)


def test_latency_that_comes_out_below_the_upstreams_is_noise_and_not_a_figure() -> None:
    through = [a_load(p50=0.5, p99=3.0)]
    assert added_latency(through, [a_load(p50=0.1, p99=3.5)]) == Latency(p50=0.4, p99=None)
    assert added_latency(through, [a_load(p50=0.6, p99=3.0)]) == Latency(p50=None, p99=0.0)


def test_latency_in_the_noise_is_shown_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    noisy = msgspec.structs.replace(a_round(), upstream_one=a_load(p50=0.1, p99=0.5))
    show(a_result(noisy))
    (shown,) = (line for line in capsys.readouterr().out.splitlines() if "p99 ms" in line)
    assert "0.40" in shown
    assert "in the noise" in shown


def test_figures_are_medians_of_the_rounds() -> None:
    result = a_result(a_round(whole_s=0.1), a_round(whole_s=0.9, nginx_s=0.09), a_round())
    assert result.cpu_us_per_request == 100.0
    assert result.cpu_ratio_nginx == 10.0
    assert result.chunk_us == 5.0
    assert result.nginx_chunk_us == 2.0
    assert result.chunk_ratio_nginx == 2.5
    assert result.rps == 500
    assert result.gateway_busy == 0.05
    assert (result.start_s, result.rss_idle_mb, result.rss_end_mb) == (0.4, 50.0, 60.1)
    assert result.added_latency_ms == Latency(p50=0.3, p99=0.7)
    assert result.requests == 9000
    assert result.rounds == 3


def test_the_json_has_the_promised_keys() -> None:
    keys = set(json.loads(msgspec.json.encode(a_result())))
    assert keys >= {
        "cpu_us_per_request",
        "cpu_ratio_nginx",
        "chunk_us",
        "chunk_ratio_nginx",
        "rps",
        "start_s",
        "rss_idle_mb",
        "rss_end_mb",
    }


def test_people_are_told_what_the_figures_are_worth() -> None:
    quiet = a_round(whole_s=1.9)
    assert warnings(a_result(quiet, quiet, quiet)) == []
    alone = msgspec.structs.replace(MACHINE, pinned=False)
    assert any("one core" in line for line in warnings(a_result(quiet, machine=alone)))
    assert any("busy only 5%" in line for line in warnings(a_result()))
    assert any("One short round" in line for line in warnings(a_result(quiet)))
