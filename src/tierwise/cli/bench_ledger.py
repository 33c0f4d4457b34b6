"""How `tierwise bench --ledger` shows its times to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tierwise.bench.ledger import Times


def show(times: Times) -> None:
    """Prints what reports, readings and pages took: pages by whoever looked, their medians."""
    typer.echo(f"{times.requests:,} requests; milliseconds")
    typer.echo(f"\n{'':40}{'first':>10}{'median':>10}")
    for one in times.readings:
        typer.echo(f"{one.what:40}{one.first_s * 1000:>10,.0f}{one.median_s * 1000:>10,.0f}")
    names = list(dict.fromkeys(one.person for one in times.pages))
    found = {(one.page, one.person): one for one in times.pages}
    typer.echo(f"\n{'page, median':40}" + "".join(f"{name:>16}" for name in names))
    for page in dict.fromkeys(one.page for one in times.pages):
        medians = [found.get((page, name)) for name in names]
        shown = ["" if one is None else f"{one.median_s * 1000:,.0f}" for one in medians]
        typer.echo(f"{page:40}" + "".join(f"{text:>16}" for text in shown))
    slowest = max(times.pages, key=lambda one: one.first_s)
    typer.echo(
        f"the slowest at first: {slowest.page} for the {slowest.person}, "
        f"{slowest.first_s * 1000:,.0f} ms"
    )
