"""Accounts as they are looked up, made, changed and ended.

Every method is told who does it, and shows or does only what they may; what they may not see does
not exist for them. All of them block; methods that change something write the audit log too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, insert, or_, select, update

from tierwise.accounts import tables
from tierwise.accounts.database import Act, Database, new_id
from tierwise.accounts.kinds import (
    AUDIT,
    BUDGET,
    ORGANISATION,
    OWNERS,
    TEAM,
    USER,
    Kind,
    acts_seen_by,
    administer,
    operate,
)
from tierwise.accounts.types import DEFAULT_ORG, Actor, Organisation, Team, User
from tierwise.accounts.wanted import (
    BudgetChange,
    NewBudget,
    NewOrganisation,
    NewTeam,
    NewUser,
    OrganisationChange,
    TeamChange,
    UserChange,
)
from tierwise.budget import Budget, Scope
from tierwise.errors import InvalidRequest, UnknownAccount

T = TypeVar("T", bound=Struct)
MOST = 1000
"""Entries of one page at most."""


class Page(Struct, frozen=True):
    """Some entries of a list; `more` says that others follow."""

    data: tuple[Any, ...]
    more: bool = False


class Store:
    """Organisations, teams, users and budgets; keys are the `Keyring`'s."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(
        self,
        actor: Actor,
        kind: Kind[Any],
        *,
        after: str | None = None,
        limit: int = 100,
        org: str | None = None,
    ) -> Page:
        """Some of a kind in the order in which they were made; of the audit log the latest first.

        Args:
            after: the id of the last one that is known.
            org: only those of the organisation of this id.

        Raises:
            InvalidRequest: `org` is no id, so that nothing would be found whatever there is.
        """
        table = kind.table
        if org is not None and org != DEFAULT_ORG and not org.startswith(f"{ORGANISATION.prefix}_"):
            raise InvalidRequest(_no_id(ORGANISATION, org, "org"), param="org")
        if kind is AUDIT:
            acts = acts_seen_by(actor)
            whose, asked = acts.c.org, select(acts).order_by(acts.c.id.desc())
            if after is not None:
                asked = asked.where(acts.c.id < _number(after))
        else:
            whose = table.c.id if kind is ORGANISATION else table.c.org
            asked = select(table).where(kind.visible(actor)).order_by(table.c.id)
            if after is not None:
                asked = asked.where(table.c.id > after)
        if org is not None:
            asked = asked.where(whose == org)
        asked = asked.limit(limit + 1)
        with self.database.reading() as connection:
            rows = connection.execute(asked).mappings().all()
            found = tuple(kind.read(row) for row in rows[:limit])
            return Page(_with_owners(connection, found), len(rows) > limit)

    def all(self, actor: Actor, kind: Kind[T], *, org: str | None = None) -> Iterator[T]:
        """All of a kind, page by page."""
        after: str | None = None
        while True:
            page = self.page(actor, kind, after=after, limit=MOST, org=org)
            yield from page.data
            if not page.more:
                return
            after = str(page.data[-1].id)

    def get(self, actor: Actor, kind: Kind[T], name: str) -> T:
        """One of a kind, by its id.

        Raises:
            UnknownAccount: there is none that they may see.
        """
        with self.database.reading() as connection:
            found = seen(connection, actor, kind, name)
            return _with_owners(connection, (found,))[0]

    def named(self, actor: Actor, kind: Kind[T], text: str) -> T:
        """One of a kind that has not ended, by its id or by its name.

        Raises:
            UnknownAccount: there is none.
            InvalidRequest: there are several of this name.
        """
        table = kind.table
        asked = select(table).where(
            or_(table.c.id == text, table.c.name == text), kind.visible(actor)
        )
        for column in ("ended_at", "revoked_at"):
            if column in table.c:
                asked = asked.where(table.c[column].is_(None))
        with self.database.reading() as connection:
            rows = connection.execute(asked.limit(10)).mappings().all()
        if not rows:
            raise UnknownAccount(
                f"There is no {kind.noun} of the id or name {text!r}. `tierwise "
                f"{'keys' if kind.table is tables.keys else 'accounts'} list` lists those that "
                "there are."
            )
        if len(rows) > 1:
            raise InvalidRequest(
                f"{text!r} is the name of several {kind.noun}s. Give the id of one: "
                f"{', '.join(row['id'] for row in rows)}."
            )
        return kind.read(rows[0])

    def create_organisation(self, actor: Actor, wanted: NewOrganisation) -> Organisation:
        """A new organisation, by those who operate the gateway."""
        operate(actor, "To make organisations")
        with self.database.act(actor) as act:
            name = new_id(ORGANISATION.prefix, act.at)
            made = Organisation(id=name, name=wanted.name, created_at=act.at)
            return _insert(act, ORGANISATION, made, made.id)

    def change_organisation(
        self, actor: Actor, name: str, wanted: OrganisationChange
    ) -> Organisation:
        """Another name for an organisation, by those who operate the gateway."""
        with self.database.act(actor) as act:
            before = seen(act.connection, actor, ORGANISATION, name)
            operate(actor, "To change organisations")
            return change(act, ORGANISATION, before, before.id, wanted)

    def create_team(self, actor: Actor, wanted: NewTeam) -> Team:
        """A new team."""
        with self.database.act(actor) as act:
            org = org_for(act.connection, actor, wanted.org)
            made = Team(
                id=new_id(TEAM.prefix, act.at), org=org, name=wanted.name, created_at=act.at
            )
            return _insert(act, TEAM, made, org)

    def change_team(self, actor: Actor, name: str, wanted: TeamChange) -> Team:
        """Another name for a team."""
        with self.database.act(actor) as act:
            before = seen(act.connection, actor, TEAM, name)
            administer(actor, before.org)
            return change(act, TEAM, before, before.org, wanted)

    def create_user(self, actor: Actor, wanted: NewUser) -> User:
        """A new user."""
        with self.database.act(actor) as act:
            org = org_for(act.connection, actor, wanted.org)
            check_within(act.connection, TEAM, wanted.team, org)
            made = User(
                id=new_id(USER.prefix, act.at),
                org=org,
                name=wanted.name,
                role=wanted.role,
                team=wanted.team,
                created_at=act.at,
            )
            return _insert(act, USER, made, org)

    def change_user(self, actor: Actor, name: str, wanted: UserChange) -> User:
        """Another name, role or team for a user."""
        with self.database.act(actor) as act:
            before = seen(act.connection, actor, USER, name)
            administer(actor, before.org)
            if wanted.team is not UNSET:
                check_within(act.connection, TEAM, wanted.team, before.org)
            return change(act, USER, before, before.org, wanted)

    def end(self, actor: Actor, kind: Kind[T], name: str) -> T:
        """Ends an organisation, a team or a user, and revokes all of its keys.

        They stay in the database, since the ledger goes on naming them.
        """
        with self.database.act(actor) as act:
            before: Any = seen(act.connection, actor, kind, name)
            if isinstance(before, Organisation):
                operate(actor, "To end organisations")
                if name == DEFAULT_ORG:
                    raise InvalidRequest(
                        f"`{name}` is the organisation that is always there. End its teams, users "
                        "and keys instead.",
                        param="id",
                    )
                org = name
            else:
                org = before.org
                administer(actor, org)
            table = kind.table
            act.connection.execute(update(table).where(table.c.id == name).values(ended_at=act.at))
            keys = tables.keys
            act.connection.execute(
                update(keys)
                .where(_keys_of(kind, name), keys.c.revoked_at.is_(None))
                .values(revoked_at=act.at)
            )
            act.note(f"{kind.noun}.delete", name, org, before=msgspec.structs.asdict(before))
            ended: T = msgspec.structs.replace(before, ended_at=act.at)
            return ended

    def create_budget(self, actor: Actor, wanted: NewBudget) -> Budget:
        """A new budget, of an owner that has none of this period yet."""
        _bounded(wanted.soft_usd, wanted.hard_usd)
        with self.database.act(actor) as act:
            kind = OWNERS[wanted.scope]
            owner: Any = seen(act.connection, actor, kind, wanted.owner, param="owner")
            org = owner.id if isinstance(owner, Organisation) else owner.org
            _may_bound(actor, wanted.scope, org)
            made = Budget(
                id=new_id(BUDGET.prefix, act.at),
                org=org,
                scope=wanted.scope,
                owner=wanted.owner,
                owner_name=owner.name,
                period=wanted.period,
                soft_usd=wanted.soft_usd,
                hard_usd=wanted.hard_usd,
                created_at=act.at,
            )
            return _insert(act, BUDGET, made, org)

    def budget_of(self, scope: str, owner: str, period: str) -> str | None:
        """The id of the budget of an owner and period, None if there is none; for operators."""
        table = tables.budgets.c
        asked = select(table.id).where(
            table.scope == scope, table.owner == owner, table.period == period
        )
        with self.database.reading() as connection:
            found: str | None = connection.execute(asked).scalar_one_or_none()
            return found

    def change_budget(self, actor: Actor, name: str, wanted: BudgetChange) -> Budget:
        """Other bounds for a budget."""
        with self.database.act(actor) as act:
            before = seen(act.connection, actor, BUDGET, name)
            _may_bound(actor, before.scope, before.org)
            after = change(act, BUDGET, before, before.org, wanted)
            _bounded(after.soft_usd, after.hard_usd)
            return _with_owners(act.connection, (after,))[0]

    def delete_budget(self, actor: Actor, name: str) -> Budget:
        """Takes a budget away."""
        with self.database.act(actor) as act:
            before = seen(act.connection, actor, BUDGET, name)
            _may_bound(actor, before.scope, before.org)
            act.connection.execute(delete(tables.budgets).where(tables.budgets.c.id == name))
            act.note("budget.delete", name, before.org, before=msgspec.structs.asdict(before))
            return before


