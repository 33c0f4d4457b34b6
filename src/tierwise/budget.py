"""A budget: how much may be spent by whom in which time. Periods are those of UTC's calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

Scope = Literal["key", "user", "team", "org"]
"""Whose spending a budget bounds."""

Period = Literal["day", "week", "month", "total"]
"""After which a budget is whole again; `total` never is."""

_ADJECTIVES: dict[Period, str] = {
    "day": "daily",
    "week": "weekly",
    "month": "monthly",
    "total": "total",
}


class Budget(Struct, frozen=True, kw_only=True):
    """One budget. Past `soft_usd` callers are warned, past `hard_usd` they are refused.

    `owner` is the id of the key, user, team or organisation, `owner_name` what people call it, and
    `org` the organisation that it belongs to.
    """

    id: str
    org: str
    scope: Scope
    owner: str
    owner_name: str = ""
    period: Period
    soft_usd: float | None = None
    hard_usd: float | None = None
    created_at: float = 0.0

    @property
    def words(self) -> str:
        """What messages call it."""
        whose = "organisation" if self.scope == "org" else self.scope
        return f"{_ADJECTIVES[self.period]} budget of {whose} {self.owner_name or self.owner}"


def began_at(period: Period, now: float) -> float:
    """When the period that `now` lies in began, as Unix time in seconds; 0 for `total`."""
    if period == "total":
        return 0.0
    return _first(period, datetime.fromtimestamp(now, UTC)).timestamp()


def renews_at(period: Period, now: float) -> float | None:
    """When the next period begins, as Unix time in seconds; None for `total`."""
    if period == "total":
        return None
    first = _first(period, datetime.fromtimestamp(now, UTC))
    if period == "day":
        return (first + timedelta(days=1)).timestamp()
    if period == "week":
        return (first + timedelta(weeks=1)).timestamp()
    year, month = divmod(first.year * 12 + first.month, 12)
    return first.replace(year=year, month=month + 1).timestamp()


def written(moment: float) -> str:
    """A moment as messages have it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _first(period: Period, moment: datetime) -> datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day
