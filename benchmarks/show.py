"""The comparison for people: a table, a picture, and what is being done meanwhile."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from curves import Gap, Point
    from rival_gates import Compared, Result, Side

_INK, _PALE = "#22262b", "#8a929c"
_COLORS = "#1f6feb", "#c2410c", "#e0a458", _PALE
"""Of ours and of cascadeflow's ways, in order."""


def say(what: str) -> None:
    """Tells whoever watches what is being done."""
    if not sys.stderr.isatty():
        return
    sys.stderr.write(f"\r{what:<72}")
    sys.stderr.flush()


def table(result: Result) -> None:
    """Prints the comparison."""
    say("")
    console = Console(width=140)
    console.print(
        f"{result.outcomes}: {result.prompts:,} prompts; {result.reference} {result.quality:.3f} "
        f"at {1000 * result.cost_usd:.3f} USD per 1,000; cascadeflow {result.cascadeflow} sends "
        f"{result.direct_share:.0%} there at once."
    )
    console.print("Saving at a fraction of its quality: in hindsight | chosen by training (got)")
    first = result.compared[0]
    found = Table("drafts by", "judged by", *first.ours.at, "default (got)")
    for one in result.compared:
        found.add_row(one.name, "Tierwise", *_cells(one.ours), "")
        for way, side in one.theirs.items():
            default = _default(one) if way == next(iter(one.theirs)) else ""
            found.add_row("", f"cascadeflow, {way}", *_cells(side), default)
        found.add_section()
    console.print(found)
    console.print("Tierwise's quality less cascadeflow's at the same cost, % of the reference's")
    gaps = Table("drafts by", "against", "costs from", "mean", "95%", "least", "ahead", "behind")
    for one in result.compared:
        for way, gap in one.ahead.items():
            gaps.add_row(one.name, way, *_gap(gap))
        gaps.add_section()
    console.print(gaps)
    for note in result.notes:
        console.print(note)


def _cells(side: Side) -> list[str]:
    return [f"{at.hindsight.saving:.0%} | {_got(at.chosen)}" for at in side.at.values()]


def _got(point: Point) -> str:
    return f"{point.saving:.0%} ({point.quality:.3f})"


def _default(one: Compared) -> str:
    if one.default is None:
        return ""
    return f"{_got(one.default)}, accepts {one.default.small_share:.0%}"


def _gap(found: Gap | None) -> list[str]:
    if found is None:
        return ["never under 1", "", "", "", "", ""]
    low, high = found.interval
    return [
        f"{found.from_cost:.2f}",
        f"{100 * found.mean:+.1f}",
        f"{100 * low:+.1f} to {100 * high:+.1f}",
        f"{100 * found.least:+.1f} at {found.least_at:.2f}",
        f"{found.ahead:.0%}",
        f"{found.behind:.0%}",
    ]


def draw(result: Result, file: Path) -> None:
    """Writes the picture: a panel for each comparison."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    columns = min(3, len(result.compared))
    rows = -(-len(result.compared) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * rows), dpi=130, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, one in zip(panels, result.compared, strict=False):
        sides = {"Tierwise": one.ours} | {f"cascadeflow, {w}": s for w, s in one.theirs.items()}
        # Those of fewer settings lie on top, or those of more would hide them.
        for (label, side), color, order in zip(sides.items(), _COLORS, (2, 4, 3, 1), strict=True):
            axes.scatter(
                [1 - point.saving for point in side.curve],
                [point.quality for point in side.curve],
                s=5, color=color, label=label, zorder=order,
            )  # fmt: skip
        if one.default is not None:
            axes.scatter(
                1 - one.default.saving, one.default.quality, marker="x", s=50, zorder=5, color=_INK,
                label="cascadeflow, default",
            )  # fmt: skip
        axes.axhline(1.0, color=_PALE, linewidth=0.8, linestyle=":")
        axes.axvline(1.0, color=_PALE, linewidth=0.8, linestyle=":")
        axes.set_title(one.name, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(result.compared) :]:
        axes.set_visible(False)
    panels[0].legend(frameon=False, fontsize=7)
    figure.supxlabel(f"cost, of {result.reference}'s", fontsize=9)
    figure.supylabel("quality, of the reference's", fontsize=9)
    figure.savefig(file)