def _keys_of(kind: Kind[Any], name: str) -> ColumnElement[bool]:
    """The keys that end with an organisation, a team or a user: of a team those of its users, too,
    which are of no other."""
    keys, users = tables.keys.c, tables.users.c
    if kind is TEAM:
        members = select(users.id).where(users.team == name)
        return or_(keys.team == name, and_(keys.team.is_(None), keys.user.in_(members)))
    return (keys.user if kind is USER else keys.org) == name


def seen(connection: Connection, actor: Actor, kind: Kind[T], name: str, param: str = "id") -> T:
    """One of a kind that somebody may see, and that has not ended.

    Args:
        param: the field that names it.

    Raises:
        UnknownAccount: there is none.
    """
    table = kind.table
    asked = select(table).where(table.c.id == name, kind.visible(actor))
    if "ended_at" in table.c:
        asked = asked.where(table.c.ended_at.is_(None))
    row = connection.execute(asked).mappings().first()
    if row is None:
        raise unknown(kind, name, param)
    return kind.read(row)


def unknown(kind: Kind[Any], name: str, param: str) -> UnknownAccount:
    """The error of an id that is none, or none that the caller may see."""
    return UnknownAccount(_no_id(kind, name, param), param=param)


def _no_id(kind: Kind[Any], name: str, param: str) -> str:
    return (
        f"`{param}` is {name[:100]!r}, and there is no {kind.noun} of this id. Give an id and not "
        f"a name, such as `{kind.prefix}_...`; GET /v1/admin/{kind.noun}s lists those that there "
        "are."
    )


