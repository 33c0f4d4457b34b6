"""`tierwise bench`: the gateway's overhead, against nginx as a plain proxy."""

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
) -> None:
    """Measure the gateway's overhead. Needs nginx and wrk; takes a minute and two cores."""
    import msgspec

    from tierwise.bench import Options

    options = Options(seconds=1, rounds=1, starts=1) if quick else Options(seconds=seconds)
    result = _measured(options)
    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
    else:
        from tierwise.cli.bench_view import show

        show(result)


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
