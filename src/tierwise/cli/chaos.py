"""`tierwise chaos`: outages on a fleet, and what the gateway's clients saw of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tierwise.cli.configuration import JsonOption
from tierwise.cli.printing import print_json
from tierwise.cli.progress import progress_by_steps

if TYPE_CHECKING:
    from rich.console import Console

    from tierwise.chaos import Options, Result
    from tierwise.chaos.replicas import ReplicasOptions, ReplicasResult

R = TypeVar("R", "Result", "ReplicasResult")

WIDTH = 100
"""Columns of the page where there is no terminal."""


def command(
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="One outage, may be given again; default: all of them."),
    ] = None,
    requests: Annotated[
        int | None,
        typer.Option(
            help="Requests of each scenario; default: 500, with --replicas 20,000.",
            min=20,
            max=1_000_000,
            show_default=False,
        ),
    ] = None,
    outcomes: Annotated[
        Path | None,
        typer.Option(help="Recorded outcomes of real models; default: a simulated fleet."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another workload.")] = 0,
    speed: Annotated[
        float | None,
        typer.Option(
            help="Latency of the models: 1 is lifelike, 0 none; default: 0.2, with --replicas "
            "0.05.",
            min=0,
            show_default=False,
        ),
    ] = None,
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
    replicas: Annotated[
        bool,
        typer.Option(
            "--replicas",
            help="Two replicas and a hard budget; Redis, PostgreSQL and a replica are killed "
            "(scenarios budget, redis, postgres, replica).",
        ),
    ] = False,
    clients: Annotated[
        int, typer.Option(help="With --replicas: requests at a time.", min=1, max=1000)
    ] = 32,
    database: Annotated[
        str | None,
        typer.Option(
            help="With --replicas: the URL of a PostgreSQL database; default: start one.",
            envvar="TIERWISE_CHAOS_DATABASE",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Break the fleet in many ways, and count what clients of the gateway see of it."""
    from tierwise.chaos import Options, run
    from tierwise.cli.chaos_view import show

    if replicas:
        from tierwise.chaos.replicas import ReplicasOptions

        shared = ReplicasOptions(
            parts=tuple(scenario or ()), requests=requests or 20_000, clients=clients,
            database=database, outcomes=outcomes, seed=seed, speed=0.05 if speed is None else speed,
        )  # fmt: skip
        _replicas(shared, as_json)
        return
    options = Options(
        scenarios=tuple(scenario or ()), requests=requests or 500, outcomes=outcomes, seed=seed,
        speed=0.2 if speed is None else speed, rate=rate,
    )  # fmt: skip
    if minutes is not None:
        _soak(options, minutes, as_json)
        return
    _play(options.steps, lambda say: run(options, say), show, as_json)


def _replicas(options: ReplicasOptions, as_json: bool) -> None:
    from tierwise.chaos.replicas import run
    from tierwise.cli.chaos_replicas_view import show

    _play(options.steps, lambda say: run(options, say), show, as_json)


def _play(
    steps: int,
    run: Callable[[Callable[[str], None]], R],
    show: Callable[[R, Console], None],
    as_json: bool,
) -> None:
    """Runs it with a bar for its steps, and shows what came of it."""
    from rich.console import Console

    with progress_by_steps(steps) as say:
        result = run(say)
    if as_json:
        print_json(result)
    else:
        console = Console()
        show(result, console if console.is_terminal else Console(width=WIDTH))
    if not result.passed:
        raise typer.Exit(1)


def _soak(options: Options, minutes: float, as_json: bool) -> None:
    from tierwise.chaos.soak import soak
    from tierwise.cli.chaos_view import soaked

    found = soak(options, minutes)
    if as_json:
        print_json(found)
    else:
        typer.echo(soaked(found))
    if found.failed or found.wrong or not found.flat:
        raise typer.Exit(1)
