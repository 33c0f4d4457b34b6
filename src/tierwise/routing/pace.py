"""How fast a model is, as far as the catalogue can tell, before anybody has asked it.

What makes a model slow is its size, which few makers publish. Quality and price both rise with it,
each for other reasons too: a model of this year is better than one of its size was two years ago,
and who sells a model counts as much for its price as what it is. So each guesses, and the mean of
both guesses (of their logarithms) is taken.

The lines are fitted to the answers of nine models, from Llama 3.2-1B to gpt-4o, whose latencies
stand in the `cascades` source of recorded outcomes (Rational Tuning of LLM Cascades, arXiv
2501.09345): the median latency of answers of at most three tokens for the first token, the median
of what is left of it for each token of answers longer than fifty. tests/routing/test_pace.py fits
them again. Nothing outside what was recorded is ever claimed.
"""

from __future__ import annotations

import math

from msgspec import Struct

from tierwise.types import Model

FIRST_BY_QUALITY, FIRST_BY_PRICE = (-3.73, 3.13), (-1.25, 0.53)
"""Start and slope of log(seconds to the first token), by quality and by log10 of the price."""
TOKEN_BY_QUALITY, TOKEN_BY_PRICE = (-8.45, 5.27), (-4.30, 0.82)
"""The same of log(seconds for each further token)."""
FIRST_S = (0.13, 0.42)
TOKEN_S = (0.003, 0.021)
"""The fastest and the slowest of what was recorded."""
HIDDEN_TOKENS = 1000
"""Tokens that a model thinks for before its answer, if it is asked to: gemini-2.5-pro was billed
about so many more than other models on the same prompts (the `paretobandit` source)."""
UNASKED = 0.25
"""The share of them that is expected of a model that can think and is not asked to. Some do so of
their own accord, as gemini-2.5-pro did; most do not, and gemini-2.5-flash was billed for none."""


class Pace(Struct, frozen=True):
    """Seconds to the first token of an answer, and for each token after it."""

    ttft_s: float
    token_s: float


def pace_of(model: Model, *, thinks: bool = False) -> Pace:
    """The usual pace of a model of this quality and price.

    Args:
        thinks: whether the task asks for reasoning.
    """
    first = _guess(model, FIRST_BY_QUALITY, FIRST_BY_PRICE, FIRST_S)
    token = _guess(model, TOKEN_BY_QUALITY, TOKEN_BY_PRICE, TOKEN_S)
    if "reasoning" in model.capabilities:
        first += token * HIDDEN_TOKENS * (1.0 if thinks else UNASKED)
    return Pace(first, token)


def _guess(
    model: Model,
    by_quality: tuple[float, float],
    by_price: tuple[float, float],
    bounds: tuple[float, float],
) -> float:
    guess = by_quality[0] + by_quality[1] * model.quality
    # The usual mix of three input tokens to one output token. What is free says nothing.
    price = (3 * model.prices.input + model.prices.output) / 4
    if price > 0:
        guess = (guess + by_price[0] + by_price[1] * math.log10(price)) / 2
    return min(bounds[1], max(bounds[0], math.exp(guess)))
