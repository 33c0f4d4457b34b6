"""How `tierwise bench` shows its figures to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.bench import Result


def show(result: Result) -> None:
    """Prints the figures beside nginx's, and what limits them."""
    console = Console()
    table = Table(title="Overhead of the gateway, nginx as a plain proxy beside it")
    table.add_column("")
    for name in ("Tierwise", "nginx", "ratio"):
        table.add_column(name, justify="right")
    table.add_row(
        "CPU per 1 kB request, µs",
        f"{result.cpu_us_per_request:.0f}",
        f"{result.nginx_cpu_us_per_request:.1f}",
        f"{result.cpu_ratio_nginx:.1f}",
    )
    table.add_row(
        "CPU per streamed chunk, µs",
        f"{result.chunk_us:.1f}",
        f"{result.nginx_chunk_us:.1f}",
        f"{result.chunk_ratio_nginx:.1f}",
    )
    table.add_row("requests/s on one core", f"{result.rps:,.0f}", f"{result.nginx_rps:,.0f}", "")
    ours, theirs = result.added_latency_ms, result.nginx_added_latency_ms
    table.add_row("added latency, p50 ms", _ms(ours.p50), _ms(theirs.p50), "")
    table.add_row("added latency, p99 ms", _ms(ours.p99), _ms(theirs.p99), "")
    table.add_row("start to ready, s", f"{result.start_s:.2f}", "", "")
    table.add_row(
        "memory idle / at the end, MB",
        f"{result.rss_idle_mb:.0f} / {result.rss_end_mb:.0f}",
        "",
        "",
    )
    console.print(table)
    machine = result.machine
    console.print(
        f"{machine.date}, {machine.cpu}, {machine.cores} cores; Tierwise {machine.tierwise} on "
        f"Python {machine.python}, nginx {machine.nginx}; {result.requests:,} requests, "
        f"{result.ledger_records:,} records written, {result.ledger_dropped:,} dropped.",
        highlight=False,
    )
    for warning in warnings(result):
        console.print(warning, style="yellow", highlight=False)


def _ms(value: float | None) -> str:
    return "in the noise" if value is None else f"{value:.2f}"


def warnings(result: Result) -> list[str]:
    """What makes the figures less than they should be."""
    found = []
    if not result.machine.pinned:
        found.append(
            "There is only one core: the gateway shares it with the load generator. Neither "
            "requests/s nor latencies mean anything; the ratios are rough."
        )
    elif result.gateway_busy < 0.9:
        found.append(
            f"The gateway was busy only {result.gateway_busy:.0%} of the time: the machine had "
            "other work, and requests/s is less than it could be."
        )
    if result.rounds < 3:
        found.append("One short round: a first impression, not a figure to quote.")
    return found
