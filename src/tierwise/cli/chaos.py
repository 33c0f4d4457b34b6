"""`tierwise chaos`: outages on a fleet, and what the gateway's clients saw of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import JsonOption

if TYPE_CHECKING:
    from tierwise.chaos import Options

WIDTH = 100
"""Columns of the page where there is no terminal."""


def command(
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="One outage, may be given again; default: all of them."),
    ] = None,
    requests: Annotated[
        int, typer.Option(help="Requests of each scenario.", min=20, max=100_000)
    ] = 500,
    outcomes: Annotated[
        Path | None,
        typer.Option(help="Recorded outcomes of real models; default: a simulated fleet."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another workload.")] = 0,
    speed: Annotated[
        float, typer.Option(help="Latency of the models: 1 is lifelike, 0 none.", min=0)
    ] = 0.2,
    rate: Annotated[float, typer.Option(help="Requests a second.", min=1, max=1000)] = 25.0,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--soak",
            help="No outage, but so many minutes at half of what the gateway can take.",
            min=0.1,
            max=1440,
            metavar="MINUTES",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Break the fleet in many ways, and count what clients of the gateway see of it."""
    import msgspec
    from rich.console import Console
    from rich.progress import Progress

    from tierwise.chaos import Options, run
    from tierwise.cli.chaos_view import show

    options = Options(
        scenarios=tuple(scenario or ()), requests=requests, outcomes=outcomes, seed=seed,
        speed=speed, rate=rate,
    )  # fmt: skip
    if minutes is not None:
        _soak(options, minutes, as_json)
        return
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=options.steps)

        def say(what: str) -> None:
            progress.update(bar, description=what)
            progress.advance(bar)

        result = run(options, say)
    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
    else:
        out = Console()
        show(result, out if out.is_terminal else Console(width=WIDTH))
    if not result.passed:
        raise typer.Exit(1)


def _soak(options: Options, minutes: float, as_json: bool) -> None:
    import msgspec

    from tierwise.chaos.soak import soak
    from tierwise.cli.chaos_view import soaked

    found = soak(options, minutes)
    typer.echo(msgspec.json.encode(found).decode() if as_json else soaked(found))
    if found.failed or found.wrong or not found.flat:
        raise typer.Exit(1)
