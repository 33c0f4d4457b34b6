"""`tierwise likeness`: how alike prompts must be for one's answer to be given to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import JsonOption
from tierwise.cli.printing import print_json

if TYPE_CHECKING:
    from tierwise.learning.likeness import Likeness


def command(
    test: Annotated[
        list[Path],
        typer.Option(help="Folders with prompts.parquet and outcomes.parquet.", metavar="DIR..."),
    ],
    datasets: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure which `cache.similarity` keeps different prompts apart. Needs `train`."""
    from tierwise.cli.arguments import listed
    from tierwise.learning.likeness import likeness
    from tierwise.learning.outcomes import read_outcomes

    prompts = read_outcomes(test, listed(datasets)).prompts
    measured = likeness([prompt.text for prompt in prompts], seed)
    if as_json:
        print_json(measured)
    else:
        _show(measured)


def _show(measured: Likeness) -> None:
    typer.echo(f"{measured.prompts:,} different prompts\n")
    typer.echo(f"{'similarity':>10}{'taken for another':>20}{'rewordings found':>20}")
    for one in measured.at:
        typer.echo(f"{one.threshold:>10.2f}{one.false:>20.2%}{one.found:>20.1%}")
    first, second = (" ".join(text.split())[:90] for text in measured.closest)
    typer.echo(f"\nmost alike of different prompts:\n  {first}\n  {second}")
    if measured.recommended is None:
        typer.echo("\nNo similarity keeps these prompts apart: use `exact`.")
    else:
        typer.echo(f"\ncache.similarity: {measured.recommended}")
