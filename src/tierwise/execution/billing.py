"""Which model answered, and what its tokens cost."""

from __future__ import annotations

import re
from functools import lru_cache

from tierwise.catalog import Catalog, cost
from tierwise.types import Deployment, Prices, Profile, Usage

CHARS_PER_TOKEN = 4
# What may follow a model's name without making it another model: gpt-4o-2024-08-06 is gpt-4o,
# gpt-4o-mini is not.
_SNAPSHOT = re.compile(r"[-@:](?:\d{4,}|\d{4}-\d\d-\d\d|latest)\b")


class Billing:
    """Bills by the model that answered, which is not always the one that was asked.

    A provider may name a dated snapshot of what we asked for, or route to another model by
    itself; the first costs the same, the second is looked up.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._answered: dict[tuple[str, str | None], tuple[str, Prices]] = {}

    def answered_by(self, deployment: Deployment, reported: str | None) -> tuple[str, Prices]:
        """Our id of the model that answered, and its prices at that deployment."""
        key = (deployment.id, reported)
        known = self._answered.get(key)
        if known is None:
            known = self._resolve(deployment, reported)
            if len(self._answered) < 10_000:
                self._answered[key] = known
        return known

    def _resolve(self, deployment: Deployment, reported: str | None) -> tuple[str, Prices]:
        own = (deployment.model, deployment.prices)
        if not reported or any(
            names_model(reported, own_name)
            for own_name in (deployment.upstream_model, deployment.model)
        ):
            return own
        model = self._catalog.resolve(reported, deployment.provider)
        if model is None or model.id == deployment.model:
            return own
        prices = self._catalog.price(deployment.provider, reported, deployment.base_url)
        return model.id, prices or model.prices

    def usage_or_count(
        self, usage: Usage | None, profile: Profile, output_chars: int
    ) -> tuple[Usage, bool]:
        """The provider's usage, or a count of our own where it sent none; True if counted."""
        if usage is not None and (usage.input_tokens or usage.output_tokens):
            return usage, False
        counted = Usage(
            input_tokens=profile.input_tokens,
            output_tokens=max(1, output_chars // CHARS_PER_TOKEN),
        )
        return counted, True

    def cost(self, usage: Usage, prices: Prices) -> float:
        """USD, the provider's own figure if it gave one."""
        return cost(usage, prices)


@lru_cache(4096)
def names_model(reported: str | None, model: str) -> bool:
    """Whether a body that says `reported` already names `model`, be it by a dated snapshot."""
    if reported is None or not reported.startswith(model):
        return False
    return len(reported) == len(model) or _SNAPSHOT.match(reported, len(model)) is not None
