"""Which model first, where quality was learned: the highest value, if the guard lets it.

The guard knows the one model that would be best if there were no choice (the base). In traffic
like what was learned from, the base is left for any gain that is more than a tie; in foreign
traffic only for a gain that is sure: its lower bound, less the more novel the prompt is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from tierwise.types import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tierwise.routing.exchange import Terms

Number = TypeVar("Number", float, "NDArray[np.float64]")

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
    terms: Terms,
    reference_cost_usd: float,
    foreign: bool,
) -> Weighed:
    """Weighs quality against cost.

    Args:
        estimates: of every candidate.
        terms: what quality is worth, which models are worth choosing among, and the base.
        reference_cost_usd: what the reference is expected to cost on this task.
        foreign: whether the traffic of late is unlike what was learned from.
    """
    rate, base = terms.rate, terms.base
    per_usd = rate.per_usd
    if rate.reference_cost_usd is not None and reference_cost_usd > 0:
        per_usd *= rate.reference_cost_usd / reference_cost_usd
    values = {name: e.quality - per_usd * e.cost_usd for name, e in estimates.items()}
    gains = {name: values[name] - values[base] for name in (base, *terms.line_up)}
    if foreign:
        sure = {name: _sure(gains[name], estimates[name], estimates[base]) for name in gains}
        sure[base] = 0.0
        first = max(sure, key=lambda name: (sure[name], name == base, name))
    else:
        first = max(gains, key=lambda name: (gains[name], name == base, name))
        if gains[first] <= TIE:
            first = base
    return Weighed(first, values, _word(first, base, gains[first], foreign))


def sure_gain(gain: Number, apart: Number, novelty: Number) -> Number:
    """The lower bound of a gain over the base, of one task or of arrays of them.

    Args:
        gain: of value, as predicted.
        apart: how far the learners are apart about it.
        novelty: of the task, in [0, 1].
    """
    return (1.0 - novelty) * (gain - DOUBT * apart) - novelty * FOREIGN_COST


def _sure(gain: float, one: Estimate, base: Estimate) -> float:
    apart = math.hypot(one.quality - one.quality_low, base.quality - base.quality_low)
    return float(sure_gain(gain, apart, one.novelty))


def _word(first: str, base: str, gain: float, foreign: bool) -> str:
    where = "in foreign traffic, " if foreign else ""
    if first == base:
        return f"{where}no model is worth leaving {base} for, the best single one"
    return f"{where}worth {gain:+.3f} over {base}, the best single model"
