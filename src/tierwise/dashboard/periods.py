"""The periods that pages can be about."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

By = Literal["slot", "hour", "day"]


class Period(Struct, frozen=True):
    """So many seconds until now, in slots of so many."""

    name: str
    title: str
    lasts_s: int
    slot_s: int
    by: By


PERIODS = {
    one.name: one
    for one in (
        Period("1h", "Last hour", 3600, 120, "slot"),
        Period("24h", "24 hours", 86_400, 3600, "hour"),
        Period("7d", "7 days", 7 * 86_400, 86_400, "day"),
        Period("30d", "30 days", 30 * 86_400, 86_400, "day"),
        Period("90d", "90 days", 90 * 86_400, 86_400, "day"),
    )
}
USUAL = PERIODS["24h"]
