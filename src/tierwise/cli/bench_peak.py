"""How `tierwise bench --peak` shows its figures to people."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.bench.peak import Peak
    from tierwise.bench.peak_figures import Figures

_ROWS: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("quality", lambda one: f"{one.quality:.3f}"),
    ("of unlimited", lambda one: f"{one.quality_rel:.1%}"),
    ("the same, complex third", lambda one: f"{one.complex_rel:.1%}"),
    ("the same, needs it", lambda one: f"{one.needy_rel:.1%}"),
    ("reference answers", lambda one: f"{one.reference_share:.1%}"),
    ("its capacity in use", lambda one: "" if one.use is None else f"{one.use:.0%}"),
    ("cost, USD", lambda one: f"{one.cost_usd:.2f}"),
    ("failed", lambda one: str(one.failed)),
    ("latency p50/p99, s", lambda one: f"{one.latency_p50_s:.2f}/{one.latency_p99_s:.2f}"),
    ("price moves a minute", lambda one: f"{one.price_moves_per_min:.1f}"),
    ("share turns a minute", lambda one: f"{one.turns_per_min:.1f}"),
    ("price gone after, s", lambda one: "" if one.price_gone_s is None else f"{one.price_gone_s}"),
)


def show(result: Peak) -> None:
    """Prints what a peak came to, and what it was measured on."""
    console = Console()
    made_up = " (simulated)" if result.simulated else ""
    table = Table(title=f"A peak of three times what {result.reference} can take{made_up}")
    table.add_column("")
    for mode in result.runs:
        table.add_column(mode.replace("_", " "), justify="right")
    for title, told in _ROWS:
        table.add_row(title, *(told(one) for one in result.runs.values()))
    console.print(table)
    phases = result.phases
    requests = next(iter(result.runs.values())).requests
    console.print(
        f"{'Simulated answers' if result.simulated else 'Recorded answers'}, policy "
        f"{result.policy}, router "
        f"{f'of {result.learned_from:,} other prompts' if result.learned_from else 'of rules'}. "
        f"{phases.before_s:g} s at {phases.calm_rps:g} requests/s, {phases.peak_s:g} s at "
        f"{phases.peak_rps:g}, {phases.after_s:g} s at {phases.calm_rps:g}; {requests:,} in the "
        f"peak, drawn from {result.tasks:,} tasks; models at {result.speed:g} of lifelike time. "
        f"Limited, {result.reference} takes {result.calls} calls at a time. Round-robin names "
        f"{', '.join(result.in_turn)}.",
        highlight=False,
    )