def org_for(connection: Connection, actor: Actor, wanted: str | None) -> str:
    """The organisation in which somebody may make something: the wanted one, else their own.

    Raises:
        UnknownAccount: they may not see it.
        NotPermitted: they may not change it.
    """
    org = wanted or actor.org
    seen(connection, actor, ORGANISATION, org, param="org")
    administer(actor, org)
    return org


def check_within(connection: Connection, kind: Kind[Any], name: str | None, org: str) -> None:
    """Whether a team or user that something is to belong to is of the same organisation.

    Raises:
        UnknownAccount: it is not, or there is none.
    """
    if name is None:
        return
    table: Table = kind.table
    found = connection.execute(
        select(table.c.id).where(table.c.id == name, table.c.org == org, table.c.ended_at.is_(None))
    ).first()
    if found is None:
        raise unknown(kind, name, param=kind.noun)


def change(act: Act, kind: Kind[T], before: T, org: str, wanted: Struct) -> T:
    """Writes what is wanted otherwise, and notes what that was before and is now.

    Raises:
        InvalidRequest: nothing is wanted.
    """
    values = {
        name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET
    }
    if not values:
        raise InvalidRequest(
            f"The body changes nothing. Send at least one of: "
            f"{', '.join(wanted.__struct_fields__)}."
        )
    name: str = before.id  # type: ignore[attr-defined] # all kinds have one
    table = kind.table
    act.connection.execute(update(table).where(table.c.id == name).values(**values))
    act.note(
        f"{kind.noun}.change",
        name,
        org,
        before={field: getattr(before, field) for field in values},
        after=values,
    )
    return msgspec.structs.replace(before, **values)


def _insert(act: Act, kind: Kind[T], made: T, org: str) -> T:
    fields = msgspec.structs.asdict(made)
    values = {name: value for name, value in fields.items() if name in kind.table.c}
    act.connection.execute(insert(kind.table).values(**values))
    act.note(f"{kind.noun}.create", fields["id"], org, after=values)
    return made


def _number(text: str) -> int:
    """The number of an act; 0, before which there is none, if it is no such number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _may_bound(actor: Actor, scope: Scope, org: str) -> None:
    """Whoever may set or lift a budget passes: of an organisation only those above it, whom it
    would not bind otherwise.

    Raises:
        NotPermitted: anybody else.
    """
    administer(actor, org)
    if scope == "org":
        operate(actor, "To set or lift the budget of an organisation")


def _bounded(soft: float | None, hard: float | None) -> None:
    if soft is None and hard is None:
        raise InvalidRequest(
            "The budget has neither `soft_usd` nor `hard_usd`. Give one of them, or both.",
            param="hard_usd",
        )
    if soft is not None and hard is not None and soft > hard:
        raise InvalidRequest(
            f"`soft_usd` is {soft:g}, over `hard_usd`, {hard:g}: nobody would be warned before "
            "being refused. Give a lower one.",
            param="soft_usd",
        )


def _with_owners(connection: Connection, found: tuple[T, ...]) -> tuple[T, ...]:
    """Budgets with the names of their owners; all else as it is."""
    named: list[T] = []
    for one in found:
        if isinstance(one, Budget):
            table = OWNERS[one.scope].table
            asked = select(table.c.name).where(table.c.id == one.owner)
            name = connection.execute(asked).scalar_one_or_none() or ""
            one = msgspec.structs.replace(one, owner_name=name)
        named.append(one)
    return tuple(named)
