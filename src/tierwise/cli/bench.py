"""`tierwise bench`: the gateway's overhead, what decisions, gates, dialects and held streams cost,
and what stays of quality in a peak."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

import typer

from tierwise.cli.configuration import JsonOption
from tierwise.cli.printing import print_json
from tierwise.cli.progress import progress_by_steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from tierwise.bench.decisions import DecisionTimes

_Options = TypeVar("_Options", bound="_Steps")
_Result = TypeVar("_Result")


class _Steps(Protocol):
    """Options of a benchmark, which know how often it says what it does."""

    @property
    def steps(self) -> int: ...


def command(
    as_json: JsonOption = False,
    seconds: Annotated[
        int, typer.Option(help="Length of each of the runs, in seconds.", min=1, max=60)
    ] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="One round of short runs.")] = False,
    holding: Annotated[
        bool, typer.Option("--holding", help="What clients wait for when streams are held back.")
    ] = False,
    requests: Annotated[
        int, typer.Option(help="For --holding: streams of each kind.", min=10, max=10_000)
    ] = 200,
    gates: Annotated[
        bool, typer.Option("--gates", help="What CPU it takes to judge an answer of 2 kB.")
    ] = False,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="What a routing decision takes.")
    ] = False,
    dialects: Annotated[
        bool, typer.Option("--dialects", help="What clients and providers of each dialect cost.")
    ] = False,
    translation: Annotated[
        bool, typer.Option("--translation", help="What translation between dialects takes alone.")
    ] = False,
    observed: Annotated[
        bool, typer.Option("--observed", help="What traces, metrics and a log of each cost.")
    ] = False,
    peak: Annotated[
        bool, typer.Option("--peak", help="What stays of quality when the best model is full.")
    ] = False,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="How long reports and pages of a large ledger take.")
    ] = False,
    rows: Annotated[
        int, typer.Option(help="For --ledger: requests in it.", min=1000, max=100_000_000)
    ] = 10_000_000,
    url: Annotated[
        str | None,
        typer.Option(help="For --ledger: an empty PostgreSQL database, or one filled by this."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="For --ledger: a folder for the database, to measure it again."),
    ] = None,
    outcomes: Annotated[
        Path | None,
        typer.Option(help="For --peak: recorded outcomes of real models; default: simulated."),
    ] = None,
) -> None:
    """Measure the gateway's overhead. Needs nginx and wrk; takes a minute and two cores.

    With --holding: what it costs in time to the first token that gates see an answer first, on a
    simulated fleet. Needs nothing else and takes two minutes. With --gates: what CPU gates and the
    learned scorer take. Needs nothing else and takes a few seconds. With --decisions: how long a
    routing decision takes, the analysis of the prompt included. With --dialects: what CPU the
    gateway takes for clients of each dialect before providers of each. Takes two minutes. With
    --translation: what of that is translation, without any gateway. Takes ten seconds. With
    --observed: what CPU it takes to tell of every request by traces, metrics and the log. With
    --peak: how good answers are when three times as many want the best model as it can take. Takes
    six minutes and two cores. With --ledger: how long a report and every page of the dashboard
    take over ten million requests in PostgreSQL. Takes twenty minutes and 12 GB of disk.
    """
    if holding + gates + decisions + dialects + translation + observed + peak + ledger > 1:
        raise typer.BadParameter(
            "--holding, --gates, --decisions, --dialects, --translation, --observed, --peak and "
            "--ledger are measured one at a time"
        )
    if outcomes is not None and not peak:
        raise typer.BadParameter("--outcomes is for --peak")
    if ledger:
        _ledger(rows, url, keep, as_json)
    elif peak:
        _peak(outcomes, quick, as_json)
    elif holding:
        _holding(requests, as_json)
    elif gates:
        _gates(as_json)
    elif decisions:
        _decisions(50 if quick else 500, as_json)
    elif dialects:
        _dialects(quick, as_json)
    elif translation:
        _translation(quick, as_json)
    elif observed:
        _observed(seconds, quick, as_json)
    else:
        _overhead(1 if quick else seconds, quick, as_json)


def _overhead(seconds: int, quick: bool, as_json: bool) -> None:
    from tierwise.bench import Options, run
    from tierwise.cli.bench_view import show

    options = Options(seconds=1, rounds=1, starts=1) if quick else Options(seconds=seconds)
    _play(run, options, show, as_json)


def _holding(requests: int, as_json: bool) -> None:
    from tierwise.bench.holding import Options, run
    from tierwise.cli.bench_holding import show

    options = Options(requests=requests)
    _play(run, options, show, as_json)


def _peak(outcomes: Path | None, quick: bool, as_json: bool) -> None:
    from tierwise.bench.peak import SHORT, Options, run
    from tierwise.cli.bench_peak import show

    options = Options(outcomes=outcomes)
    if quick:
        options = Options(outcomes=outcomes, phases=SHORT)
    _play(run, options, show, as_json)


def _gates(as_json: bool) -> None:
    from tierwise.bench.gates import Options, run
    from tierwise.cli.bench_gates import show

    options = Options()
    _play(run, options, show, as_json)


def _dialects(quick: bool, as_json: bool) -> None:
    from tierwise.bench.dialects import Options, run
    from tierwise.cli.bench_dialects import show

    options = Options(requests=200, streams=40, rounds=1) if quick else Options()
    _play(run, options, show, as_json)


def _translation(quick: bool, as_json: bool) -> None:
    from tierwise.bench.translation import Options, run
    from tierwise.cli.bench_dialects import show_translation

    options = Options(runs=5, requests=50, streams=5) if quick else Options()
    _play(run, options, show_translation, as_json)


def _observed(seconds: int, quick: bool, as_json: bool) -> None:
    from tierwise.bench.observed import Options, run
    from tierwise.cli.bench_observed import show

    options = Options(seconds=1, rounds=1) if quick else Options(seconds=seconds)
    _play(run, options, show, as_json)


def _ledger(rows: int, url: str | None, keep: Path | None, as_json: bool) -> None:
    import tempfile
    from contextlib import nullcontext

    from tierwise.bench import ledger
    from tierwise.cli.bench_ledger import show

    temporary = tempfile.TemporaryDirectory(prefix="tierwise-bench-")
    with (
        temporary if keep is None else nullcontext(str(keep)) as folder,
        nullcontext(url) if url is not None else ledger.server(Path(folder)) as place,
    ):
        times = ledger.measure(place, rows, lambda what: typer.echo(what, err=True))
    _tell(times, show, as_json)


def _decisions(prompts: int, as_json: bool) -> None:
    from tierwise.bench.decisions import time_decisions

    _tell(time_decisions(prompts), _show_decisions, as_json)


def _show_decisions(times: DecisionTimes) -> None:
    typer.echo(
        f"a decision takes {times.p50_us:.0f} µs (p50), {times.p99_us:.0f} µs (p99): "
        f"{times.prompts} prompts of 2 kB, {times.models} candidates\n"
        f"the first one, which loads the router, took {times.first_ms:.0f} ms\n"
        f"{times.cpu}, one core, load {times.load:g}; Tierwise {times.tierwise}"
    )


def _play(
    run: Callable[[_Options, Callable[[str], None]], _Result],
    options: _Options,
    show: Callable[[_Result], None],
    as_json: bool,
) -> None:
    """Runs a benchmark under a progress bar, and tells what came of it."""
    with progress_by_steps(options.steps) as say:
        result = run(options, say)
    _tell(result, show, as_json)


def _tell(result: _Result, show: Callable[[_Result], None], as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        show(result)
