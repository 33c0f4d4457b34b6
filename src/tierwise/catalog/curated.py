"""Facts about well-known models that no price list has, from `models.json`, written by hand.

Prices are not among them: `priced_as` names an entry of the price snapshot, `provider/model`
(the model's own maker where it sells it, a widely used reseller for open weights).

Capabilities are those that most providers of a model give; one that lacks some is configured
with `models.<name>.capabilities`. Context windows and output limits are in tokens, and null
where they are not known: null means "not limited as far as we know" for outputs, and for windows
that the price snapshot is asked.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

import msgspec

from tierwise.types import Capability, Domain


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of `models.json`.

    `standing` and `basis` are explained in `prior.py`. `release` is the year and month, where
    known. `size` is the class among its contemporaries: how its maker positions it, or the
    number of parameters where published (tiny up to 5 billion, small up to 20, medium up to 80).
    """

    id: str
    family: str
    priced_as: str
    standing: int
    basis: Literal["public", "position"]
    size: Literal["tiny", "small", "medium", "large", "frontier"]
    release: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    specialises: frozenset[Domain] = frozenset()
    aliases: tuple[str, ...] = ()


def load() -> list[Facts]:
    """All of them, in the order of the file."""
    data = files("tierwise.catalog").joinpath("models.json").read_bytes()
    return msgspec.json.decode(data, type=list[Facts])
