"""`python -m tierwise.learning.labels`: fits the heads of analysis, or tells how good they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tierwise.analysis.encoder import Encoder
from tierwise.analysis.heads import FILE
from tierwise.learning.labels.evaluate import Score, evaluate
from tierwise.learning.labels.examples import held_out_examples, own_examples, recorded_examples
from tierwise.learning.labels.fit import arrays_of, features_of, save


def command(
    outcomes: Annotated[Path, typer.Option(help="Folder of the recorded outcomes' sources.")],
    out: Annotated[Path, typer.Option(help="Where the weights go.")] = FILE,
    only_evaluate: Annotated[
        bool,
        typer.Option("--evaluate", help="Print accuracies by cross-validation; write nothing."),
    ] = False,
    details: Annotated[bool, typer.Option(help="With the recall of every class.")] = False,
    folds: int = 5,
    seed: int = 0,
) -> None:
    """Fit the heads for kind and domain to our labelled prompts and to MMLU's subjects."""
    console = Console()
    examples = [*own_examples(), *recorded_examples(outcomes)]
    encoder = Encoder.builtin()
    features = features_of(examples, encoder)
    if only_evaluate:
        held_out = features_of(held_out_examples(), encoder, features.frame)
        _show(console, evaluate(features, held_out, folds=folds, seed=seed), details)
        return
    save(arrays_of(features), out)
    console.print(f"{out}: {out.stat().st_size:,} bytes, from {len(examples):,} examples")


def _show(console: Console, scores: list[Score], details: bool) -> None:
    table = Table("what", "prompts", "accuracy", "mean recall", "rules alone")
    for score in scores:
        rules = f"{score.rules:.3f}" if score.rules is not None else ""
        table.add_row(
            score.what,
            f"{score.count:,}",
            f"{score.accuracy:.3f}",
            f"{score.macro_recall:.3f}",
            rules,
        )
    console.print(table)
    if details:
        for score in scores:
            classes = ", ".join(f"{name} {recall:.2f}" for name, recall in score.by_class.items())
            console.print(f"[bold]{score.what}[/]: {classes}")


if __name__ == "__main__":
    typer.run(command)
