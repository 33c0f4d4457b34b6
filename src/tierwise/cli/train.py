"""`tierwise train`: a router out of recorded outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tierwise.cli.configuration import JsonOption
from tierwise.cli.printing import print_json
from tierwise.cli.progress import progress
from tierwise.learning.size import Size


def command(
    out: Annotated[Path, typer.Option(help="The file to write, for example router.npz.")],
    outcomes: Annotated[
        list[Path],
        typer.Option(help="Folders with prompts.parquet and outcomes.parquet.", metavar="DIR..."),
    ],
    models: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    datasets: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    rows: Annotated[int, typer.Option(help="Learn from at most so many prompts.", min=20)] = 12_000,
    size: Annotated[
        Size, typer.Option(help="small: a third of the file, hardly worse.")
    ] = Size.FULL,
    reference: Annotated[
        str | None,
        typer.Option(help="Where answers are recorded: what quality refers to; default: the best."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Learn to predict which model does what well. Needs the `train` extra."""
    from tierwise.cli.arguments import listed
    from tierwise.learning.train import train

    with progress() as say:
        result = train(
            outcomes, out, models=listed(models), datasets=listed(datasets),
            most_rows=rows, size=size, reference=reference, seed=seed, say=say,
        )  # fmt: skip
    if as_json:
        print_json(result)
        return
    from tierwise.cli.evaluate_view import show_trained

    show_trained(result)
