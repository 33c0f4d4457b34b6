"""How `tierwise chaos --replicas` shows its figures to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.chaos.replicas import PartFigures, ReplicasResult


def show(result: ReplicasResult, console: Console) -> None:
    """Prints what clients saw, what of it is in the ledger and the budget, and what is wrong."""
    kind = "SIMULATED models" if result.simulated else "recorded answers of real models"
    console.print(_seen(result, f"Two replicas, one key with a hard budget, {kind}"))
    console.print(_booked(result))
    for part in result.parts:
        for line in _notes(part):
            console.print(f"{part.name}: {line}", markup=False, highlight=False)
    for name, why in result.skipped.items():
        console.print(f"{name}: left out: {why}", markup=False, highlight=False)
    console.print(
        "budget: nobody is killed; else who is, and is back after a while, Redis empty. "
        "failed: neither answered nor 402, nor under way at the killed replica (cut off). told: "
        f"the sum of x-tierwise-cost-usd. Latency x {result.speed:g}, seed {result.seed}; load of "
        f"the machine {result.load:.1f}.",
        style="dim", markup=False, highlight=False,
    )  # fmt: skip


def _seen(result: ReplicasResult, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for name in ("requests", "answered", "402", "cut off", "failed", "wrong", "away\ns", "all\ns"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in result.parts:
        table.add_row(
            part.name,
            *(f"{n:,}" for n in (part.requests, part.answered, part.refused, part.cut_off)),
            *(_count(n) for n in (part.failed, part.wrong)),
            "" if part.away_s is None else f"{part.away_s:.1f}",
            f"{part.seconds:.0f}",
        )
    return table


def _booked(result: ReplicasResult) -> Table:
    table = Table(title="What was booked, in USD", title_justify="left")
    table.add_column("", no_wrap=True)
    for name in ("rows", "lost", "ledger", "told", "of these\nin ledger", "budget\nspent"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("hard", "overspent", "at most"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in result.parts:
        table.add_row(
            part.name,
            f"{part.ledger_rows:,}",
            str(part.lost),
            *(f"{usd:.4f}" for usd in (part.ledger_usd, part.told_usd, part.booked_usd)),
            " ".join(dict.fromkeys(f"{usd:.4f}" for usd in part.spent_usd)),
            *(f"{usd:.4f}" for usd in (part.hard_usd, part.overspent_usd, part.bound_usd)),
        )
    return table


def _count(count: int) -> str:
    return f"[green]{count}[/]" if count == 0 else f"[bold red]{count:,}[/]"


def _notes(part: PartFigures) -> list[str]:
    """What does not fit into the tables, and what is not as it should be."""
    from tierwise.chaos.replicas.figures import UNFLUSHED

    notes = [
        f"{part.in_flight} requests at a time, of which one costs {part.most_usd:.6f} USD at the "
        "most"
    ]
    if part.retried:
        notes.append(f"{part.retried} connections were refused, and the other replica was asked")
    if part.cut_off:
        notes.append(
            f"{part.cut_off} requests were under way at the killed replica; {part.unseen} of them "
            "are in the ledger"
        )
        notes.append(
            f"{part.lost} of its answers are not in the ledger (at most {UNFLUSHED} while the "
            "database keeps up)"
        )
    if part.set_aside_usd:
        notes.append(
            f"{part.set_aside_usd:.6f} USD are set aside for requests that nobody ends any more"
        )
    return [*notes, *part.complaints, *part.errors]
