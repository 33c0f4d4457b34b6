"""Quality before anything was measured: a rough guess that learned data overrules.

Every quality in the catalogue comes from a *standing*: a number on the scale of public arena
ratings (about 1100 for the weakest model that is still of use, 1350 for the best of 2024, above
1500 for the best of late 2026). It is squashed into [0, 1], so that the order of standings is
the order of qualities and differences at the top count for little:

    quality = 1 / (1 + exp(-(standing - 1120) / 120))

The two constants are chosen so that gpt-4-1106-preview and mixtral-8x7b come out at 0.83 and
0.66, the share of MMLU and GSM8K questions that RouteLLM's published data has them answer well.

Where a standing comes from is said at each model in `models.json` (`basis`):

- `public`: rounded from what public leaderboards and benchmarks agreed on, as remembered by the
  people who wrote this file, and moved down where a model is liked more than it is right;
- `position`: nothing was known, mostly because the model is newer than that memory. It is
  placed by its position in its family (newer over older, large over small) and by the rank of
  its price among its contemporaries.

For models outside the catalogue see `standing_by_price`.
"""

from __future__ import annotations

import math

from tierwise.types import Prices

MIDDLE = 1120.0
"""The standing of a model that does half of everyday tasks well."""
SPREAD = 120.0
"""Points of standing for one unit of log-odds."""

_AT_ONE_DOLLAR = 1350.0
_PER_DECADE = 60.0
_LOWEST, _HIGHEST = 1150.0, 1450.0


def quality(standing: float) -> float:
    """The quality in [0, 1] that belongs to a standing; rises with it."""
    return round(1.0 / (1.0 + math.exp(-(standing - MIDDLE) / SPREAD)), 3)


def standing_by_price(prices: Prices) -> float:
    """A standing for a model of which only the price is known.

    Price says little about quality: among the catalogue's own models of any one year ten times
    the price goes with about 60 points, and a year with about 80. Since the age is not known
    either, a line of that slope through the middle of them all, held within bounds so that no
    unknown model passes for one of the best only because it is dear, nor for useless because it
    is free.
    Price is the usual mix of three input tokens to one output token, in USD per million.
    """
    mixed = (3 * prices.input + prices.output) / 4
    if mixed <= 0:
        return _LOWEST
    guess = _AT_ONE_DOLLAR + _PER_DECADE * math.log10(mixed)
    return min(_HIGHEST, max(_LOWEST, guess))
