"""How `tierwise bench --dialects` and `--translation` show their figures to people."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.bench import dialects, translation

_Pair = TypeVar("_Pair", "dialects.Pair", "translation.Pair")


def show(result: dialects.Dialects) -> None:
    """Prints a table of whole answers and one of streams, clients by providers."""
    console = Console()
    _print(
        console,
        "CPU of a request with an answer of 2 kB, µs (as a multiple of chat before chat)",
        result.pairs,
        lambda pair: f"{pair.request_us:.0f} ({pair.ratio:.2f})",
    )
    _print(
        console,
        "CPU of a piece of a stream, µs (the same)",
        result.pairs,
        lambda pair: f"{pair.chunk_us:.1f} ({pair.chunk_ratio:.2f})",
    )
    console.print(
        f"{result.cpu}; Tierwise {result.tierwise}; {result.rounds} rounds of {result.requests:,} "
        f"requests and {result.streams:,} streams of each pair. Other work on the machine makes "
        "the figures higher; the multiples are of the same round.",
        highlight=False,
    )


def show_translation(result: translation.Translations) -> None:
    """Prints a table of what a request and an event of a stream take, clients by providers."""
    console = Console()
    _print(
        console,
        "Translation of a request with its answer of 2 kB, and of an event of a stream: µs of CPU",
        result.pairs,
        lambda pair: f"{pair.request_us:.0f}, {pair.chunk_us:.1f}",
    )
    request = max(result.pairs, key=lambda pair: pair.request_us)
    chunk = max(result.pairs, key=lambda pair: pair.chunk_us)
    console.print(
        f"dearest: {request.request_us:.0f} µs a request ({request.client} before "
        f"{request.provider}), {chunk.chunk_us:.1f} µs an event ({chunk.client} before "
        f"{chunk.provider}). {result.cpu}, one core, load {result.load:g}; Tierwise "
        f"{result.tierwise}",
        highlight=False,
    )


def _print(
    console: Console, title: str, pairs: tuple[_Pair, ...], cell: Callable[[_Pair], str]
) -> None:
    table = Table(title=title)
    table.add_column("client, provider:")
    clients: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.client == pairs[0].client:
            table.add_column(pair.provider, justify="right")
        clients.setdefault(pair.client, []).append(cell(pair))
    for client, cells in clients.items():
        table.add_row(client, *cells)
    console.print(table)
