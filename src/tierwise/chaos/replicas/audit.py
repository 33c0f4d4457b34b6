"""What the ledger has of one key."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import select

from tierwise.ledger.tables import owners, requests, shapes
from tierwise.storage.engine import open_engine


class Row(Struct, frozen=True):
    """A request in the ledger: how often it is there, whether it was answered, and its cost."""

    times: int
    ok: bool
    cost_usd: float


def rows_of(database: str, key: str) -> Mapping[str, Row]:
    """Every request of a key by its id.

    Raises:
        sqlalchemy.exc.DBAPIError: the database cannot be read.
    """
    wanted = (
        select(requests.c.id, shapes.c.status, requests.c.cost_usd)
        .join(shapes, shapes.c.id == requests.c.shape)
        .join(owners, owners.c.id == requests.c.owner)
        .where(owners.c.key == key)
    )
    engine = open_engine(database)
    found: dict[str, Row] = {}
    try:
        with engine.connect() as connection:
            for name, status, cost in connection.execute(wanted):
                before = found.get(name)
                times = 1 if before is None else before.times + 1
                found[name] = Row(times, status == "ok", cost)
    finally:
        engine.dispose()
    return found
