"""Which model first, where quality was learned: the highest value, if the guard lets it.

The guard knows the one model that would be best if there were no choice (the base). In traffic
like what was learned from, the base is left for any gain that is more than a tie; in foreign
traffic only for a gain that is sure: its lower bound, less the more novel the prompt is.

A conversation stays with the model that answered last (the holder) unless leaving it gains more
than `STAY`. Only there such a margin is worth having: tried for single prompts, with rates solved
for it, one of 0.02 in favour of the base kept about one decision in a hundred more under rewording,
and took the saving at 0.99 of the reference's quality from 81% to 50% where it hurt most
(docs/routing.md). What makes decisions stable is that courtesies, capitals and blanks are not read
at all (`analysis.question`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from tierwise.types import Estimate, Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tierwise.routing.exchange import Terms

Number = TypeVar("Number", float, "NDArray[np.float64]")

TIE = 0.001
"""Values this close are a tie, which the base wins. The rate is solved without ties, so they must
be few enough not to shift the quality that it was solved for."""
STAY = 0.02
"""What leaving the model of a conversation must gain, beside the prompt cache that is lost: a
conversation that changes hands changes its style, and may change what was agreed in it."""
FOREIGN_COST = 0.2
"""What leaving the base costs for a prompt like none that was learned from: more than nearly any
predicted gain."""
DOUBT = 0.5
"""The share of the learners' disagreement that a sure gain must exceed."""


NOTHING: Mapping[str, float] = {}
"""No model is scarce."""


class Weighed(Struct, frozen=True):
    """The model that goes first, what each is worth at the rate that was applied (`per_usd`), who
    was worth choosing among, and the guard's word."""

    first: str
    values: Mapping[str, float]
    per_usd: float
    line_up: frozenset[str]
    guard: str


def weigh(
    estimates: Mapping[str, Estimate],
    terms: Terms,
    reference_cost_usd: float,
    foreign: bool,
    weights: Weights = Weights(),  # noqa: B008 - it is frozen
    holder: str | None = None,
    specialists: Iterable[str] = (),
    scarce: Mapping[str, float] = NOTHING,
) -> Weighed:
    """Weighs quality against cost.

    Args:
        estimates: of every candidate.
        terms: what quality is worth, which models are worth choosing among, and the base.
        reference_cost_usd: what the reference is expected to cost on this task.
        foreign: whether the traffic of late is unlike what was learned from.
        weights: how much cost and waiting count.
        holder: the model that answered last in the conversation.
        specialists: candidates in whose field the task lies. They may be chosen too: the sample
            that the line-up was settled on knows nothing of fields.
        scarce: what the use of a model costs others who want it, in quality. Where one of the
            line-up is scarce anybody may be chosen: it was settled on for a world with enough.
    """
    rate, base = terms.rate, terms.base
    per_usd = rate.per_usd
    if rate.reference_cost_usd is not None and reference_cost_usd > 0:
        per_usd *= rate.reference_cost_usd / reference_cost_usd
    values = {name: e.quality - per_usd * price_of(e, weights) for name, e in estimates.items()}
    choice = dict.fromkeys((*terms.line_up, *specialists))
    if scarce:
        values = {name: value - scarce.get(name, 0.0) for name, value in values.items()}
        if not scarce.keys().isdisjoint(choice):
            choice = dict.fromkeys(estimates)
    gains = {name: values[name] - values[base] for name in choice}
    if foreign:
        sure = {name: _sure(gains[name], estimates[name], estimates[base]) for name in gains}
        sure[base] = 0.0
        first = max(sure, key=lambda name: (sure[name], name == base, name))
    else:
        first = max(gains, key=lambda name: (gains[name], name == base, name))
        if gains[first] <= TIE:
            first = base
    stays = holder is not None and holder != first and values[first] - values[holder] <= STAY
    if holder is not None and stays:
        first = holder
    word = _word(first, base, values[first] - values[base], foreign)
    if stays:
        word = f"{word}, kept for the conversation"
    return Weighed(first, values, per_usd, frozenset(gains), word)


def price_of(estimate: Estimate, weights: Weights) -> float:
    """What counts against a model, in USD: its cost and the wait for its answer."""
    return weights.cost * estimate.cost_usd + weights.latency * estimate.latency_s


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
