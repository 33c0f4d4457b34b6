"""What a configuration says about a model, over what the catalogue knows."""

from __future__ import annotations

import msgspec

from tierwise.types import Capability, Domain, Model, Prices


class ModelOverride(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that replace the catalogue's; None leaves them as they are.

    `prices` in USD per million tokens, `quality` in [0, 1], windows and limits in tokens.
    """

    prices: Prices | None = None
    quality: float | None = None
    family: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] | None = None
    specialises: frozenset[Domain] | None = None

    def over(self, model: Model) -> Model:
        """The model with these facts instead of its own."""
        stated = {
            name: value
            for name in self.__struct_fields__
            if (value := getattr(self, name)) is not None
        }
        return msgspec.structs.replace(model, **stated)
