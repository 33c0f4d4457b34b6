"""Reads from the database who holds which secret: everything, or what some acts have changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Table, false, or_, select

from tierwise.accounts.tables import (
    audit,
    budgets,
    key_secrets,
    keys,
    organisations,
    teams,
    users,
)
from tierwise.accounts.types import ROLES, Actor, Holder, Key, Role
from tierwise.budget import Budget

_KEY = tuple(keys.c[name] for name in Key.__struct_fields__)


class _User(Struct):
    name: str
    role: Role
    team: str | None


class _Around(Struct):
    """What keys belong to, and what bounds them; of teams, users and organisations the live ones.

    `budgets` are by scope and owner.
    """

    orgs: Mapping[str, str]
    teams: Mapping[str, str]
    users: Mapping[str, _User]
    budgets: Mapping[tuple[str, str], list[Budget]]


def read_holders(
    connection: Connection, now: float, which: ColumnElement[bool] | None = None
) -> dict[bytes, Holder]:
    """Whoever holds a secret that is valid, by its digest.

    Args:
        which: of the keys; None: all.
    """
    around = _around(connection)
    asked = (
        select(*_KEY, key_secrets.c.digest, key_secrets.c.expires_at)
        .join(key_secrets, key_secrets.c.key == keys.c.id)
        .where(
            keys.c.revoked_at.is_(None),
            or_(keys.c.expires_at.is_(None), keys.c.expires_at > now),
            or_(key_secrets.c.expires_at.is_(None), key_secrets.c.expires_at > now),
        )
    )
    found: dict[bytes, Holder] = {}
    for *values, digest, expires_at in connection.execute(
        asked if which is None else asked.where(which)
    ):
        holder = _holder(_key(values), expires_at, around)
        if holder is not None:
            found[bytes(digest)] = holder
    return found


def budgets_of(connection: Connection, org: str) -> tuple[Budget, ...]:
    """The budgets of an organisation itself."""
    around = _around(connection)
    called = around.orgs.get(org, "")
    found = around.budgets.get(("org", org), [])
    return tuple(replace(one, owner_name=called) for one in found)


def budgets_without_key(connection: Connection, actor: Actor) -> tuple[Budget, ...]:
    """The budgets that somebody who has signed in without a key spends from."""
    found = _around(connection).budgets
    owners = (("user", actor.user), ("team", actor.team), ("org", actor.org))
    return tuple(one for scope, owner in owners if owner for one in found.get((scope, owner), ()))


def ids_of(connection: Connection, which: ColumnElement[bool]) -> frozenset[str]:
    """The ids of some keys, be they valid or not."""
    return frozenset(connection.execute(select(keys.c.id).where(which)).scalars())


def changed_since(connection: Connection, number: int) -> ColumnElement[bool]:
    """Which keys the acts after this one have to do with."""
    acts = connection.execute(
        select(audit.c.action, audit.c.target, audit.c.before, audit.c.after).where(
            audit.c.id > number
        )
    ).all()
    named: dict[str, set[str]] = {"key": set(), "user": set(), "team": set(), "org": set()}
    for action, target, before, after in acts:
        kind = action.partition(".")[0]
        if kind == "budget":
            scope, owner = _owner_of(connection, target, before, after)
        else:
            scope, owner = "org" if kind == "organisation" else kind, target
        if scope in named:  # else it was no act about accounts, such as a policy's change
            named[scope].add(owner)
    theirs = select(users.c.id).where(users.c.team.in_(named["team"]))
    return or_(
        false(),
        keys.c.id.in_(named["key"]),
        keys.c.user.in_(named["user"]),
        keys.c.team.in_(named["team"]),
        keys.c.user.in_(theirs),
        keys.c.org.in_(named["org"]),
    )


def _owner_of(
    connection: Connection,
    budget: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> tuple[str, str]:
    """Whose a budget is, or was."""
    for said in (after, before):
        if said is not None and "owner" in said:
            return said["scope"], said["owner"]
    asked = select(budgets.c.scope, budgets.c.owner).where(budgets.c.id == budget)
    found = connection.execute(asked).first()
    return ("key", "") if found is None else (found.scope, found.owner)


def _around(connection: Connection) -> _Around:
    owned: dict[tuple[str, str], list[Budget]] = {}
    names = [name for name in Budget.__struct_fields__ if name in budgets.c]
    for values in connection.execute(select(*(budgets.c[name] for name in names))):
        one = Budget(**dict(zip(names, values, strict=True)))
        owned.setdefault((one.scope, one.owner), []).append(one)
    return _Around(
        _names(connection, organisations),
        _names(connection, teams),
        {
            row.id: _User(row.name, row.role, row.team)
            for row in connection.execute(select(users).where(users.c.ended_at.is_(None)))
        },
        owned,
    )


def _names(connection: Connection, table: Table) -> dict[str, str]:
    asked = select(table.c.id, table.c.name).where(table.c.ended_at.is_(None))
    return {name: called for name, called in connection.execute(asked)}  # noqa: C416 - rows


def _key(values: list[Any]) -> Key:
    fields = zip(Key.__struct_fields__, values, strict=True)
    return msgspec.convert(dict(fields), Key, strict=False)


def _holder(key: Key, expires_at: float | None, around: _Around) -> Holder | None:
    """A key with what bounds it; None if what it belongs to has ended."""
    user = around.users.get(key.user) if key.user is not None else None
    team = key.team or (user.team if user is not None else None)
    if (
        key.org not in around.orgs
        or (key.user is not None and user is None)
        or (team is not None and team not in around.teams)
    ):
        return None
    role = key.role
    if user is not None:
        role = min(key.role, user.role, key=ROLES.index)
    ends = [at for at in (key.expires_at, expires_at) if at is not None]
    owners = (
        ("key", key.id, key.name),
        ("user", key.user, user.name if user is not None else ""),
        ("team", team, around.teams.get(team or "", "")),
        ("org", key.org, around.orgs[key.org]),
    )
    return Holder(
        key=replace(key, team=team) if team != key.team else key,
        role=role,
        budgets=tuple(
            replace(one, owner_name=name)
            for scope, owner, name in owners
            if owner is not None
            for one in around.budgets.get((scope, owner), ())
        ),
        until=min(ends, default=None),
    )
