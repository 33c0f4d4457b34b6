"""What tokens cost, in USD.

Long prompts: some models charge more once the prompt is longer than a threshold, and then for
*every* token of the request, not only those beyond it (the "cliff" that OpenAI, Google and
Anthropic all use). `TieredPrices` carries those rates; its own fields are the base tier, so that
whatever reads only those sees the usual price, and `cost` picks the tier by prompt length.
"""

from __future__ import annotations

from tierwise.types import Prices, Usage

_MTOK = 1e-6


class TieredPrices(Prices, frozen=True, kw_only=True):
    """Prices that rise with the length of the prompt.

    `above` lists `(tokens, prices)` by rising threshold: with more input tokens than `tokens`,
    these prices hold for the whole request.
    """

    above: tuple[tuple[int, Prices], ...] = ()

    def at(self, input_tokens: int) -> Prices:
        """The prices for a prompt of this many tokens, cached ones included."""
        for threshold, prices in reversed(self.above):
            if input_tokens > threshold:
                return prices
        return self


def cost(usage: Usage, prices: Prices) -> float:
    """What a call cost, in USD.

    The provider's own figure wins where it reports one: it knows of discounts, surcharges and
    routing that no price list shows, and it is what the invoice will say.

    `usage.input_tokens` includes cached and cache-written tokens, as `Usage` has it; what
    remains of it is charged as input. Reasoning tokens are part of `output_tokens`. A price that
    is not listed for cached or cache-written tokens is the input price. Counts are taken as they
    are: they are checked where they are read from the provider's answer, which is the place to
    reject negative ones.
    """
    if usage.cost_usd is not None:
        return usage.cost_usd
    return reference_cost(usage, prices)


def reference_cost(usage: Usage, prices: Prices) -> float:
    """What the same token counts would have cost at other prices, in USD.

    This is what savings are measured against, so a figure that the provider reported for the
    model that did answer plays no part. Cache hits are assumed to be the same, which favours the
    reference: a smaller saving is claimed rather than a larger one.
    """
    if isinstance(prices, TieredPrices):
        prices = prices.at(usage.input_tokens)
    per_input = prices.input
    total = usage.input_tokens * per_input + usage.output_tokens * prices.output
    # Corrections to "all input at the input price", so that the common case without a cache
    # costs two comparisons.
    if usage.cached_input_tokens and prices.cached_input is not None:
        total += usage.cached_input_tokens * (prices.cached_input - per_input)
    if usage.cache_write_tokens and prices.cache_write is not None:
        total += usage.cache_write_tokens * (prices.cache_write - per_input)
    return total * _MTOK
