"""What a report is made from: rows that are alike, added up by the database."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from tierwise.ledger.feedback import SOURCES
from tierwise.ledger.rows import Check, Shape, read_check
from tierwise.ledger.schema import SHAPE_COLUMNS

Span = tuple[float, float]
"""First and last Unix time of a period, in seconds."""


class Sum(NamedTuple):
    """All requests of one shape, of whose answers gates said the same."""

    shape: Shape
    check: Check | None
    requests: int
    cost_usd: float
    reference_cost_usd: float
    wasted_usd: float
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int


class Calls(NamedTuple):
    """The rows of `attempts` of one deployment and outcome, of which gates said the same."""

    deployment: str
    outcome: str
    gate: str | None
    check: Check | None
    attempts: int
    cost_usd: float

    @property
    def is_probe(self) -> bool:
        """Whether they only helped to judge other answers."""
        return self.outcome == "probe"

    @property
    def failed(self) -> bool:
        """Whether they ended in an upstream error."""
        return self.outcome not in ("accepted", "rejected", "abandoned", "cancelled", "probe")


class Labels(NamedTuple):
    """Rated answers of one shape of which gates said the same; `total` is the sum of scores."""

    shape: Shape
    check: Check | None
    answers: int
    total: float


def read_sums(connection: sqlite3.Connection, span: Span) -> list[Sum]:
    """The requests of a period."""
    checks = _checks(connection)
    rows = connection.execute(
        f"SELECT {_LABELS}, sums.* FROM ("  # noqa: S608 - names of our own schema
        " SELECT shape, checks, count(*), sum(cost_usd), sum(reference_cost_usd),"
        " sum(wasted_usd), sum(input_tokens), sum(output_tokens),"
        " sum(cached_input_tokens), sum(cache_write_tokens)"
        " FROM requests WHERE at BETWEEN ? AND ? GROUP BY shape, checks"
        ") AS sums JOIN shapes ON shapes.id = sums.shape",
        span,
    )
    return [
        Sum(Shape._make(row[:_WIDTH]), checks.get(row[_WIDTH + 1]), *row[_WIDTH + 2 :])
        for row in rows
    ]


def read_calls(connection: sqlite3.Connection, span: Span) -> list[Calls]:
    """The calls behind the requests of a period, but for single ones that were accepted."""
    checks = _checks(connection)
    rows = connection.execute(
        "SELECT deployment, outcome, gate, checks, count(*), sum(cost_usd) FROM attempts"
        " WHERE at BETWEEN ? AND ? GROUP BY deployment, outcome, gate, checks",
        span,
    )
    return [
        Calls(deployment, outcome, gate, checks.get(check), attempts, cost_usd)
        for deployment, outcome, gate, check, attempts, cost_usd in rows
    ]


def read_labels(connection: sqlite3.Connection, span: Span) -> list[Labels]:
    """What was said later, whenever that was, of the whole answers of a period.

    Of each answer one opinion counts, as in `feedback.decisive`.
    """
    checks = _checks(connection)
    ranks = " ".join(f"WHEN '{source}' THEN {rank}" for rank, source in enumerate(SOURCES))
    known = ", ".join(f"'{source}'" for source in SOURCES)
    rows = connection.execute(
        f"SELECT {_LABELS}, sums.* FROM ("  # noqa: S608 - names of our own schema
        " SELECT shape, checks, count(*), sum(score) FROM ("
        "  SELECT request_id, score, row_number() OVER ("
        f"  PARTITION BY request_id ORDER BY CASE source {ranks} END, at DESC, seq DESC"
        f" ) AS place FROM feedback WHERE source IN ({known})"
        " ) AS opinions JOIN requests ON requests.id = opinions.request_id"
        " WHERE place = 1 AND requests.at BETWEEN ? AND ? GROUP BY shape, checks"
        ") AS sums JOIN shapes ON shapes.id = sums.shape WHERE shapes.status = 'ok'",
        span,
    )
    return [
        Labels(Shape._make(row[:_WIDTH]), checks.get(row[_WIDTH + 1]), *row[_WIDTH + 2 :])
        for row in rows
    ]


def _checks(connection: sqlite3.Connection) -> dict[int | None, Check]:
    """All that gates have ever said, by number: few, however many answers there were."""
    return {
        number: read_check(said)
        for number, said in connection.execute("SELECT id, said FROM checks")
    }


_LABELS = ", ".join(f"shapes.{column}" for column in SHAPE_COLUMNS)
_WIDTH = len(SHAPE_COLUMNS)
