"""Does the traffic of late look like what the router has learned from?

A single strange prompt is nothing to worry about; when a quarter of the last prompts are strange,
the router is out of its depth and must prove every gain.
"""

from __future__ import annotations

from collections import deque

from tierwise.types import Decision

WINDOW = 64
FOREIGN_SHARE = 0.25
"""In traffic like the training data a window exceeds this less than once in a thousand."""
STRANGE = 0.9
"""From this novelty on a prompt counts as strange."""


class Traffic:
    """The novelty of the last `WINDOW` prompts."""

    def __init__(self) -> None:
        self._strange: deque[bool] = deque(maxlen=WINDOW)
        self._count = 0

    def saw(self, novelty: float) -> None:
        """Takes in a prompt's novelty in [0, 1]."""
        if len(self._strange) == WINDOW:
            self._count -= self._strange[0]
        strange = novelty >= STRANGE
        self._strange.append(strange)
        self._count += strange

    @property
    def foreign(self) -> bool:
        """Whether the last prompts, taken together, are unlike what was learned from."""
        return self._count > FOREIGN_SHARE * max(WINDOW // 4, len(self._strange))


def novelty_of(decision: Decision) -> float:
    """Of the task that was decided about; every estimate has the same."""
    estimates = (candidate.estimate for candidate in decision.candidates)
    return max((estimate.novelty for estimate in estimates if estimate is not None), default=0.0)
