"""Prices that explain recorded costs: least squares with two variables, none below zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from tierwise.types import Prices


class Bill(Struct, frozen=True):
    """What one answer cost: USD for these tokens."""

    input_tokens: int
    output_tokens: int
    cost_usd: float


def fit(bills: Sequence[Bill]) -> Prices:
    """USD per million tokens that come nearest to the bills, and add up to the same total.

    Token counts may be estimates, so these are what makes estimated costs right on average, not
    what the provider had on its list.
    """
    xx = sum(b.input_tokens**2 for b in bills)
    yy = sum(b.output_tokens**2 for b in bills)
    xy = sum(b.input_tokens * b.output_tokens for b in bills)
    xc = sum(b.input_tokens * b.cost_usd for b in bills)
    yc = sum(b.output_tokens * b.cost_usd for b in bills)
    determinant = xx * yy - xy * xy
    if determinant > 0:
        per_input = (xc * yy - yc * xy) / determinant
        per_output = (yc * xx - xc * xy) / determinant
    else:
        # The counts are proportional, so one price for both explains as much as any two.
        per_input = per_output = (xc + yc) / max(1, xx + yy + 2 * xy)
    if per_input < 0:
        per_input, per_output = 0.0, yc / max(1, yy)
    elif per_output < 0:
        per_input, per_output = xc / max(1, xx), 0.0
    explained = sum(b.input_tokens * per_input + b.output_tokens * per_output for b in bills)
    scale = sum(b.cost_usd for b in bills) / explained if explained > 0 else 0.0
    return Prices(input=_round(per_input * scale * 1e6), output=_round(per_output * scale * 1e6))


def _round(price: float) -> float:
    """To six digits, so that a configuration can be read."""
    return round(price, 5 - math.floor(math.log10(price))) if price > 0 else 0.0
