"""The simulated models: invented, and named so that nobody takes them for real ones."""

from __future__ import annotations

from msgspec import Struct

from tierwise.fleet.source import FleetModel
from tierwise.types import Capability, Domain, Prices


class SimulatedModel(Struct, frozen=True):
    """A model and what it can do: `skill` in [0, 1], and `bonus` more in its specialities."""

    model: FleetModel
    skill: float
    bonus: float = 0.0


_TEXT: frozenset[Capability] = frozenset({"tools", "json_schema", "json_mode", "logprobs"})
_SEEING: frozenset[Capability] = frozenset({"vision", "reasoning"})
_CLOSED, _OPEN = ("alpha", "beta"), ("gamma", "delta")


def _model(
    name: str,
    prices: tuple[float, float],
    quality: float,
    homes: tuple[str, str],
    speed: tuple[float, float],
    window: int,
    *specialises: Domain,
    more: frozenset[Capability] = frozenset(),
) -> FleetModel:
    """`prices` of input and output; `speed` as seconds to the first token and tokens a second."""
    return FleetModel(
        id=name,
        upstream=name,
        prices=Prices(input=prices[0], output=prices[1]),
        quality=quality,
        homes=homes,
        ttft_s=speed[0],
        tokens_per_s=speed[1],
        context_window=window,
        capabilities=_TEXT | more,
        specialises=frozenset(specialises),
    )


LINE_UP = (
    SimulatedModel(_model("sim-nano", (0.04, 0.12), 0.67, _OPEN, (0.12, 220), 16_384), 0.3),
    SimulatedModel(_model("sim-small", (0.15, 0.6), 0.89, _OPEN, (0.2, 150), 65_536), 0.58),
    SimulatedModel(
        _model("sim-code", (0.3, 0.9), 0.88, _OPEN, (0.25, 120), 65_536, "code"), 0.5, 0.45
    ),
    SimulatedModel(
        _model("sim-ledger", (0.8, 2.4), 0.91, _CLOSED, (0.3, 100), 131_072, "finance", "legal"),
        0.55,
        0.4,
    ),
    SimulatedModel(_model("sim-medium", (1.2, 4.8), 0.95, _CLOSED, (0.35, 90), 131_072), 0.72),
    SimulatedModel(
        _model("sim-large", (10.0, 30.0), 0.99, _CLOSED, (0.6, 50), 262_144, more=_SEEING), 0.97
    ),
)
"""Smallest first. `quality` is about the mean chance of being right over all tasks."""
