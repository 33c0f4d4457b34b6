"""What calls that are passed through cost, where their answers say what was used.

That is so of answers of models that are billed by their tokens alone: those of Chat Completions and
completions, Responses, Messages, and vectors. Pictures, speech, searches and the like are billed by
other things too, or tokens of theirs at other prices, and so are unknown here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import msgspec
from msgspec import Raw, Struct

from tierwise.catalog import cost
from tierwise.config import Setup
from tierwise.passed_on import CostOf
from tierwise.types import Deployment, Prices, Usage
from tierwise.wire.unreadable import UNREADABLE

_QUIRK = "usage-cost"


class _Answer(Struct):
    model: str | None = None
    usage: Raw = Raw(b"null")


_decode = msgspec.json.Decoder(_Answer).decode


class PassedCosts:
    """Reckons them, at the prices of what is configured, or else of the catalogue."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    @cached_property
    def _prices(self) -> dict[tuple[str, str], Prices]:
        """Of deployments, by provider and by its name of the model, or else by ours."""
        everywhere = self._setup.everywhere()
        ours = {(one.provider, one.model): one.prices for one in everywhere}
        return ours | {(one.provider, one.upstream_model): one.prices for one in everywhere}

    def of(self, whose: Deployment, path: str) -> CostOf:
        """The costs of a path at a provider, who is known by one of its deployments."""

        def cost_of(asked: str | None, answer: bytes) -> float | None:
            try:
                said = _decode(answer)
            except UNREADABLE:
                return None
            usage = _usage(path, said.usage, with_cost=_QUIRK in whose.quirks)
            if usage is None or usage.cost_usd is not None:
                return None if usage is None else usage.cost_usd
            names = [name for name in (asked, said.model) if name]
            prices = next(self._found(whose, names), None)
            return None if prices is None else cost(usage, prices)

        return cost_of

    def _found(self, whose: Deployment, names: list[str]) -> Iterator[Prices]:
        """Prices of a model that goes by these names there, the likeliest first."""
        catalog = self._setup.catalog
        for name in names:
            if (whose.provider, name) in self._prices:
                yield self._prices[whose.provider, name]
        for name in names:  # such as the snapshot that answered: gpt-4o-mini-2024-07-18
            model = catalog.resolve(name, whose.provider)
            if model is not None and (whose.provider, model.id) in self._prices:
                yield self._prices[whose.provider, model.id]
        for name in reversed(names):
            listed = catalog.price(whose.provider, name, whose.base_url)
            if listed is not None:
                yield listed


def _usage(path: str, raw: Raw, *, with_cost: bool) -> Usage | None:
    """What an answer to this path says was used; None where that does not say what it cost."""
    # Imported only here: a gateway may have no use for one of them.
    path = path.rstrip("/")
    if path.endswith("/messages"):
        from tierwise.wire.anthropic.usage import read_usage as read_messages

        return read_messages(raw)
    if path.endswith("/responses"):
        from tierwise.wire.responses.usage import read_usage as read_response

        return read_response(raw, with_cost=with_cost)
    if path.endswith(("/completions", "/embeddings")):
        from tierwise.wire.openai_usage import read_usage

        return read_usage(raw, with_cost=with_cost)
    return None
