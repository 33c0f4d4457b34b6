"""What is expected of models on test prompts, and what is chosen by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.learning import choose
from tierwise.routing.weigh import TIE

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Expected(Struct, frozen=True):
    """What is expected of m models on n test prompts: quality, how far the learners are apart, and
    cost in USD, (n, m) each; `novelty` (n,); and whether the guard must see a sure gain."""

    quality: Matrix
    disagreement: Matrix
    cost: Matrix
    novelty: Vector
    guarded: bool

    def choices(
        self, prices: Vector, base: NDArray[np.intp], among: Sequence[int]
    ) -> choose.Choices:
        """The model chosen for each value of λ and prompt."""
        if not self.guarded:
            return choose.choices(self.quality, self.cost, prices, among)
        return choose.guarded(
            self.quality, self.disagreement, self.cost, prices, base, self.novelty, among
        )

    def served(self, price: float, base: int, among: Sequence[int]) -> NDArray[np.int16]:
        """The model chosen for each prompt as serving chooses: ties stay with the base."""
        prices, bases = np.array([price]), np.array([base])
        chosen: NDArray[np.int16] = self.choices(prices, bases, among)[0]
        if self.guarded:
            return chosen
        value = self.quality - price * self.cost
        gain = value[np.arange(len(chosen)), chosen] - value[:, base]
        kept: NDArray[np.int16] = np.where(gain <= TIE, np.int16(base), chosen)
        return kept
