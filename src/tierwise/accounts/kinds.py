"""The kinds of things that accounts consist of, and who may see which of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    FromClause,
    RowMapping,
    Table,
    and_,
    false,
    func,
    or_,
    select,
    true,
)

from tierwise.accounts import tables
from tierwise.accounts.types import Actor, AuditEntry, Key, Organisation, Team, User
from tierwise.budget import Budget
from tierwise.errors import NotPermitted

T = TypeVar("T", bound=Struct)
Visible = Callable[[Actor], ColumnElement[bool]]
"""What a member of an organisation may see of it."""


class Kind(Struct, Generic[T], frozen=True):
    """One kind: what messages call it, its table and type, how its ids begin.

    `owned` is what members see of it; `hides` what only gateway actors see.
    """

    noun: str
    prefix: str
    table: Table
    type: type[T]
    owned: Visible
    hides: ColumnElement[bool] | None = None

    def visible(self, actor: Actor) -> ColumnElement[bool]:
        """Which rows somebody may see.

        Raises:
            NotPermitted: none at all.
        """
        if actor.gateway:
            return true()
        org = self.table.c.id if self.table is tables.organisations else self.table.c.org
        seen = org == actor.org
        if self.hides is not None:
            seen = and_(seen, ~self.hides)
        return and_(seen, self.owned(actor)) if actor.role == "member" else seen

    def read(self, row: RowMapping) -> T:
        """A row as its type."""
        fields = {name: row[name] for name in self.type.__struct_fields__ if name in row}
        return msgspec.convert(fields, self.type, strict=False)


def _own(actor: Actor) -> ColumnElement[bool]:
    owner, scope = tables.budgets.c.owner, tables.budgets.c.scope
    mine = {"key": actor.key, "user": actor.user, "team": actor.team, "org": actor.org}
    own = [and_(scope == s, owner == o) for s, o in mine.items() if o is not None]
    if actor.user is not None:
        theirs = select(tables.keys.c.id).where(tables.keys.c.user == actor.user)
        own.append(and_(scope == "key", owner.in_(theirs)))
    return or_(false(), *own)


def _nothing(_: Actor) -> ColumnElement[bool]:
    raise NotPermitted(
        "This key's role is member, and the audit log is for admins and viewers.",
        param="authorization",
    )


def _own_keys(actor: Actor) -> ColumnElement[bool]:
    own = tables.keys.c.id == actor.key
    return own if actor.user is None else or_(own, tables.keys.c.user == actor.user)


ORGANISATION = Kind("organisation", "org", tables.organisations, Organisation, lambda _: true())
TEAM = Kind("team", "team", tables.teams, Team, lambda actor: tables.teams.c.id == actor.team)
USER = Kind("user", "user", tables.users, User, lambda actor: tables.users.c.id == actor.user)
KEY = Kind("key", "key", tables.keys, Key, _own_keys, tables.keys.c.gateway)
BUDGET = Kind(
    "budget",
    "bud",
    tables.budgets,
    Budget,
    _own,
    tables.budgets.c.owner.in_(select(tables.keys.c.id).where(tables.keys.c.gateway)),
)
AUDIT = Kind("audit_entry", "", tables.audit, AuditEntry, _nothing)

OWNERS: Mapping[str, Kind[Any]] = {"key": KEY, "user": USER, "team": TEAM, "org": ORGANISATION}
"""By the scope of a budget, what its owner is."""


def acts_seen_by(actor: Actor) -> FromClause:
    """The audit log with the columns of its table, as far as somebody may see it.

    An organisation's acts are numbered among themselves: the numbers of all would tell those of one
    how much is done in others.

    Raises:
        NotPermitted: they may see nothing of it.
    """
    table, visible = tables.audit, AUDIT.visible(actor)
    if actor.gateway:
        return table
    number = func.row_number().over(order_by=table.c.id).label("id")
    others = (column for column in table.c if column.name != "id")
    return select(number, *others).where(visible).subquery("acts")


def administer(actor: Actor, org: str) -> None:
    """Whoever may change what belongs to an organisation passes.

    Raises:
        NotPermitted: anybody else.
    """
    if not (actor.gateway or (actor.role == "admin" and actor.org == org)):
        raise NotPermitted(
            f"This key's role is {actor.role}; only an admin of the organisation may change this.",
            param="authorization",
        )


def operate(actor: Actor, what: str) -> None:
    """Whoever operates the gateway passes.

    Args:
        what: that is only for them, as the beginning of a sentence.

    Raises:
        NotPermitted: anybody else.
    """
    if not actor.gateway:
        raise NotPermitted(
            f"{what} is for those who operate the gateway. Use a key with `gateway: true`, or one "
            "with `admin: true` in `server.api_keys`.",
            param="authorization",
        )
