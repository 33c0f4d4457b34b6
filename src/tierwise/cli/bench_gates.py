"""How `tierwise bench --gates` shows its figures to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.bench.gates import Cost, Judging


def show(result: Judging) -> None:
    """Prints what each gate takes, and what all of them take for each kind of answer."""
    console = Console()
    gates = Table(title="CPU of a gate that has something to say, µs")
    for name in ("", "p50", "p99"):
        gates.add_column(name, justify="right" if name else "left")
    for name, cost in result.gates.items():
        gates.add_row(name, f"{cost.p50_us:.0f}", f"{cost.p99_us:.0f}")
    console.print(gates)
    kinds = Table(title="CPU of judging an answer of 2 kB, µs, p50 / p99")
    for name in ("", "all gates", "learned scorer", "both"):
        kinds.add_column(name, justify="right" if name else "left")
    for kind in result.together:
        columns = (result.together, result.scorer, result.scored)
        kinds.add_row(kind, *(_pair(costs, kind) for costs in columns))
    console.print(kinds)
    console.print(
        f"{result.answers:,} answers that were made up, of about 2,000 characters, each with a "
        "log-probability for every token. The scorer judges a first answer among five models; its "
        "weights are made up too. Other work on the machine makes the figures higher.",
        highlight=False,
    )


def _pair(costs: Mapping[str, Cost], kind: str) -> str:
    cost = costs.get(kind)
    return "" if cost is None else f"{cost.p50_us:.0f} / {cost.p99_us:.0f}"
