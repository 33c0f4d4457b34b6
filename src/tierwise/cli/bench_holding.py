"""How `tierwise bench --holding` runs, and how it shows its figures to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.bench.waits import Spread, Waits

TITLES = {
    "unchecked": "unchecked",
    "prefix": "prefix",
    "held": "held",
    "held_1s": "held, hold_s: 1",
    "large": "large model alone",
}


def show(result: Waits) -> None:
    """Prints what clients wait for, and what it was measured on."""
    console = Console()
    table = Table(title="What holding streams back costs (simulated)")
    table.add_column("p50 / p95")
    for name in ("TTFT, s", "ratio", "added, s", "total, s", "ratio", "escalated", "fell short"):
        table.add_column(name, justify="right")
    for mode, one in result.modes.items():
        table.add_row(
            TITLES[mode],
            _pair(one.ttft_s),
            _pair(one.ttft_ratio),
            _pair(one.ttft_added_s),
            _pair(one.total_s),
            _pair(one.total_ratio),
            f"{one.escalated:.0%}",
            f"{one.fell_short:.0%}",
        )
    console.print(table)
    small, large = result.tiers
    tokens = result.answer_tokens
    console.print(
        f"Simulated: {result.requests:,} requests under each, {result.concurrency} at a time. "
        f"{small.model} begins after about {small.ttft_s:g} s and writes {small.tokens_per_s:g} "
        f"tokens/s, {large.model} after {large.ttft_s:g} s and {large.tokens_per_s:g} tokens/s; "
        f"answers have {tokens.p50:.0f} / {tokens.p95:.0f} tokens. Added is request by request, "
        "ratios are to unchecked.",
        highlight=False,
    )


def _pair(spread: Spread) -> str:
    return f"{spread.p50:.2f} / {spread.p95:.2f}"
