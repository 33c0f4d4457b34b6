"""The catalogue: every model that is known, by every name it goes by.

Two sources: hand-written facts about well-known models (`curated.py`) and the price snapshot of
some two thousand more (`snapshot.py`). A configuration adds to both or changes them.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterator, Mapping

import msgspec

from tierwise.catalog import curated, prior
from tierwise.catalog.curated import Facts
from tierwise.catalog.names import key, spellings
from tierwise.catalog.override import ModelOverride
from tierwise.catalog.snapshot import Entry, Snapshot
from tierwise.errors import ConfigError
from tierwise.types import Capability, Model, Prices

UNKNOWN_CAPABILITIES: frozenset[Capability] = frozenset({"tools", "json_mode"})
"""What a model is taken to be capable of when only its price is known."""
UNKNOWN_WINDOW = 32_768
"""Its context window in tokens, when the price list has none either."""

_RESELLER = "openrouter"
"""Where models are looked up that nobody is known to have made: it lists nearly all of them."""


class Catalog:
    """Models by name and prices by provider. Immutable: `with_models` gives another one."""

    def __init__(
        self,
        models: Mapping[str, Model],
        index: Mapping[str, str],
        snapshot: Snapshot,
        today: datetime.date,
        configured: Mapping[str, Prices] | None = None,
    ) -> None:
        self._models = models
        self._index = index
        self._snapshot = snapshot
        self._today = today
        self._configured = configured or {}

    @classmethod
    def builtin(cls, today: datetime.date | None = None) -> Catalog:
        """The one that comes with the package.

        Args:
            today: the day whose prices hold, where a change of price is already announced;
                the current day (UTC) unless given.
        """
        day = today or datetime.datetime.now(tz=datetime.UTC).date()
        snapshot = Snapshot.builtin()
        models: dict[str, Model] = {}
        index: dict[str, str] = {}
        for facts in curated.load():
            models[facts.id] = _curated(facts, snapshot, day)
            for name in (facts.id, *facts.aliases):
                index[key(name)] = facts.id
        return cls(models, index, snapshot, day)

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    @property
    def source(self) -> str:
        """Where the prices are from and of which day, in words."""
        return f"{self._snapshot.source}, {self._snapshot.as_of.isoformat()}"

    def get(self, model_id: str) -> Model | None:
        """The model of exactly this id, curated or configured."""
        return self._models.get(model_id)

    def resolve(self, name: str, provider: str | None = None) -> Model | None:
        """The model that is meant by a name, however it is spelt.

        Tried in this order: our own id; an alias or a provider's spelling of one, dated
        snapshots included; the provider's price list, which may know the name as one of ours;
        and at last the price list alone. A model that only a price list knows gets
        `UNKNOWN_CAPABILITIES`, a quality derived from its price (`prior.standing_by_price`) and
        that provider's price.

        The prices of a model found here are its reference prices; `price` has the provider's.

        Args:
            name: as the user, the provider or a recorded data set writes it.
            provider: who uses that name; without it, the likely makers are asked.
        """
        exact = self._models.get(name)
        if exact is not None:
            return exact
        for spelling in spellings(name):
            known = self._index.get(spelling)
            if known is not None:
                return self._models[known]
        for provider_id in self._who_may_know(name, provider):
            entry = self._entry(provider_id, name)
            if entry is not None:
                return self._listed(entry)
        return None

    def price(self, provider: str, upstream_model: str, base_url: str | None) -> Prices | None:
        """What a provider charges for a model, in USD per million tokens.

        A configured price wins over the list. None means unknown, never free.

        Args:
            provider: its id, or the user's name for it.
            upstream_model: the provider's own name of the model.
            base_url: where it is called; tells who it is when the name does not.
        """
        if self._configured:
            model = self.resolve(upstream_model, provider)
            if model is not None and model.id in self._configured:
                return self._configured[model.id]
        provider_id = self._snapshot.provider_id(provider, base_url)
        if provider_id is None:
            return None
        entry = self._entry(provider_id, upstream_model)
        return None if entry is None else entry.prices(self._today)

    def with_models(self, overrides: Mapping[str, ModelOverride]) -> Catalog:
        """This catalogue with models added or changed.

        Raises:
            ConfigError: a model that is not known here is added without prices.
        """
        models, index = dict(self._models), dict(self._index)
        configured = dict(self._configured)
        for name, override in overrides.items():
            known = self.resolve(name)
            prices = override.prices or (known.prices if known is not None else None)
            if prices is None:
                raise self._unpriced(name)
            if override.prices is not None:
                configured[name] = override.prices
            base = known or Model(id=name, prices=prices, context_window=UNKNOWN_WINDOW)
            models[name] = override.over(msgspec.structs.replace(base, id=name))
            index[key(name)] = name
        return Catalog(models, index, self._snapshot, self._today, configured)

    def suggest(self, name: str) -> list[str]:
        """Up to three ids that a name may have been meant for, the likeliest first."""
        near = difflib.get_close_matches(key(name.rsplit("/", 1)[-1]), self._index, n=6, cutoff=0.6)
        return list(dict.fromkeys(self._index[spelling] for spelling in near))[:3]

    def _unpriced(self, name: str) -> ConfigError:
        near = self.suggest(name)
        hint = f" Or did you mean {', '.join(near)}?" if near else ""
        return ConfigError(
            f"the price of {name!r} is not known, and an unknown price is not taken to be 0",
            field=f"models.{name}.prices",
            remedy="Add `prices: {input: ..., output: ...}` in USD per million tokens; "
            f"0 is fine for a model on your own hardware.{hint}",
        )

    def _who_may_know(self, name: str, provider: str | None) -> Iterator[str]:
        if provider is not None:
            provider_id = self._snapshot.provider_id(provider)
            if provider_id is not None:
                yield provider_id
        yield from self._snapshot.makers(name)
        yield _RESELLER

    def _entry(self, provider_id: str, name: str) -> Entry | None:
        return self._snapshot.entry(provider_id, name)

    def _listed(self, entry: Entry) -> Model | None:
        for spelling in spellings(entry.id):
            known = self._index.get(spelling)
            if known is not None:
                return self._models[known]
        prices = entry.prices(self._today)
        if prices is None:
            return None
        return Model(
            id=entry.id.rsplit("/", 1)[-1].lower(),
            prices=prices,
            quality=prior.quality(prior.standing_by_price(prices)),
            context_window=entry.window or UNKNOWN_WINDOW,
            capabilities=UNKNOWN_CAPABILITIES,
        )


def _curated(facts: Facts, snapshot: Snapshot, today: datetime.date) -> Model:
    provider_id, _, listed = facts.priced_as.partition("/")
    entries = snapshot.provider(provider_id).models
    entry = next((entry for entry in entries if entry.id == listed), None)
    prices = None if entry is None else entry.prices(today)
    if entry is None or prices is None:
        raise ValueError(f"models.json: {facts.id} is priced as {facts.priced_as}, which is not")
    return Model(
        id=facts.id,
        prices=prices,
        family=facts.family,
        quality=prior.quality(facts.standing),
        context_window=facts.context_window or entry.window or UNKNOWN_WINDOW,
        max_output_tokens=facts.max_output_tokens,
        capabilities=facts.capabilities,
        specialises=facts.specialises,
        known=True,
    )
