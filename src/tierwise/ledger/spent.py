"""What somebody has spent since the beginning of a day, for the budgets of a gateway that starts.

Days that are added up already are read as such, and only rows after that one by one; both in one
statement, so that what is added up meanwhile counts neither twice nor never.
"""

from __future__ import annotations

from sqlalchemy import Engine, and_, column, func, or_, select, table
from sqlalchemy.exc import SQLAlchemyError

from tierwise.budget import Scope
from tierwise.errors import AccountsAway
from tierwise.ledger.rollup import Part
from tierwise.ledger.tables import asides, daily, marks, owners, requests

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
        theirs = select(owners.c.id).where(owners.c[scope] == owner)
        mark = select(marks.c.value).where(marks.c.name == "requests").scalar_subquery()
        added_up = (
            select(func.coalesce(func.sum(daily.c.cost_usd), 0.0))
            .where(
                daily.c.part == int(Part.OWNERS),  # the same is there by shape and owner, too
                daily.c.owner.in_(theirs),
                daily.c.day >= int(since),
            )
            .scalar_subquery()
        )
        after = (
            select(func.coalesce(func.sum(requests.c.cost_usd), 0.0))
            .where(
                requests.c.seq > func.coalesce(mark, 0),
                requests.c.owner.in_(theirs),
                requests.c.at >= since,
            )
            .scalar_subquery()
        )
        callers = select(_KEYS.c["id"]).where(_KEYS.c["id" if scope == "key" else scope] == owner)
        beside = (
            select(func.coalesce(func.sum(asides.c.cost_usd), 0.0))
            .where(
                or_(
                    asides.c.owner.in_(theirs),
                    and_(asides.c.owner.is_(None), asides.c.caller.in_(callers)),
                ),
                asides.c.at >= since,
            )
            .scalar_subquery()
        )
        try:
            with self._engine.connect() as connection:
                return float(connection.execute(select(added_up + after + beside)).scalar_one())
        except SQLAlchemyError as error:
            raise AccountsAway(
                "What was spent of a budget cannot be looked up just now, since the database is "
                "away. Try again in a while."
            ) from error
