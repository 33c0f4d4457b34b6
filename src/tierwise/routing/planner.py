"""Stop with the best answer so far, or ask one more model? By expected utility, all calls billed.

What counts is quality - λ · cost of everything that was asked (cascade routing, arXiv 2410.10347).
Stopping is worth the highest P(right) among the answers in hand. Asking a model is worth what its
answer alone would be, plus what was learned to be gained by going on wisely from there: the answer
may agree with one that is in hand, or call for a third. So a tier is skipped, or the top is asked
at once, wherever that is worth more; nothing is a fixed ladder.

What going on is worth is fitted by `tierwise.routing.induction`. Nothing here knows an answer's
text: a state is numbers, so that a decision can be replayed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
Seen = tuple[int, ...]
"""Places of the models whose answers are known, ascending."""

STOP = -1


class State(Struct, frozen=True, kw_only=True):
    """What is known of one request; models by their place in the line-up.

    `quality` (m,) and `cost_usd` (m,) are what was predicted from the prompt, `asked` the models
    that answered, in order, and `posterior` (m,) the scorer's P(right) of every model given their
    answers; None as long as nobody was asked. A model that failed or must not be asked is `barred`.
    """

    quality: Vector
    cost_usd: Vector
    asked: tuple[int, ...] = ()
    posterior: Vector | None = None
    barred: frozenset[int] = frozenset()


class Stop(Struct, frozen=True):
    """Give the answer of `model`, which is right with probability `p`."""

    model: int
    p: float


class Ask(Struct, frozen=True):
    """Ask `model` next.

    `gain` is its worth over stopping (or over nothing) and `lead` over the next best thing to do,
    in quality.
    """

    model: int
    gain: float
    lead: float = math.inf


class Situations(Struct, frozen=True):
    """Many requests in one state: `known` (n, m) is P(right) of every model as far as is known.

    Before anybody was asked that is what was predicted from the prompt, which is `quality` (n, m).
    `cost_usd` (n, m) is predicted.
    """

    quality: Matrix
    cost_usd: Matrix
    known: Matrix


class Plan(Struct, frozen=True):
    """What going on is worth at one price of quality.

    `price` is λ in 1/USD; `reference` the place of the model that quality refers to; `depth` how
    many answers are weighed against each other. `weights` has (m, F + 1, 3) for each state of fewer
    than `depth` answers (see `worth`).
    """

    price: float
    reference: int
    depth: int
    weights: Mapping[Seen, Matrix]

    def next(self, state: State) -> Stop | Ask:
        """The next step for one request.

        Once `depth` answers were weighed a further one is taken as it is.
        """
        seen = tuple(sorted(state.asked))
        known = state.quality if state.posterior is None else state.posterior
        if len(seen) > self.depth:
            return Stop(state.asked[-1], float(known[state.asked[-1]]))
        one = Situations(state.quality[None], state.cost_usd[None], known[None])
        values = self.values(seen, one, state.barred)[0]
        model = int(values[:-1].argmax())
        stop = float(values[STOP])
        if not np.isfinite(values[model]) or stop >= values[model]:
            best = max(seen, key=lambda at: known[at])
            return Stop(best, float(known[best]))
        value, values[model] = float(values[model]), -np.inf
        return Ask(model, value - (stop if seen else 0.0), value - float(values.max()))

    def values(self, seen: Seen, at: Situations, barred: Collection[int] = ()) -> Matrix:
        """Worth of asking each model, and in the last column of stopping, (n, m + 1).

        What cannot be done is worth minus infinity: asking a model again, or stopping with nothing.
        """
        rows, models = at.known.shape
        found = np.full((rows, models + 1), -np.inf)
        if seen:
            found[:, STOP] = at.known[:, list(seen)].max(axis=1)
        goes_on = len(seen) < self.depth
        features = situation(seen, at, self.price, self.reference, 0) if goes_on else None
        for model in range(models):
            if model in seen or model in barred:
                continue
            found[:, model] = at.known[:, model] - self.price * at.cost_usd[:, model]
            if features is not None:
                # All but the last two are the same whichever model is asked.
                features[:, -2] = at.known[:, model]
                features[:, -1] = self.price * at.cost_usd[:, model]
                found[:, model] += worth(features, self.weights[seen][model])
        return found


def situation(seen: Seen, at: Situations, price: float, reference: int, model: int) -> Matrix:
    """What the worth of going on with a model depends on, (n, F)."""
    known, cost = at.known, price * at.cost_usd
    if seen:
        best = known[:, list(seen)].max(axis=1)
        first = [best, best**2, known[:, reference], known.mean(axis=1), known.max(axis=1)]
    else:
        first = [known.mean(axis=1), known[:, reference], known.min(axis=1)]
    return np.column_stack([*first, cost[:, reference], known[:, model], cost[:, model]])


def worth(features: Matrix, weights: Matrix) -> Vector:
    """A linear function (n,) of features (n, F).

    `weights` (F + 1, 3): mean, spread and weight of each feature; the last weight is the constant.
    """
    scaled = (features - weights[:-1, 0]) / weights[:-1, 1]
    found: Vector = scaled @ weights[:-1, 2] + weights[-1, 2]
    return found
