"""How `tierwise chaos` shows its figures to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.chaos import Result, ScenarioFigures
    from tierwise.chaos.soak import SoakFigures


def show(result: Result, console: Console) -> None:
    """Prints a row for each scenario, what went wrong, and what the figures rest on."""
    kind = "SIMULATED fleet" if result.simulated else "fleet of recorded answers"
    table = Table(title=f"What clients saw of outages, on a {kind}", title_justify="left")
    table.add_column("scenario", no_wrap=True)
    for name in ("requests", "failed", "wrong"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("p50\n+ms", "p99\n+ms", "found out\ncalls / s", "back\ns"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in result.scenarios:
        table.add_row(*_row(one))
    console.print(table)
    for one in result.scenarios:
        for line in _notes(one):
            console.print(f"{one.name}: {line}", markup=False, highlight=False)
    for line in _rests_on(result):
        console.print(line, style="dim", markup=False, highlight=False)


def _row(one: ScenarioFigures) -> list[str]:
    compared = one.crowd is None and one.name != "healthy" and one.path_alive
    alone = one.detected_requests is not None and one.detected_s is not None
    return [
        one.name,
        f"{one.requests:,}",
        _count(one.failed),
        _count(one.wrong),
        f"{one.added_p50_ms:.0f}" if compared else "",
        f"{one.added_p99_ms:,.0f}" if compared else "",
        f"{one.detected_requests} / {one.detected_s:.1f}" if alone else "",
        "" if one.recovery_s is None else f"{one.recovery_s:.1f}",
    ]


def _count(count: int) -> str:
    return f"[green]{count}[/]" if count == 0 else f"[bold red]{count:,}[/]"


def _notes(one: ScenarioFigures) -> list[str]:
    """What does not fit into the table."""
    notes = list(one.errors)
    if one.refused:
        notes.append(f"{one.refused} were told why nobody could answer, while nobody could")
    if one.continued:
        notes.append(f"{one.continued} streams were continued by another deployment")
    if one.crowd is not None:
        crowd = one.crowd
        after = ", ".join(f"{mb:.0f}" for mb in crowd.rss_after_mb)
        notes.append(
            f"{crowd.peak:,} streams at a time, {crowd.left:,} clients left, "
            f"{crowd.cancelled:,} calls cancelled at the providers"
        )
        notes.append(
            f"memory {crowd.rss_before_mb:.0f} MB before, {crowd.rss_most_mb:.0f} at the most, "
            f"{after} after each round"
        )
        notes.append(
            f"afterwards {crowd.calls_left} calls under way in the gateway, {crowd.upstream_left} "
            f"at the fleet, {crowd.connections_left} client connections"
        )
    return notes


def _rests_on(result: Result) -> list[str]:
    what = "SIMULATED models and tasks" if result.simulated else "recorded answers of real models"
    waits = ", ".join(f"{name} {seconds:g}" for name, seconds in result.timeouts.items())
    return [
        f"Fleet: {what}; latency x {result.speed:g}, seed {result.seed}, {result.rate:g} requests "
        "a second, half of them streams.",
        f"Gateway: timeouts in s: {waits}; deadline {result.deadline_s:g}. Machine: load "
        f"{result.load:.1f}.",
        "+ms: against the same requests of the healthy run, of those sent during the outage. "
        "found out: the slowest of its deployments to be left alone. back: from the end of the "
        "outage until all serve again.",
    ]


def soaked(found: SoakFigures) -> str:
    """A long run in words."""
    low, high = found.slope_interval
    kind = "SIMULATED fleet" if found.simulated else "recorded answers of real models"
    lines = [
        f"{found.minutes:g} minutes at {found.rate:.0f} requests/s, half of the "
        f"{found.full_rate:.0f} that it can take here; {kind}",
        f"{found.requests:,} requests, {found.failed} failed, {found.wrong} wrong",
        f"memory {found.rss_first_mb:.1f} MB after the warm-up, {found.rss_last_mb:.1f} at the "
        f"end, {found.rss_most_mb:.1f} at the most",
        f"trend {found.slope_mb_per_hour:+.2f} MB an hour (95%: {low:+.2f} to {high:+.2f}): "
        + ("no growth shows" if found.flat else "it GROWS"),
    ]
    return "\n".join([*lines, *found.errors])
