"""Which model first, where quality was learned: the highest value, if the guard lets it.

The guard knows the one model that would be best if there were no choice (the base). In traffic
like what was learned from, the base is left for any gain that is more than a tie; in foreign
traffic only for a gain that is sure: its lower bound, less the more novel the prompt is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from tierwise.types import Estimate

if TYPE_CHECKING:
    from tierwise.routing.exchange import Rate

TIE = 0.005
"""Values this close are a tie, which the base wins: rewording a prompt must not flip its model."""
FOREIGN_COST = 0.2
"""What leaving the base costs for a prompt like none that was learned from: more than nearly any
predicted gain."""
DOUBT = 0.5
"""The share of the learners' disagreement that a sure gain must exceed."""


class Weighed(Struct, frozen=True):
    """The model that goes first, what each is worth, and the guard's word."""

    first: str
    values: Mapping[str, float]
    guard: str


def weigh(
    estimates: Mapping[str, Estimate],
    rate: Rate,
    base: str,
    reference_cost_usd: float,
    foreign: bool,
) -> Weighed:
    """Weighs quality against cost.

    Args:
        estimates: of every candidate, the base among them.
        rate: what quality is worth.
        base: the best single model at that rate.
        reference_cost_usd: what the reference is expected to cost on this task.
        foreign: whether the traffic of late is unlike what was learned from.
    """
    per_usd = rate.per_usd
    if rate.reference_cost_usd is not None and reference_cost_usd > 0:
        per_usd *= rate.reference_cost_usd / reference_cost_usd
    values = {name: e.quality - per_usd * e.cost_usd for name, e in estimates.items()}
    gains = {name: values[name] - values[base] for name in estimates}
    if foreign:
        sure = {name: _sure(gains[name], estimates[name], estimates[base]) for name in estimates}
        sure[base] = 0.0
        first = max(sure, key=lambda name: (sure[name], name == base, name))
    else:
        first = max(values, key=lambda name: (values[name], name == base, name))
        if gains[first] <= TIE:
            first = base
    return Weighed(first, values, _word(first, base, gains[first], foreign))


def _sure(gain: float, one: Estimate, base: Estimate) -> float:
    """The lower bound of a gain over the base."""
    apart = math.hypot(one.quality - one.quality_low, base.quality - base.quality_low)
    known = 1.0 - one.novelty
    return known * (gain - DOUBT * apart) - one.novelty * FOREIGN_COST


def _word(first: str, base: str, gain: float, foreign: bool) -> str:
    where = "in foreign traffic, " if foreign else ""
    if first == base:
        return f"{where}no model is worth leaving {base} for, the best single one"
    return f"{where}worth {gain:+.3f} over {base}, the best single model"
