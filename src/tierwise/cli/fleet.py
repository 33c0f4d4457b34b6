"""`tierwise fleet`: providers to try things on, by recorded or simulated answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    outcomes: Annotated[
        Path | None, typer.Option(help="Recorded outcomes; default: simulated.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where the providers listen.")] = "127.0.0.1",
    base_port: Annotated[int, typer.Option(help="First port; 0 takes free ones.")] = 9401,
    seed: Annotated[int, typer.Option()] = 0,
    speed: Annotated[float, typer.Option(help="1 is lifelike, 0 answers at once.", min=0)] = 1.0,
    write_config: Annotated[
        Path | None, typer.Option(help="Write a configuration that points to the fleet.")
    ] = None,
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", help="End when standard input ends.")
    ] = False,
) -> None:
    """Start HTTP servers that act like model providers."""
    import asyncio

    from tierwise.fleet.runner import FleetOptions, run

    options = FleetOptions(
        outcomes=outcomes,
        host=host,
        base_port=base_port,
        seed=seed,
        speed=speed,
        write_config=write_config,
        exit_with_parent=exit_with_parent,
    )
    asyncio.run(run(options))
