"""How `tierwise bench --observed` shows its figures to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.bench.observed import Observed


def show(result: Observed) -> None:
    """Prints the figures beside those without."""
    console = Console()
    table = Table(title="Traces, metrics and a JSON log of every request, and none of it")
    for name in ("", "all of it", "none of it", "ratio"):
        table.add_column(name, justify="right" if name else "left")
    table.add_row(
        "CPU per 1 kB request, µs",
        f"{result.observed_us:.1f}",
        f"{result.plain_us:.1f}",
        f"{result.ratio:.2f}",
    )
    table.add_row(
        "CPU per streamed chunk, µs",
        f"{result.observed_chunk_us:.2f}",
        f"{result.plain_chunk_us:.2f}",
        f"{result.chunk_ratio:.2f}",
    )
    console.print(table)
    console.print(
        f"{result.cpu}; Tierwise {result.tierwise}; {result.rounds} rounds of {result.seconds} s; "
        f"{result.requests:,} requests observed, {result.spans_sent:,} spans sent, "
        f"{result.spans_dropped:,} dropped, {result.lines:,} lines of the log.",
        highlight=False,
    )
