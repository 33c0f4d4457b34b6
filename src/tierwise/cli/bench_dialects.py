"""How `tierwise bench --dialects` shows its figures to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.bench.dialects import Dialects


def show(result: Dialects) -> None:
    """Prints a table of whole answers and one of streams, clients by providers."""
    console = Console()
    found = {(pair.client, pair.provider): pair for pair in result.pairs}
    clients = list(dict.fromkeys(client for client, _ in found))
    providers = list(dict.fromkeys(provider for _, provider in found))
    titles = (
        "CPU of a request with an answer of 2 kB, µs (as a multiple of chat before chat)",
        "CPU of a piece of a stream, µs (the same)",
    )
    for title in titles:
        table = Table(title=title)
        table.add_column("client, provider:")
        for provider in providers:
            table.add_column(provider, justify="right")
        for client in clients:
            pairs = [found[client, provider] for provider in providers]
            if title is titles[0]:
                cells = [f"{pair.request_us:.0f} ({pair.ratio:.2f})" for pair in pairs]
            else:
                cells = [f"{pair.chunk_us:.1f} ({pair.chunk_ratio:.2f})" for pair in pairs]
            table.add_row(client, *cells)
        console.print(table)
    console.print(
        f"{result.cpu}; Tierwise {result.tierwise}; {result.rounds} rounds of {result.requests:,} "
        f"requests and {result.streams:,} streams of each pair. Other work on the machine makes "
        "the figures higher; the multiples are of the same round.",
        highlight=False,
    )
