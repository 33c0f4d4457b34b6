"""What somebody has spent since the beginning of a day, for the budgets of a gateway that starts.

Days that are added up already are read as such, and only rows after that one by one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Engine, ScalarSelect, column, func, select, table
from sqlalchemy.exc import SQLAlchemyError

from tierwise.budget import Scope
from tierwise.errors import AccountsAway
from tierwise.ledger.reading import one_moment
from tierwise.ledger.rolled import Marks, read_marks
from tierwise.ledger.rollup import Part
from tierwise.ledger.tables import asides, daily, daily_asides, owners, requests

_KEYS = table("keys", column("id"), column("user"), column("team"), column("org"))
"""Of the accounts, which lie beside the ledger: of older requests for no answer only the key is
known."""


class LedgerSpending:
    """Looks it up in the ledger's tables.

    Args:
        engine: of the ledger's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, scope: Scope, owner: str, since: float) -> float:
        """What an owner has spent, in USD.

        Args:
            owner: the id of a key, user, team or organisation.
            since: the Unix time at which a day began in UTC.

        Raises:
            AccountsAway: the database cannot be read.
        """
        try:
            # Of one moment, so that what is added up meanwhile counts neither twice nor never.
            with one_moment(self._engine) as connection:
                parts = _parts(read_marks(connection), scope, owner, since)
                return float(connection.execute(select(sum(parts[1:], parts[0]))).scalar_one())
        except SQLAlchemyError as error:
            raise AccountsAway(
                "What was spent of a budget cannot be looked up just now, since the database is "
                "away. Try again in a while."
            ) from error


def _parts(known: Marks, scope: Scope, owner: str, since: float) -> list[ScalarSelect[Any]]:
    """What was added up and what was not yet, of answers and of what was for none.

    How far that came is given as numbers: a server that has to look them up itself does not know
    how few rows are left, and looks through all of an owner's.
    """
    theirs = select(owners.c.id).where(owners.c[scope] == owner)
    callers = select(_KEYS.c["id"]).where(_KEYS.c["id" if scope == "key" else scope] == owner)
    aside = asides.c
    return [
        _sum(
            daily.c.cost_usd,
            daily.c.part == int(Part.OWNERS),  # the same is there by shape and owner, too
            daily.c.owner.in_(theirs),
            daily.c.day >= int(since),
        ),
        _sum(
            requests.c.cost_usd,
            requests.c.seq > known.requests,
            requests.c.owner.in_(theirs),
            requests.c.at >= since,
        ),
        _sum(
            daily_asides.c.cost_usd,
            daily_asides.c.owner.in_(theirs),
            daily_asides.c.day >= int(since),
        ),
        _sum(aside.cost_usd, aside.seq > known.asides, aside.owner.in_(theirs), aside.at >= since),
        # Of older versions; they are never taken out.
        _sum(aside.cost_usd, aside.owner.is_(None), aside.caller.in_(callers), aside.at >= since),
    ]


def _sum(column: ColumnElement[float], *which: ColumnElement[bool]) -> ScalarSelect[Any]:
    return select(func.coalesce(func.sum(column), 0.0)).where(*which).scalar_subquery()
