"""`tierwise demo`: the whole system on a fleet, with a provider killed on the way."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tierwise.cli.configuration import JsonOption
from tierwise.cli.printing import print_json


def command(
    outcomes: Annotated[
        Path | None,
        typer.Option(help="Recorded outcomes of real models; default: a simulated fleet."),
    ] = None,
    learn: Annotated[
        bool,
        typer.Option("--learn", help="Train a router first, on prompts that are not asked."),
    ] = False,
    requests: Annotated[int, typer.Option(help="How many requests.", min=10, max=100_000)] = 400,
    policy: Annotated[str, typer.Option("--policy", "-p", help="Policy or model.")] = "auto",
    seed: Annotated[int, typer.Option(help="Another seed, another workload.")] = 0,
    speed: Annotated[
        float, typer.Option(help="Latency of the models: 1 is lifelike, 0 none.", min=0)
    ] = 0.1,
    concurrency: Annotated[int, typer.Option(help="Requests at a time.", min=1, max=256)] = 16,
    stay: Annotated[
        bool | None,
        typer.Option(
            "--stay/--no-stay",
            help="Keep the gateway running afterwards, to look at its dashboard. "
            "Default: in a terminal.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the fleet, the gateway and a workload over HTTP; kill a provider in the middle."""
    from rich.console import Console

    from tierwise.demo import Options, run
    from tierwise.demo.view import LiveView, show

    options = Options(
        outcomes=outcomes, learn=learn, requests=requests, policy=policy, seed=seed, speed=speed,
        concurrency=concurrency, stay=stay if stay is not None else _watched() and not as_json,
    )  # fmt: skip
    # The live view goes to stderr, so that stdout is the result alone.
    with LiveView(Console(stderr=True)) as view:
        result = run(options, view)
    if as_json:
        print_json(result)
    else:
        show(result, Console())
    if result.failed:
        raise typer.Exit(1)


def _watched() -> bool:
    """Whether somebody looks on, who can press Ctrl-C."""
    return sys.stdin.isatty() and sys.stdout.isatty()
