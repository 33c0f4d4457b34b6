"""`tierwise evaluate`: what a router is worth on recorded outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import JsonOption
from tierwise.cli.printing import print_json
from tierwise.cli.progress import progress

if TYPE_CHECKING:
    from tierwise.learning.data import Options
    from tierwise.learning.result import Evaluation

_LEARNS = (
    "train", "labels", "folds", "leave_out", "own_split", "cascade", "reword", "plot",
)  # fmt: skip
"""Options that mean nothing where a finished router is tested."""


def command(
    context: typer.Context,
    test: Annotated[
        list[Path],
        typer.Option(help="Folders with prompts.parquet and outcomes.parquet.", metavar="DIR..."),
    ],
    reference: Annotated[str, typer.Option(help="The model to save against.")],
    train: Annotated[
        list[Path] | None,
        typer.Option(
            help="Learn from these; default: cross-validate in the test.", metavar="DIR..."
        ),
    ] = None,
    router: Annotated[
        str | None,
        typer.Option(
            help="Learn nothing: test this as served, beside rules.", metavar="default|none|FILE"
        ),
    ] = None,
    models: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    datasets: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    labels: Annotated[
        int | None, typer.Option(help="Learn from so many random prompts only.", min=20)
    ] = None,
    folds: Annotated[int, typer.Option(help="Of the cross-validation.", min=2)] = 5,
    leave_out: Annotated[
        str | None,
        typer.Option(help="`dataset`: test each on a router that never saw it."),
    ] = None,
    own_split: Annotated[
        bool, typer.Option("--own-split", help="Learn on the source's `train`, test on its `test`.")
    ] = False,
    cascade: Annotated[
        bool,
        typer.Option("--cascade", help="Read recorded answers, escalate, and bill every call."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", min=0)] = 0,
    price: Annotated[
        list[str] | None,
        typer.Option(help="MODEL=USD per request where no cost is recorded; repeatable."),
    ] = None,
    reword: Annotated[
        bool,
        typer.Option("--reword", help="Measure which decisions a light rewording changes."),
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw cost against quality.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure quality and saving of a router on outcomes of real models. Needs `train`."""
    from tierwise.cli.arguments import given, listed, prices
    from tierwise.errors import ConfigError
    from tierwise.learning.data import Options

    if router is not None:
        _refuse_learning(context)
    if leave_out not in (None, "dataset"):
        raise ConfigError(
            f"{leave_out!r} cannot be left out", field="--leave-out", remedy="Write `dataset`."
        )
    ways = {"--labels": labels is not None, "--leave-out": leave_out is not None,
            "--own-split": own_split}  # fmt: skip
    chosen = [name for name, wanted in ways.items() if wanted]
    if len(chosen) > 1:
        raise ConfigError(
            f"{' and '.join(chosen)} each say what to learn from",
            field=chosen[1],
            remedy="Give one of them.",
        )
    if given(context, "folds") and (train or chosen):
        raise ConfigError(
            f"{chosen[0] if chosen else '--train'} says what to learn from, so there are no folds",
            field="--folds",
            remedy="Leave one of them out.",
        )
    if plot is not None and not plot.parent.is_dir():
        raise ConfigError(
            "its folder does not exist", file=str(plot), field="--plot", remedy="Create it first."
        )
    options = Options(
        test=tuple(test),
        reference=reference,
        train=tuple(train or ()),
        models=tuple(listed(models)),
        datasets=tuple(listed(datasets)),
        labels=labels,
        folds=folds,
        leave_out=leave_out is not None,
        own_split=own_split,
        cascade=cascade,
        seed=seed,
        prices=prices(price or ()),
        reword=reword,
    )
    if router is not None:
        _serve(router, options, as_json)
        return
    from tierwise.learning.evaluate import evaluate

    with progress() as say:
        result = evaluate(options, say)
    _give(result, plot, as_json)


def _refuse_learning(context: typer.Context) -> None:
    """Raises `ConfigError` where an option is given that only learning has a use for."""
    from tierwise.cli.arguments import given
    from tierwise.errors import ConfigError

    for name in _LEARNS:
        if given(context, name):
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"{option} cannot go with --router, which tests a finished router",
                field=option,
                remedy="Leave one of them out.",
            )


def _serve(router: str, options: Options, as_json: bool) -> None:
    """Tests a finished router as `serve` would use it, and prints what came of it."""
    from tierwise.learning.served import served

    with progress() as say:
        result = served(router, options, say)
    if as_json:
        print_json(result)
        return
    from tierwise.cli.evaluate_view import show_served

    show_served(result)


def _give(result: Evaluation, plot: Path | None, as_json: bool) -> None:
    """Draws it if wanted, and prints it for programs or for people."""

    if plot is not None:
        from tierwise.learning.plot import plot as draw

        draw(result, plot)
    if as_json:
        print_json(result)
        return
    from tierwise.cli.evaluate_view import show

    show(result)
