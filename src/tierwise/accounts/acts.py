"""The audit log, searched: who did what to what, and what those things are called."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, FromClause, or_, select

from tierwise.accounts.kinds import AUDIT, acts_seen_by
from tierwise.accounts.tables import budgets, keys, organisations, teams, users
from tierwise.accounts.types import Actor, AuditEntry

NOUNS: Mapping[str, tuple[str, ...]] = {
    "key": ("create", "change", "rotate", "revoke"),
    "user": ("create", "change", "delete"),
    "team": ("create", "change", "delete"),
    "organisation": ("create", "change", "delete"),
    "budget": ("create", "change", "delete"),
    "policy": ("change",),
}
"""What acts can be about, and what can be done to it: an action is both, with a dot between."""
OF_THE_GATEWAY: Mapping[str, tuple[str, ...]] = {
    "deployment": ("drain", "restore"),
    "configuration": ("reload",),
    "cache": ("clear",),
}
"""The same of the gateway itself; these are of no organisation."""
_NAMED = (keys, users, teams, organisations)


class Wanted(Struct, frozen=True, kw_only=True):
    """Which acts; empty fields are about all.

    `who` is a part of an actor's name; `action` such as `key.create`; `target` the id of what it
    was done to, or a part of its name; `since` a Unix time.
    """

    who: str = ""
    action: str = ""
    target: str = ""
    since: float | None = None


class Found(Struct, frozen=True, kw_only=True):
    """Some acts, the latest first; `more` says that there are earlier ones.

    `names` are those of all that they mention, and `owners` those of the budgets that there are
    still, both by id.
    """

    acts: tuple[AuditEntry, ...]
    names: Mapping[str, str]
    owners: Mapping[str, str]
    more: bool = False


def search(
    connection: Connection, actor: Actor, wanted: Wanted, *, before: int | None, limit: int
) -> Found:
    """Acts that somebody may see.

    Args:
        before: the number of an act; only earlier ones.

    Raises:
        NotPermitted: they may see none.
    """
    seen = acts_seen_by(actor)
    conditions = _conditions(seen, wanted)
    if before is not None:
        conditions.append(seen.c.id < before)
    asked = select(seen).where(*conditions).order_by(seen.c.id.desc()).limit(limit + 1)
    rows = connection.execute(asked).mappings().all()
    acts = tuple(AUDIT.read(row) for row in rows[:limit])
    mentioned = {act.target for act in acts} | {act.org for act in acts if act.org is not None}
    for act in acts:
        for said in (act.before, act.after):
            mentioned.update(v for v in (said or {}).values() if isinstance(v, str))
    owners = _owners(connection, actor, mentioned)
    names = _names(connection, actor, mentioned.union(owners.values()))
    return Found(acts=acts, names=names, owners=owners, more=len(rows) > limit)


def _conditions(acts: FromClause, wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.who:
        conditions.append(acts.c.actor.icontains(wanted.who, autoescape=True))
    if wanted.action:
        conditions.append(acts.c.action == wanted.action)
    if wanted.target:
        named = (
            acts.c.target.in_(
                select(table.c.id).where(table.c.name.icontains(wanted.target, autoescape=True))
            )
            for table in _NAMED
        )
        conditions.append(or_(acts.c.target == wanted.target, *named))
    if wanted.since is not None:
        conditions.append(acts.c.at >= wanted.since)
    return conditions


def _names(connection: Connection, actor: Actor, ids: Collection[str]) -> dict[str, str]:
    """What things are called; of any text that an act has, which somebody may have written there,
    and so of what they may see alone."""
    found: dict[str, str] = {}
    for table in _NAMED:
        asked = select(table.c.id, table.c.name).where(table.c.id.in_(sorted(ids)))
        if not actor.gateway:
            asked = asked.where(
                (table.c.id if table is organisations else table.c.org) == actor.org
            )
        found.update((name, called) for name, called in connection.execute(asked))
    return found


def _owners(connection: Connection, actor: Actor, ids: Collection[str]) -> dict[str, str]:
    asked = select(budgets.c.id, budgets.c.owner).where(budgets.c.id.in_(sorted(ids)))
    if not actor.gateway:
        asked = asked.where(budgets.c.org == actor.org)
    return {name: owner for name, owner in connection.execute(asked)}  # noqa: C416 - rows
