"""`tierwise bench`: the gateway's overhead, against nginx as a plain proxy, and decision times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import JsonOption

if TYPE_CHECKING:
    from tierwise.bench import Options, Result


def command(
    as_json: JsonOption = False,
    seconds: Annotated[
        int, typer.Option(help="Length of each of the runs, in seconds.", min=1, max=60)
    ] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="One round of short runs.")] = False,
    decisions: Annotated[
        bool,
        typer.Option("--decisions", help="Time routing decisions instead, without nginx and wrk."),
    ] = False,
) -> None:
    """Measure the gateway's overhead. Needs nginx and wrk; takes a minute and two cores."""
    import msgspec

    if decisions:
        _decisions(as_json, prompts=50 if quick else 500)
        return
    from tierwise.bench import Options

    options = Options(seconds=1, rounds=1, starts=1) if quick else Options(seconds=seconds)
    result = _measured(options)
    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
    else:
        from tierwise.cli.bench_view import show

        show(result)


def _decisions(as_json: bool, prompts: int) -> None:
    import msgspec

    from tierwise.bench.decisions import time_decisions

    times = time_decisions(prompts)
    if as_json:
        typer.echo(msgspec.json.encode(times).decode())
    else:
        typer.echo(
            f"a decision takes {times.p50_us:.0f} µs (p50), {times.p99_us:.0f} µs (p99): "
            f"{times.prompts} prompts of 2 kB, {times.models} candidates\n"
            f"the first one, which loads the router, took {times.first_ms:.0f} ms\n"
            f"{times.cpu}, one core, load {times.load:g}; Tierwise {times.tierwise}"
        )


def _measured(options: Options) -> Result:
    """Runs the benchmark under a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import Progress

    from tierwise.bench import run

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=options.steps)

        def say(what: str) -> None:
            progress.update(bar, description=what)
            progress.advance(bar)

        return run(options, say)
