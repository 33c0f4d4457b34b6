"""Records of which somebody said how good they were, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Row, exists, select, tuple_

from tierwise.ledger import bundles as packed
from tierwise.ledger import lookup
from tierwise.ledger.feedback import Feedback
from tierwise.ledger.reading import moments
from tierwise.ledger.tables import bundles, feedback, requests, shapes
from tierwise.types import Record

_PAGE = 200
_BUNDLES_IN_HAND = 8
"""Neighbours in time lie in few bundles; several workers write several at once."""


class _Place(NamedTuple):
    """Where the record of a rated decision lies."""

    at: float
    seq: int
    decision_id: str
    bundle: int
    slot: int


def rated(
    place: str | Path, *, since: float, policy: str | None
) -> Iterator[tuple[Record, list[Feedback]]]:
    """Every rated record and all that was said of it, the oldest first; see `labelled`.

    Nothing stays open between pages: that would hold up a file's log, and a server's cleaning.
    """
    with moments(place) as moment:

        @lru_cache(_BUNDLES_IN_HAND)
        def bundle(number: int) -> list[msgspec.Raw]:
            with moment() as connection:
                row = connection.execute(
                    select(bundles.c.codec, bundles.c.records).where(bundles.c.id == number)
                ).one_or_none()
            return [] if row is None else packed.readable(number, row.codec, row.records)

        after = (since, -1)
        while True:
            with moment() as connection:
                page = _page(connection, after, policy)
            if not page:
                return
            for spot, opinions in page:
                after = (spot.at, spot.seq)
                record = packed.record(bundle(spot.bundle), spot.bundle, spot.slot)
                if record is not None:
                    yield record, opinions


def _page(
    connection: Connection, after: tuple[float, int], policy: str | None
) -> list[tuple[_Place, list[Feedback]]]:
    """The next rated decisions."""
    c = requests.c
    at, seq = after
    wanted = (
        select(c.at, c.seq, c.id, c.bundle, c.slot)
        .where(c.at >= at, tuple_(c.at, c.seq) > tuple_(at, seq))
        .where(exists().where(feedback.c.request_id == c.id))
        .order_by(c.at, c.seq)
        .limit(_PAGE)
    )
    if policy is not None:
        wanted = wanted.where(c.shape.in_(select(shapes.c.id).where(shapes.c.policy == policy)))
    rows: list[Row[tuple[float, int, str, int, int]]] = list(connection.execute(wanted))
    places = [_Place._make(row) for row in rows]
    return [(one, lookup.opinions(connection, one.decision_id)) for one in places]
