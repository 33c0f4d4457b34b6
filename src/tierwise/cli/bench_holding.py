"""How `tierwise bench --holding` runs, and how it shows its figures to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.bench.waits import Waits


def show(result: Waits) -> None:
    """Prints what clients wait for, and what it was measured on."""
    console = Console()
    table = Table(title="What holding streams back costs (simulated), p50/p95")
    table.add_column("")
    for mode in result.modes:
        table.add_column(mode, justify="right")
    ways = result.modes.values()
    for title, pairs in (
        ("TTFT, s", [one.ttft_s for one in ways]),
        ("ratio", [one.ttft_ratio for one in ways]),
        ("added, s", [one.ttft_added_s for one in ways]),
        ("total, s", [one.total_s for one in ways]),
        ("ratio", [one.total_ratio for one in ways]),
    ):
        table.add_row(title, *(f"{pair.p50:.2f}/{pair.p95:.2f}" for pair in pairs))
    table.add_row("escalated", *(f"{one.escalated:.0%}" for one in ways))
    table.add_row("fell short", *(f"{one.fell_short:.0%}" for one in ways))
    console.print(table)
    small, large = result.tiers
    tokens = result.answer_tokens
    console.print(
        f"Simulated: {result.requests:,} requests under each, {result.concurrency} at a time. "
        f"{small.model} begins after about {small.ttft_s:g} s and writes {small.tokens_per_s:g} "
        f"tokens/s, {large.model} after {large.ttft_s:g} s and {large.tokens_per_s:g} tokens/s; "
        f"answers have {tokens.p50:.0f}/{tokens.p95:.0f} tokens. Added is request by request, "
        "ratios are to unchecked. What fell short reached the client though a gate rejects it.",
        highlight=False,
    )
