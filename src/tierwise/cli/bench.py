"""`tierwise bench`: the gateway's overhead, what holding streams costs, what gates cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tierwise.cli.configuration import JsonOption

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")


def command(
    as_json: JsonOption = False,
    seconds: Annotated[
        int, typer.Option(help="Length of each of the runs, in seconds.", min=1, max=60)
    ] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="One round of short runs.")] = False,
    holding: Annotated[
        bool, typer.Option("--holding", help="What clients wait for when streams are held back.")
    ] = False,
    requests: Annotated[
        int, typer.Option(help="For --holding: streams of each kind.", min=10, max=10_000)
    ] = 200,
    gates: Annotated[
        bool, typer.Option("--gates", help="What CPU it takes to judge an answer of 2 kB.")
    ] = False,
) -> None:
    """Measure the gateway's overhead. Needs nginx and wrk; takes a minute and two cores.

    With --holding: what it costs in time to the first token that gates see an answer first, on a
    simulated fleet. Needs nothing else and takes two minutes. With --gates: what CPU gates and the
    learned scorer take. Needs nothing else and takes a few seconds.
    """
    if holding and gates:
        raise typer.BadParameter("--holding and --gates are measured one at a time")
    if holding:
        _holding(requests, as_json)
    elif gates:
        _gates(as_json)
    else:
        _overhead(1 if quick else seconds, quick, as_json)


def _overhead(seconds: int, quick: bool, as_json: bool) -> None:
    from tierwise.bench import Options, run
    from tierwise.cli.bench_view import show

    options = Options(seconds=1, rounds=1, starts=1) if quick else Options(seconds=seconds)
    _tell(_measured(lambda say: run(options, say), options.steps), show, as_json)


def _holding(requests: int, as_json: bool) -> None:
    from tierwise.bench.holding import Options, run
    from tierwise.cli.bench_holding import show

    options = Options(requests=requests)
    _tell(_measured(lambda say: run(options, say), options.steps), show, as_json)


def _gates(as_json: bool) -> None:
    from tierwise.bench.gates import Options, run
    from tierwise.cli.bench_gates import show

    options = Options()
    _tell(_measured(lambda say: run(options, say), options.steps), show, as_json)


def _measured(run: Callable[[Callable[[str], None]], _Result], steps: int) -> _Result:
    """Runs a benchmark under a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=steps)

        def say(what: str) -> None:
            progress.update(bar, description=what)
            progress.advance(bar)

        return run(say)


def _tell(result: _Result, show: Callable[[_Result], None], as_json: bool) -> None:
    import msgspec

    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
    else:
        show(result)
