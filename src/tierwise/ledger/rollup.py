"""Adding rows up by hour and day, some time after they were written.

Not with each append: a batch of 500 requests has some hundred combinations of hour, shape and
owner, so that adding to each would cost as much as writing the rows, and processes that share a
database would wait for each other at the busiest ones. Adding up 20,000 rows at a time costs a
fraction, and nobody sees the difference: `marks` says how far it came, in the same transaction,
and whoever reads adds the rows after that.

The statements are plain text which SQLite and PostgreSQL both take, since the writer of a SQLite
ledger must do without SQLAlchemy.
"""

from __future__ import annotations

import math
import time
from enum import IntEnum
from typing import NamedTuple

from tierwise.ledger.histogram import LEAST_S, RATIO
from tierwise.ledger.schema import ASIDE_LABELS

HOUR_S = 3600
DAY_S = 86_400
ROWS_AT_ONCE = 20_000
"""So many new rows set a process to add up, and so many are added up in one transaction."""
LATEST_S = 60.0
"""Fewer are added up when so many seconds have passed."""


class Part(IntEnum):
    """By what rows of `hourly` and `daily` are kept apart; what they are not is 0.

    Shapes and owners together are so many that by the hour there would be as many as requests, so
    that is kept by the day alone. Shapes and whole organisations are fewer: of `ORGS` the owner is
    one with nothing but an organisation, and requests of nobody's are left out.
    """

    SHAPES = 0
    OWNERS = 1
    BOTH = 2
    ORGS = 3


class Dialect(NamedTuple):
    """What the two databases say differently. `whole` rounds a number down that is not negative."""

    whole: str


SQLITE = Dialect("CAST({} AS INTEGER)")
POSTGRESQL = Dialect("CAST(floor({}) AS BIGINT)")

FIGURES = {
    "requests": "count(*)",
    "cost_usd": "sum(cost_usd)",
    "cost_squares": "sum(cost_usd * cost_usd)",
    "reference_cost_usd": "sum(reference_cost_usd)",
    "reference_squares": "sum(reference_cost_usd * reference_cost_usd)",
    "saving_squares": "sum((reference_cost_usd - cost_usd) * (reference_cost_usd - cost_usd))",
    "wasted_usd": "sum(wasted_usd)",
    "input_tokens": "sum(input_tokens)",
    "output_tokens": "sum(output_tokens)",
    "cached_input_tokens": "sum(cached_input_tokens)",
    "cache_write_tokens": "sum(cache_write_tokens)",
    "latency_s": "sum(latency_s)",
    "latency_squares": "sum(latency_s * latency_s)",
}
"""The figures of `hourly` and `daily`, and how they come from the rows of `requests`."""

ASIDE_FIGURES = {
    "requests": "count(*)",
    "cost_usd": "coalesce(sum(cost_usd), 0)",
    "unknown_cost": "count(*) - count(cost_usd)",
    "input_tokens": "coalesce(sum(input_tokens), 0)",
    "output_tokens": "coalesce(sum(output_tokens), 0)",
}
"""The figures of `hourly_asides` and `daily_asides`, and how they come from `asides`."""
_MAY_LACK = frozenset({"provider", "model", "deployment"})


