"""What somebody has spent since the beginning of a day, for the budgets of a gateway that starts.

Days that are added up already are read as such, and only rows after that one by one; both in one
statement, so that what is added up meanwhile counts neither twice nor never.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, ScalarSelect, Select, column, func, select, table
from sqlalchemy.exc import SQLAlchemyError

from tierwise.budget import Scope
from tierwise.errors import AccountsAway
from tierwise.ledger.rollup import Part
from tierwise.ledger.tables import asides, daily, daily_asides, marks, owners, requests

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
        return self._sum(added_up, after, *_for_no_answer(scope, owner, since, theirs))

    def _sum(self, *parts: ScalarSelect[Any]) -> float:
        try:
            with self._engine.connect() as connection:
                return float(connection.execute(select(sum(parts[1:], parts[0]))).scalar_one())
        except SQLAlchemyError as error:
            raise AccountsAway(
                "What was spent of a budget cannot be looked up just now, since the database is "
                "away. Try again in a while."
            ) from error


def _for_no_answer(
    scope: Scope, owner: str, since: float, theirs: Select[Any]
) -> Iterator[ScalarSelect[Any]]:
    """As above, what was spent on embeddings and calls that were passed through."""
    mark = select(marks.c.value).where(marks.c.name == "asides").scalar_subquery()
    cost = select(func.coalesce(func.sum(asides.c.cost_usd), 0.0)).where(asides.c.at >= since)
    added_up = select(func.coalesce(func.sum(daily_asides.c.cost_usd), 0.0)).where(
        daily_asides.c.owner.in_(theirs), daily_asides.c.day >= int(since)
    )
    callers = select(_KEYS.c["id"]).where(_KEYS.c["id" if scope == "key" else scope] == owner)
    yield added_up.scalar_subquery()
    yield cost.where(
        asides.c.seq > func.coalesce(mark, 0), asides.c.owner.in_(theirs)
    ).scalar_subquery()
    # Of older versions; they are never taken out.
    yield cost.where(asides.c.owner.is_(None), asides.c.caller.in_(callers)).scalar_subquery()
