"""How `tierwise evaluate` and `tierwise train` show what they found to people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tierwise.learning.result import Evaluation, Interval, Model, Point, Stability
    from tierwise.learning.served import At, Served
    from tierwise.learning.train import Trained


def show(result: Evaluation) -> None:
    """Prints operating points, single models and what else was measured."""
    console = Console()
    if result.apgr is not None:
        console.print(_ranking(result), highlight=False)
    console.print(_points(result))
    console.print(_models(result))
    if result.left_out:
        console.print(_left_out(result))
    if result.stability is not None:
        console.print(_stability(result.stability))
    console.print(
        f"{result.prompts:,} test prompts, {result.trained_on:,} learned from; "
        f"ECE {result.ece:.4f} {_span(result.intervals['ece'], '.4f')}; reading and deciding "
        f"{result.decision_us.p50:.0f} µs (p99 {result.decision_us.p99:.0f}).",
        highlight=False,
    )
    for note in result.notes:
        console.print(f"Note: {note}.", style="yellow", highlight=False)
    console.print(result.conclusion, style="bold", highlight=False)


def show_served(result: Served) -> None:
    """Prints what a finished router comes to as served, and rules beside it."""
    console = Console()
    console.print(_served(result))
    console.print(_models(result))
    speed = result.decision_us
    console.print(
        f"{result.prompts:,} prompts; nothing was learned. A decision, with the analysis: "
        f"{speed.p50:.0f} µs (p99 {speed.p99:.0f}).",
        highlight=False,
    )
    for note in result.notes:
        console.print(f"Note: {note}.", style="yellow", highlight=False)


def show_trained(result: Trained) -> None:
    """Prints what was written."""
    console = Console()
    console.print(
        f"{result.file}: {result.megabytes:.1f} MB, {len(result.models)} models, "
        f"{result.prompts:,} prompts of {', '.join(result.sources)} "
        f"({result.merged:,} merged into others).",
        highlight=False,
    )
    console.print(
        f"On rows left out: ECE {result.ece:.4f}, mean squared error "
        f"{result.mean_squared_error:.4f}; ridge {result.ridge:g}.",
        highlight=False,
    )
    if result.cascade:
        console.print(f"It judges answers of {', '.join(result.cascade)}.", highlight=False)
    for note in result.notes:
        console.print(f"Note: {note}.", style="yellow", highlight=False)


def _ranking(result: Evaluation) -> str:
    spans = result.intervals
    return (
        f"APGR {result.apgr:.4f} {_span(spans['apgr'], '.3f')}, "
        f"CPT(50%) {result.cpt50:.1f}% {_span(spans['cpt50'], '.1f')}, "
        f"CPT(80%) {result.cpt80:.1f}% {_span(spans['cpt80'], '.1f')}"
    )


def _points(result: Evaluation) -> Table:
    table = Table(title=f"Saving against {result.reference.model}")
    table.add_column("quality wanted")
    for name in ("chosen: quality, saving", "served", "best point", "95%", "single model"):
        table.add_column(name, justify="right", overflow="fold")
    for fraction, found in result.at.items():
        if found is None:
            table.add_row(fraction, *["not reached"] + [""] * 4)
            continue
        alone, served = found.constant, found.served
        table.add_row(
            fraction,
            _kept(found.chosen),
            _kept(served) if served is not None else "unknown",
            f"{found.saving:.1%}",
            _span(found.saving_interval, ".1%"),
            f"{alone.saving:.1%} ({alone.model})" if alone else "none",
        )
    return table


def _kept(point: Point) -> str:
    """How much of the reference's quality, and what that saved."""
    return f"{point.quality_rel:.4f}, {point.saving:.1%}"


def _served(result: Served) -> Table:
    table = Table(title=f"As served, first tier only, against {result.reference.model}")
    table.add_column("asked")
    ways = {Path(result.router).name: result.at}
    if result.rules is not None:
        ways["rules"] = result.rules
    for name in ways:
        for figure in (f"{name}: quality", "saving", "small"):
            table.add_column(figure, justify="right")
    table.add_column("single model", justify="right", overflow="fold")
    for quality, found in result.at.items():
        alone = found.constant
        table.add_row(
            quality,
            *(cell for way in ways.values() for cell in _reached(way[quality])),
            f"{alone.saving:.1%} ({alone.model})" if alone else "none",
        )
    return table


def _reached(found: At) -> tuple[str, str, str]:
    point = found.chosen
    return f"{point.quality_rel:.4f}", f"{point.saving:.1%}", f"{point.small_share:.1%}"


def _models(result: Evaluation | Served) -> Table:
    table = Table(title="One model for everything")
    table.add_column("model")
    for name in ("quality", "95%", "USD per 1,000"):
        table.add_column(name, justify="right")

    def add(model: Model, name: str) -> None:
        table.add_row(
            name,
            f"{model.quality:.4f}",
            _span(model.quality_interval, ".3f"),
            f"{1000 * model.cost_usd:.3f}",
        )

    for model in sorted(result.constants, key=lambda one: -one.quality):
        mark = " (reference)" if model.model == result.reference.model else ""
        add(model, model.model + mark)
    add(result.oracle, "oracle")
    return table


def _left_out(result: Evaluation) -> Table:
    table = Table(title="Each dataset on a router that never saw it, and models that cost no more")
    table.add_column("dataset")
    for name in ("prompts", "router", "best by training", "below", "best in hindsight", "regret"):
        table.add_column(name, justify="right")
    for one in sorted(result.left_out, key=lambda one: -one.below_constant):
        table.add_row(
            one.dataset,
            f"{one.prompts:,}",
            f"{one.quality:.4f}",
            f"{one.constant_quality:.4f} {one.constant}",
            f"{one.below_constant:.4f}",
            one.best_model,
            f"{one.regret:.4f}",
        )
    return table


def _stability(found: Stability) -> Table:
    table = Table(title=f"Decisions that rewording leaves unchanged ({found.prompts} prompts)")
    table.add_column("")
    for name in ("unchanged", "95%", "changed by more than a tie"):
        table.add_column(name, justify="right")
    rows = {f"policy of quality {name}": share for name, share in found.at.items()}
    for name, share in {**rows, **found.sorts, "all": found.all}.items():
        table.add_row(
            name,
            f"{share.unchanged:.1%}",
            _span(share.interval, ".1%"),
            f"{share.beyond_tie:.1%}",
        )
    return table


def _span(interval: Interval, form: str) -> str:
    return f"{interval[0]:{form}}..{interval[1]:{form}}"
