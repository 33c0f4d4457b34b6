"""Resamples of the test prompts: what operating points come to in each, and how far they spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.learning import metrics
from tierwise.learning.choose import TOLERANCE

Matrix = NDArray[np.float64]

_DIGITS = 12


class Drawn(Struct, frozen=True):
    """Means of p points in k resamples, (k, p) each; the reference's are (k, 1).

    `small` is the share of prompts not sent to the reference. Costs are USD.
    """

    quality: Matrix
    cost_usd: Matrix
    small: Matrix
    reference_quality: Matrix
    reference_cost_usd: Matrix

    def cheapest(self, fraction: float) -> Drawn:
        """One point, (k', 1): the cheapest at a fraction of the reference's quality.

        It is found anew in each resample, as it was found on the test; resamples in which no point
        reaches the fraction are left out.
        """
        able = self.quality >= fraction * self.reference_quality - TOLERANCE
        row = np.flatnonzero(able.any(axis=1))
        best = np.where(able, self.cost_usd, np.inf)[row].argmin(axis=1)
        return Drawn(
            self.quality[row, best][:, None],
            self.cost_usd[row, best][:, None],
            self.small[row, best][:, None],
            self.reference_quality[row],
            self.reference_cost_usd[row],
        )

    def spans(self) -> list[dict[str, Any]]:
        """The 95% intervals of each point's figures, by the names that `Point` has for them."""
        shares = {
            "quality": self.quality,
            "quality_rel": _ratios(self.quality, self.reference_quality),
            "saving": 1.0 - _ratios(self.cost_usd, self.reference_cost_usd),
            "small_share": self.small,
        }
        # The weights of a resample add up to a hair more or less than 1, and so would a share
        # that is 1; adding 0 leaves no -0.
        figures = {name: drawn.round(_DIGITS) + 0.0 for name, drawn in shares.items()}
        figures["cost_usd"] = self.cost_usd
        found = {f"{name}_interval": metrics.intervals(drawn) for name, drawn in figures.items()}
        points = range(self.quality.shape[1])
        return [{name: spans[point] for name, spans in found.items()} for point in points]


def _ratios(some: Matrix, reference: Matrix) -> Matrix:
    """NaN, which is null in JSON, over nothing."""
    blank = np.full_like(some, np.nan)
    found: Matrix = np.divide(some, reference, out=blank, where=reference != 0)
    return found
