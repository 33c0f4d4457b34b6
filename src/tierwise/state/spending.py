"""What the requests of each policy have cost since the start, and what of it went to probes."""

from __future__ import annotations

from collections import defaultdict

HEAD_START_USD = 0.05
"""A policy is taken to have spent this much before its first request, so that the first ones can
have probes too: at a share of 0.1 that lets half a cent be spent on them."""


class Spending:
    """Keeps probes within their share. Amounts in USD, by policy."""

    def __init__(self) -> None:
        self._all: defaultdict[str, float] = defaultdict(float)
        self._probes: defaultdict[str, float] = defaultdict(float)

    def reserve(self, policy: str, share: float, price: float) -> bool:
        """Sets the price of a probe aside, if all probes stay within their share with it.

        What is set aside counts as spent until it is settled, so that many requests at a time do
        not each spend what is left.
        """
        if self._probes[policy] + price > share * (self._all[policy] + HEAD_START_USD):
            return False
        self._probes[policy] += price
        return True

    def settle(self, policy: str, price: float, cost: float) -> None:
        """A probe whose price was set aside has cost this."""
        self._probes[policy] += cost - price

    def add(self, policy: str, cost: float) -> None:
        """A request is over and has cost this, its probes included."""
        self._all[policy] += cost