class Backlog:
    """When it is time to add up. What an earlier process left is looked for first."""

    def __init__(self) -> None:
        self._rows = 1
        self._since = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether to add up now."""
        if self._rows >= ROWS_AT_ONCE:
            return True
        return self._rows > 0 and time.monotonic() - self._since >= LATEST_S

    def add(self, rows: int) -> None:
        """So many rows more were written."""
        self._rows += rows

    def tried(self, left: int) -> None:
        """It was done, or failed; so many rows are left."""
        self._rows = left
        self._since = time.monotonic()


def statements(dialect: Dialect) -> dict[str, tuple[str, ...]]:
    """By table, what adds its rows after `:low` up to `:high` to the rollups."""
    return {
        "requests": (
            "CREATE TEMP TABLE IF NOT EXISTS fresh AS SELECT * FROM hourly WHERE 1 = 0",
            "DELETE FROM fresh",
            _fresh(dialect),
            WHOLE_ORGS.format("SELECT DISTINCT owner FROM fresh"),
            _figures("hourly", "hour", Part.SHAPES),
            _figures("hourly", "hour", Part.OWNERS),
            _figures("hourly", "hour", Part.ORGS),
            _figures("daily", "day", Part.SHAPES),
            _figures("daily", "day", Part.OWNERS),
            _figures("daily", "day", Part.BOTH),
            _figures("daily", "day", Part.ORGS),
            _times(dialect, "latency", "latency_s"),
            _times(dialect, "ttft", "ttft_s"),
            _DONE.format("requests"),
        ),
        "attempts": (_calls(dialect), _DONE.format("attempts")),
        "feedback": (_ASKED, _DONE.format("feedback")),
        "asides": (
            _asides(dialect, "hourly_asides", "hour", HOUR_S),
            _asides(dialect, "daily_asides", "day", DAY_S, "owner"),
            _DONE.format("asides"),
        ),
    }


def newest(table: str) -> str:
    """Asks for the mark of a table, and for its last row."""
    return (
        f"SELECT (SELECT value FROM marks WHERE name = '{table}'),"  # noqa: S608 - a name of ours
        f" (SELECT coalesce(max(seq), 0) FROM {table})"
    )


_KEYS = ("shape", "owner", "checks")
_KEPT = {
    Part.SHAPES: {"shape": "shape", "checks": "checks"},
    Part.OWNERS: {"owner": "owner"},
    Part.BOTH: {"shape": "shape", "owner": "owner"},
    Part.ORGS: {"shape": "shape", "owner": "g.id"},
}
WHOLE_ORGS = (
    'INSERT INTO owners (key, "user", team, org, tags)'
    " SELECT DISTINCT '', '', '', o.org, '' FROM owners AS o WHERE o.org <> '' AND o.id IN ({})"
    " AND NOT EXISTS (SELECT 1 FROM owners AS g WHERE g.key = '' AND g.\"user\" = ''"
    " AND g.team = '' AND g.org = o.org AND g.tags = '') ON CONFLICT DO NOTHING"
)
"""Makes the owners that stand for the organisations of some owners."""
OF_ORGS = (
    " JOIN owners AS o ON o.id = owner AND o.org <> '' JOIN owners AS g ON g.key = ''"
    " AND g.\"user\" = '' AND g.team = '' AND g.org = o.org AND g.tags = ''"
)
"""Joins to rows with an `owner` the one that stands for its organisation, as `g`."""
_DONE = "UPDATE marks SET value = :high WHERE name = '{}' AND value = :low"
_ASKED = (
    "UPDATE feedback SET (asked_at, shape, checks, owner) ="
    " (SELECT r.at, r.shape, r.checks, r.owner"
    " FROM requests AS r WHERE r.id = feedback.request_id ORDER BY r.seq DESC LIMIT 1)"
    " WHERE seq > :low AND seq <= :high"
)
_NEW = "seq > :low AND seq <= :high"


def _fresh(dialect: Dialect) -> str:
    columns = ", ".join(("part", "hour", *_KEYS, *FIGURES))
    made = f"0, {_time(dialect, HOUR_S)}, shape, coalesce(owner, 0), coalesce(checks, 0)"
    return (
        f"INSERT INTO fresh ({columns}) SELECT {made}, {', '.join(FIGURES.values())}"  # noqa: S608
        f" FROM requests WHERE {_NEW} GROUP BY 1, 2, 3, 4, 5"
    )


def _figures(table: str, column: str, part: Part) -> str:
    keys = ("part", column, *_KEYS)
    begin = "hour" if column == "hour" else f"hour - hour % {DAY_S}"
    kept = ", ".join(_KEPT[part].get(name, "0") for name in _KEYS)
    sums = ", ".join(f"sum({name})" for name in FIGURES)
    joined = OF_ORGS if part is Part.ORGS else ""
    return (
        f"INSERT INTO {table} ({', '.join((*keys, *FIGURES))})"  # noqa: S608 - names of ours
        f" SELECT {part:d}, {begin}, {kept}, {sums} FROM fresh{joined} WHERE 1 = 1"
        f" GROUP BY 1, 2, 3, 4, 5 {_added(table, keys, tuple(FIGURES))}"
    )


def _times(dialect: Dialect, measure: str, column: str) -> str:
    # What is not negative after all, so that rounding down and cutting off are the same.
    longer = f"CASE WHEN {column} > {LEAST_S} THEN {column} ELSE {LEAST_S} END"
    bucket = dialect.whole.format(f"ln({longer} / {LEAST_S}) / {math.log(RATIO)!r}")
    keys = ("hour", "measure", "bucket")
    return (
        f"INSERT INTO hourly_times ({', '.join(keys)}, requests)"  # noqa: S608 - names of ours
        f" SELECT {_time(dialect, HOUR_S)}, '{measure}', {bucket}, count(*) FROM requests"
        f" WHERE {_NEW} AND {column} IS NOT NULL"
        " AND shape IN (SELECT id FROM shapes WHERE status = 'ok') GROUP BY 1, 2, 3"
        f" {_added('hourly_times', keys, ('requests',))}"
    )


def _calls(dialect: Dialect) -> str:
    keys = ("hour", "deployment", "outcome", "gate", "checks")
    made = "deployment, outcome, coalesce(gate, ''), coalesce(checks, 0)"
    return (
        f"INSERT INTO hourly_calls ({', '.join(keys)}, calls, cost_usd)"  # noqa: S608
        f" SELECT {_time(dialect, HOUR_S)}, {made}, count(*), sum(cost_usd) FROM attempts"
        f" WHERE {_NEW} GROUP BY 1, 2, 3, 4, 5"
        f" {_added('hourly_calls', keys, ('calls', 'cost_usd'))}"
    )


def _asides(dialect: Dialect, table: str, column: str, seconds: int, *whose: str) -> str:
    keys = (column, *whose, *ASIDE_LABELS)
    labels = [f"coalesce({name}, '')" if name in _MAY_LACK else name for name in ASIDE_LABELS]
    made = [_time(dialect, seconds), *(f"coalesce({one}, 0)" for one in whose), *labels]
    places = ", ".join(str(place) for place in range(1, len(keys) + 1))
    return (
        f"INSERT INTO {table} ({', '.join((*keys, *ASIDE_FIGURES))})"  # noqa: S608
        f" SELECT {', '.join(made)}, {', '.join(ASIDE_FIGURES.values())} FROM asides"
        f" WHERE {_NEW} GROUP BY {places} {_added(table, keys, tuple(ASIDE_FIGURES))}"
    )


def _time(dialect: Dialect, seconds: int) -> str:
    """The beginning of the hour or day of a row."""
    return f"{dialect.whole.format(f'at / {seconds}')} * {seconds}"


def _added(table: str, keys: tuple[str, ...], figures: tuple[str, ...]) -> str:
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in figures)
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"
