"""Cost against quality as a picture: single models, the oracle, the router's curve."""

from __future__ import annotations

from pathlib import Path

from tierwise.errors import ConfigError
from tierwise.learning.result import Evaluation

_INK, _PALE, _BLUE, _RED = "#22262b", "#8a929c", "#1f6feb", "#c2410c"


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
        axes.annotate(
            model.model.split("/")[-1], (scale * model.cost_usd, model.quality),
            xytext=(5, -9), textcoords="offset points", fontsize=7, color=_INK,
        )  # fmt: skip
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
    axes.legend(frameon=False, loc="best")
    try:
        figure.savefig(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot write the plot: {error}", file=str(file)) from None
