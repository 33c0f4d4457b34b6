"""How `tierwise chaos` shows its figures to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.chaos import Result, ScenarioFigures


def show(result: Result, console: Console) -> None:
    """Prints a row for each scenario, what went wrong, and what the figures rest on."""
    table = Table(title="What clients saw of outages", title_justify="left", padding=(0, 1))
    for name in ("scenario", "requests", "failed", "wrong"):
        table.add_column(name, justify="left" if name == "scenario" else "right", no_wrap=True)
    for name in ("added p50\nms", "added p99\nms", "found out\ncalls / s", "recovered\ns"):
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
        f"The fleet: {what}, latency x {result.speed:g}, seed {result.seed}; {result.rate:g} "
        "requests a second, every second one a stream.",
        f"The gateway's timeouts in s: {waits}; deadline {result.deadline_s:g}. Added latency is "
        "that of requests",
        "sent during the outage, against the same ones of the healthy run. "
        f"The machine's load: {result.load:.1f}.",
    ]
