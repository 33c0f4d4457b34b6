"""`tierwise gates`: what the gates say of recorded answers, and whether it is true."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tierwise.cli.configuration import JsonOption
from tierwise.cli.printing import print_json
from tierwise.cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from tierwise.gates import Gate
    from tierwise.learning.contribution import Together
    from tierwise.learning.gate_quality import Measured


def command(
    outcomes: Annotated[
        list[Path],
        typer.Option(help="Folders whose outcomes.parquet has `response`.", metavar="DIR..."),
    ],
    gates: Annotated[
        str, typer.Option(help="Only these, separated by commas; default: the built-in ones.")
    ] = "",
    datasets: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Measure how well gates tell good answers from bad, each alone and all together.

    Needs the `outcomes` extra, and `train` for all together.
    """
    from tierwise.cli.arguments import listed
    from tierwise.learning.gate_quality import measure

    chosen = _chosen(listed(gates))
    with progress() as say:
        result = measure(outcomes, chosen, listed(datasets), say)
    if as_json:
        print_json(result)
        return
    _show(result)


def _chosen(names: Sequence[str]) -> dict[str, Gate]:
    """The gates of these names; without any, those that come along and wait for nothing.

    Raises:
        ConfigError: one is unknown, or has to ask a model or start a process.
    """
    from tierwise.errors import ConfigError
    from tierwise.gates import Gate, load_gates
    from tierwise.gates.base import BUILTIN
    from tierwise.gates.outside import OutsideGate
    from tierwise.learning.gate_quality import Patient

    found: dict[str, Gate] = {}
    for name, gate in load_gates(names or BUILTIN).items():
        if isinstance(gate, OutsideGate):
            found[name] = Patient(gate)
        elif isinstance(gate, Gate):
            found[name] = gate
        elif names:
            raise ConfigError(
                f"{name} cannot be measured on recordings: it asks a model or starts a process",
                field="--gates",
                remedy="Leave it out.",
            )
    return found


def _show(result: Measured) -> None:
    from rich.console import Console

    console = Console()
    console.print(_table(result))
    speed = result.microseconds_2kb
    console.print(
        f"{result.answers:,} answers of {', '.join(result.sources)}; mean score {result.base:.3f}."
        + ("" if speed is None else f" All gates on an answer of 2 kB: {speed:.0f} µs of CPU."),
        highlight=False,
    )
    for gate in result.gates:
        if gate.broken:
            console.print(
                f"{gate.gate} broke over {gate.broken:,} answers, at last: {gate.why}",
                style="yellow",
                highlight=False,
                markup=False,
            )
    if result.together is None:
        console.print(
            "What each adds to the others is not known: that takes the extra `train`, and answers "
            "good and bad.",
            highlight=False,
        )
        return
    console.print(_contributions(result.together))
    console.print(_in_words(result.together), highlight=False)


def _contributions(together: Together) -> Table:
    from rich.table import Table

    table = Table(title="What each adds to all together, on answers not fitted to")
    table.add_column("gate")
    for name in ("AUROC: alone", "without", "Brier: alone", "without", "adds", "at least"):
        table.add_column(name, justify="right")
    for gate in together.gates:
        table.add_row(
            gate.gate,
            _figure(gate.auroc_alone),
            _figure(gate.auroc_without),
            *(f"{value:.4f}" for value in (gate.brier_alone, gate.brier_without)),
            *(f"{value:+.6f}" for value in (gate.adds, gate.adds_low)),
        )
    return table


def _in_words(together: Together) -> str:
    auroc = "" if together.auroc is None else f"AUROC {together.auroc:.3f}, "
    idle = ", ".join(together.idle)
    return (
        f"All together: {auroc}Brier {together.brier:.4f} (the base rate alone: "
        f"{together.brier_base:.4f}), {together.prompts:,} prompts. "
        + (f"Not paying here: {idle}." if idle else "Each of them pays.")
    )


def _table(result: Measured) -> Table:
    from rich.table import Table

    table = Table(title="What the gates are worth")
    table.add_column("gate")
    for name in ("judged", "failed", "score: judged", "passed", "failed", "AUROC", "µs"):
        table.add_column(name, justify="right")
    for gate in result.gates:
        table.add_row(
            gate.gate,
            f"{gate.verdicts:,}",
            f"{gate.failed:,}",
            *(_figure(value) for value in (gate.base, gate.passed_score, gate.failed_score)),
            _figure(gate.auroc),
            f"{gate.microseconds:.0f}",
        )
    return table


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
