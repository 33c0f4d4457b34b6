"""Is a probe worth its price? The value of what it may say, before it is asked.

A probe says yes or no to an answer. Whether to keep the answer or to ask the next tier is decided
by the larger of p, P(the answer is right), and τ, what the next tier is worth; so a probe is worth
what it is expected to raise that maximum by. This is the expected value of sample information
(EVSI) of Raiffa and Schlaifer, Applied Statistical Decision Theory, 1961, chapter 4; Russell and
Norvig, Artificial Intelligence, has it as the value of information. A probe that cannot change the
decision is worth nothing.
"""

from __future__ import annotations

from math import inf

from msgspec import Struct


class Power(Struct, frozen=True):
    """How well a probe tells right from wrong: P(it says yes) of a right and of a wrong answer."""

    if_right: float
    if_wrong: float

    @classmethod
    def measured(cls, after_yes: float, after_no: float, base: float) -> Power:
        """The power of a probe of which the reverse is known, by Bayes' rule.

        Args:
            after_yes: the share of right answers among those that it said yes to; above `base`.
            after_no: the same of no; below `base`.
            base: the share of right answers among all.
        """
        says_yes = (base - after_no) / (after_yes - after_no)
        return cls(after_yes * says_yes / base, (1 - after_yes) * says_yes / (1 - base))


class Stake(Struct, frozen=True):
    """What is at stake where an answer is kept or the next tier is asked.

    `accept` is τ, what P(acceptable) must reach. `next_cost_usd` is what the next tier is expected
    to cost. `rate` is λ, what one USD is worth in quality; None where nothing implies one.
    """

    accept: float
    next_cost_usd: float
    rate: float | None


def implied_rate(accept: float, quality: float, cost_usd: float) -> float | None:
    """λ of somebody who takes an answer of quality τ rather than ask for a better one.

    Who is indifferent between the two pays `cost_usd` for `quality` - τ. None where that says
    nothing: the next tier is free, or is not expected to be any better.
    """
    return (quality - accept) / cost_usd if cost_usd > 0 and quality > accept else None


def sample_information(p: float, accept: float, power: Power) -> float:
    """EVSI, in units of quality: E[max(p', τ)] - max(p, τ), with p' by Bayes' rule.

    Never negative, and at most min(p, τ) - pτ, which a probe without error is worth.
    """
    yes = p * power.if_right + (1 - p) * power.if_wrong
    right_and_yes = p * power.if_right
    after = max(right_and_yes, accept * yes) + max(p - right_and_yes, accept * (1 - yes))
    return max(0.0, after - max(p, accept))


def spared(p: float, accept: float, power: Power) -> float:
    """The share of escalations that a probe is expected to spare; 0 where none is due."""
    yes = p * power.if_right + (1 - p) * power.if_wrong
    return yes if p < accept and p * power.if_right >= accept * yes > 0 else 0.0


def gain_usd(p: float, power: Power, price_usd: float, stake: Stake) -> float:
    """What buying a probe gains, in USD: buy it if that is above 0.

    Where a rate is known, it is EVSI / λ less the price. Else it is what the escalations that are
    spared would have cost, less the price.

    Args:
        p: P(acceptable) by all that is known for free.
        price_usd: what the probe is expected to cost.
    """
    if stake.rate is None:
        return spared(p, stake.accept, power) * stake.next_cost_usd - price_usd
    information = sample_information(p, stake.accept, power)
    if stake.rate <= 0:  # quality at any price
        return inf if information > 0 else -price_usd
    return information / stake.rate - price_usd
