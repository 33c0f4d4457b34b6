"""The price list: who charges what for which model, from `prices.json`.

`prices.json` is generated from the genai-prices package by `refresh.py`; nothing in it is typed
by hand. Importing genai-prices itself takes half a second, reading this file a millisecond.

Its providers are decoded one by one, when first asked for. Within a provider the order of models
is the order in which their clauses are tried: the first that matches wins.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import msgspec

from tierwise.catalog.cost import TieredPrices
from tierwise.catalog.match import Clause, matches, with_dashed_date
from tierwise.types import Prices

_ALSO_CALLED = {
    "bedrock": "aws",
    "gemini": "google",
    "grok": "x-ai",
    "kimi": "moonshotai",
    "moonshot": "moonshotai",
    "together-ai": "together",
    "together_ai": "together",
    "vertex": "google",
    "xai": "x-ai",
    "z-ai": "zai",
}
"""Other names that users give to providers."""

Rate = list[float | None]
"""USD per million tokens: input, output, cached input, cache write; unknown ones at the end are
left out."""

Tiers = list[tuple[int, Rate]]
"""Rates by the number of input tokens above which they hold, rising."""


class Later(msgspec.Struct, frozen=True):
    """A price that is announced: from `since` on it replaces the others."""

    since: datetime.date
    usd: Rate
    above: Tiers = []


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One model at one provider.

    Without `usd` the model is known but is not charged by input and output token (speech,
    embeddings, free of charge without saying so): its price is unknown to us, not 0.
    """

    id: str
    usd: Rate | None = None
    window: int | None = None
    clause: Any = msgspec.field(default=None, name="is")
    above: Tiers = []
    later: list[Later] = []
    deprecated: bool = False

    def is_named(self, name: str) -> bool:
        """Whether this lower-case name means this model. No clause means: exactly its id."""
        if self.clause is None:
            return name == self.id.lower()
        return matches(self.clause, name)

    def prices(self, today: datetime.date) -> Prices | None:
        """What it costs on that day, if known."""
        usd, above = self.usd, self.above
        for change in self.later:
            if change.since <= today:
                usd, above = change.usd, change.above
        return None if usd is None else _prices(usd, above)


class Provider(msgspec.Struct, frozen=True, omit_defaults=True):
    """A provider's price list.

    `url` is a regular expression for the start of its base URLs. `named` is a clause for names
    that users give it, `serves` one for names of models that are its own. `borrows` are the
    providers whose lists hold for what this one resells.
    """

    url: str
    models: list[Entry]
    named: Any = None
    serves: Any = None
    borrows: list[str] = []

    def entry(self, name: str) -> Entry | None:
        """The first of its own models that the lower-case name means."""
        return next((entry for entry in self.models if entry.is_named(name)), None)


class _Header(msgspec.Struct, frozen=True):
    source: str
    as_of: datetime.date
    unit: str
    providers: dict[str, msgspec.Raw]


class Snapshot:
    """All price lists, decoded as far as they are used."""

    def __init__(self, data: bytes) -> None:
        header = msgspec.json.decode(data, type=_Header)
        self.source = header.source
        self.as_of = header.as_of
        self._raw: Mapping[str, msgspec.Raw] = header.providers
        self._decoded: dict[str, Provider] = {}

    @classmethod
    def builtin(cls) -> Snapshot:
        """The one that comes with the package."""
        return cls(files("tierwise.catalog").joinpath("prices.json").read_bytes())

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __contains__(self, provider: object) -> bool:
        return provider in self._raw

    def provider(self, provider_id: str) -> Provider:
        """The list of this provider, by its exact id."""
        found = self._decoded.get(provider_id)
        if found is None:
            found = msgspec.json.decode(self._raw[provider_id], type=Provider)
            self._decoded[provider_id] = found
        return found

    def provider_id(self, name: str, base_url: str | None = None) -> str | None:
        """Which provider is meant by a user's name for it and its base URL.

        An exact id counts unless the URL is known to be somebody else's: the bill comes from
        there. Loose likeness of names ("my-openai") counts only when there is no URL, since
        many a local server is called after what it imitates.
        """
        wanted = name.lower().strip()
        wanted = _ALSO_CALLED.get(wanted, wanted)
        exact = wanted if wanted in self._raw else None
        if base_url:
            if exact and re.match(self.provider(exact).url, base_url):
                return exact
            by_url = next((p for p in self if re.match(self.provider(p).url, base_url)), None)
            return by_url or exact
        return exact or next((p for p in self if self._is_called(p, wanted)), None)

    def _is_called(self, provider_id: str, wanted: str) -> bool:
        clause: Clause | None = self.provider(provider_id).named
        return clause is not None and matches(clause, wanted)

    def entry(self, provider_id: str, name: str) -> Entry | None:
        """The model that a provider means by this name, from its list or one that it borrows."""
        lowered = name.lower()
        dashed = with_dashed_date(lowered)
        return self._entry(provider_id, lowered) or (
            self._entry(provider_id, dashed) if dashed != lowered else None
        )

    def _entry(self, provider_id: str, name: str) -> Entry | None:
        provider = self.provider(provider_id)
        for lender in (provider, *(self.provider(p) for p in provider.borrows)):
            found = lender.entry(name)
            if found is not None:
                return found
        return None

    def makers(self, name: str) -> list[str]:
        """The providers whose own models are called like this, most likely first."""
        lowered = name.lower()
        return [
            provider_id
            for provider_id in self
            if (clause := self.provider(provider_id).serves) is not None
            and matches(clause, lowered)
        ]


def _prices(usd: Rate, above: Tiers) -> Prices:
    fields = _fields(usd)
    if not above:
        return Prices(**fields)
    return TieredPrices(
        **fields,
        above=tuple((threshold, Prices(**_fields(rate))) for threshold, rate in above),
    )


def _fields(rate: Rate) -> dict[str, Any]:
    return dict(zip(("input", "output", "cached_input", "cache_write"), rate, strict=False))
