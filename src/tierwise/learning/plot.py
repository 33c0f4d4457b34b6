"""Cost against quality as a picture: single models, the oracle, the router's curve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tierwise.errors import ConfigError
from tierwise.learning.result import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_INK, _PALE, _BLUE, _RED = "#22262b", "#8a929c", "#1f6feb", "#c2410c"


_SIDES = (((5, -9), "left"), ((5, 4), "left"), ((-5, -9), "right"), ((-5, 4), "right"))
"""Where a label may stand beside its point: offset in points, and how it is aligned."""


def plot(result: Evaluation, file: Path) -> None:
    """Writes the picture; the ending of the name chooses the format.

    Raises:
        ConfigError: matplotlib is missing, or the file cannot be written.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise ConfigError(
            "a plot needs matplotlib",
            remedy="Install it with `pip install 'tierwise[train]'`.",
        ) from None
    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=150, layout="constrained")
    axes = figure.subplots()
    # Per 1,000 requests, because the cost of one is too small a number to read.
    scale = 1000.0
    axes.plot(
        [scale * point.cost_usd for point in result.curve],
        [point.quality for point in result.curve],
        color=_BLUE, linewidth=2, label="router", zorder=3,
    )  # fmt: skip
    for model in result.constants:
        is_reference = model.model == result.reference.model
        color = _RED if is_reference else _PALE
        axes.scatter(scale * model.cost_usd, model.quality, color=color, s=28, zorder=4)
    oracle = result.oracle
    axes.scatter(
        scale * oracle.cost_usd, oracle.quality, marker="*", s=120, color=_INK, label="oracle"
    )
    axes.axhline(result.reference.quality, color=_RED, linewidth=0.8, linestyle=":", zorder=1)
    axes.set_xscale("log")
    axes.set_xlabel("cost, USD per 1,000 requests")
    axes.set_ylabel("quality")
    axes.set_title(f"{result.prompts:,} prompts, reference {result.reference.model}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    # Below the axes: a sample of a mark among the marks would be read as one of them.
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
    figure.draw_without_rendering()  # settles where things stand, which labels must know
    _label(axes, {m.model: (scale * m.cost_usd, m.quality) for m in result.constants})
    try:
        figure.savefig(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot write the plot: {error}", file=str(file)) from None


def _label(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Writes names beside points, each where it covers no other name and stays in the frame."""
    taken: list[Bbox] = []
    for name, place in sorted(points.items(), key=lambda item: item[1]):
        for offset, side in _SIDES:
            label = axes.annotate(
                name.split("/")[-1], place, xytext=offset, textcoords="offset points",
                ha=side, fontsize=7, color=_INK,
            )  # fmt: skip
            box = label.get_window_extent()
            free = not any(box.overlaps(other) for other in taken)
            if (free and box.x1 <= axes.bbox.x1) or (offset, side) == _SIDES[-1]:
                taken.append(box)
                break
            label.remove()
