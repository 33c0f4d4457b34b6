"""Who is chosen at which rate, for every task of a sample and all rates at once.

At a rate λ a model is worth `quality − λ · cost`: a line in λ for each task. The highest of several
lines is their upper envelope, and each model is the highest on one interval of rates or on none. So
there is no need to try rates one by one: where two lines cross is one division, and a mean over the
chosen is a running sum that a task joins where its interval begins and leaves where it ends.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.routing.sample import Sample

Vector = NDArray[np.float64]
Places = NDArray[np.intp]


class Envelope(Struct, frozen=True):
    """Some models of a sample, and where among the rates (R,) each is chosen for each task.

    Model `models[i]` is chosen for a task from rate `first[i]` up to before rate `end[i]`, places
    in `rates`, each (tasks,). Of equal values that of the model that joined earlier counts.
    """

    sample: Sample
    rates: Vector
    models: tuple[int, ...]
    first: tuple[Places, ...]
    end: tuple[Places, ...]

    @classmethod
    def of(cls, sample: Sample, rates: Vector, models: Sequence[int]) -> Envelope:
        """Of these models, by their columns in the sample; `rates` ascend."""
        tasks = len(sample.predicted)
        alone = np.zeros(tasks, np.intp), np.full(tasks, len(rates), np.intp)
        found = cls(sample, rates, (models[0],), alone[:1], alone[1:])
        for model in models[1:]:
            found = found.joined(model)
        return found

    def joined(self, model: int) -> Envelope:
        """The same with one model more."""
        first: list[Places] = []
        end: list[Places] = []
        start = np.zeros(len(self.sample.predicted), np.intp)
        stop = np.full(len(start), len(self.rates), np.intp)
        for place, other in enumerate(self.models):
            cheaper, cross = self._crossing(other, model)
            # Whoever is cheaper is chosen at the higher rates.
            if cheaper.all():
                first.append(self.first[place])
                end.append(np.minimum(self.end[place], cross))
                start = np.maximum(start, cross)
            else:
                first.append(np.maximum(self.first[place], np.where(cheaper, 0, cross)))
                end.append(np.minimum(self.end[place], np.where(cheaper, cross, len(self.rates))))
                start = np.maximum(start, np.where(cheaper, cross, 0))
                stop = np.minimum(stop, np.where(cheaper, len(self.rates), cross))
        first.append(start)
        end.append(stop)
        ends = tuple(np.maximum(a, b) for a, b in zip(first, end, strict=True))
        return Envelope(self.sample, self.rates, (*self.models, model), tuple(first), ends)

    def means(self, *figures: NDArray[np.float64]) -> list[Vector]:
        """Means over the tasks of figures of the chosen model, (R,) each.

        Args:
            figures: (models of the sample, tasks) each.
        """
        places = np.concatenate([*self.first, *self.end])
        columns = list(self.models)
        tasks = len(self.sample.predicted)
        found: list[Vector] = []
        for figure in figures:
            own = figure[columns].ravel()
            steps = np.bincount(places, np.concatenate([own, -own]), len(self.rates) + 1)
            found.append(steps[:-1].cumsum() / tasks)
        return found

    def _crossing(self, one: int, other: int) -> tuple[NDArray[np.bool_], Places]:
        """For each task whether `other` is no dearer, and the first rate on its side, or past it.

        That is the first at which the cheaper of the two is chosen.
        """
        sample = self.sample
        dearer = sample.cost_usd[:, one] - sample.cost_usd[:, other]
        better = sample.predicted[:, one] - sample.predicted[:, other]
        cheaper = dearer >= 0
        with np.errstate(divide="ignore", invalid="ignore"):
            at = better / dearer
        same = dearer == 0
        if same.any():
            at[same] = np.where(better[same] < 0, -np.inf, np.inf)
        cross = np.searchsorted(self.rates, at)
        # At a rate of equal worth the one that joined earlier, `one`, is chosen.
        equal = self.rates[np.minimum(cross, len(self.rates) - 1)] == at
        cross += cheaper & equal
        return cheaper, cross
