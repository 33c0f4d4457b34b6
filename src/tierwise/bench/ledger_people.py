"""Who asks and who looks in the benchmark of a large ledger."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tierwise.accounts.accounts import Accounts
from tierwise.accounts.kinds import KEY, ORGANISATION
from tierwise.accounts.types import OPERATOR, Key, Role
from tierwise.accounts.wanted import NewBudget, NewKey, NewOrganisation, NewTeam, NewUser

OWNERS = 200
ORGANISATIONS = 4
TEAMS = 20
BUSIEST, SELDOM = 0, 152
"""Of the keys, by frequency: one that asks every sixth request, and one that asks one in 500.
Both are of the same organisation."""
PERSONS = ("operator", "admin", "busiest member", "member")
"""An operator of the gateway, an admin of the busiest organisation, and two members of it."""


class Person(Struct, frozen=True):
    """Somebody who signs in, and by which key."""

    name: str
    secret: str


def people(accounts: Accounts) -> list[Key]:
    """Organisations, teams, users, each with a key, and some budgets; those that are there."""
    found = [key for key in accounts.store.all(OPERATOR, KEY) if key.name.startswith("app ")]
    if not found:
        found = _made(accounts)
    return sorted(found, key=lambda key: int(key.name.removeprefix("app ")))


def persons(accounts: Accounts, keys: Sequence[Key], operator: str) -> list[Person]:
    """Those who look at pages, each with a key of their own.

    Args:
        operator: the key of the operator, from the configuration.
    """
    busy, rare = keys[BUSIEST], keys[SELDOM]
    wanted: tuple[tuple[Role, str | None], ...] = (
        ("admin", None), ("member", busy.user), ("member", rare.user)
    )  # fmt: skip
    secrets = [operator]
    for role, user in wanted:
        new = NewKey(name="somebody who looks", org=busy.org, user=user, role=role)
        secrets.append(accounts.keyring.create(OPERATOR, new)[1].value)
    return [Person(name, secret) for name, secret in zip(PERSONS, secrets, strict=True)]


def _made(accounts: Accounts) -> list[Key]:
    store = accounts.store
    known = {one.name: one.id for one in store.all(OPERATOR, ORGANISATION)}
    orgs = [
        known.get(name) or store.create_organisation(OPERATOR, NewOrganisation(name=name)).id
        for name in (f"organisation {number}" for number in range(ORGANISATIONS))
    ]
    teams = [
        store.create_team(OPERATOR, NewTeam(name=f"team {n}", org=orgs[n % ORGANISATIONS])).id
        for n in range(TEAMS)
    ]
    keys = []
    for number in range(OWNERS):
        org, team = orgs[number % ORGANISATIONS], teams[number % TEAMS]
        new = NewUser(name=f"user {number}", org=org, team=team)
        user = store.create_user(OPERATOR, new).id
        wanted = NewKey(name=f"app {number}", org=org, team=team, user=user)
        keys.append(accounts.keyring.create(OPERATOR, wanted)[0])
        if number % 5 == 0:
            budget = NewBudget(scope="user", owner=user, period="month", hard_usd=1e6)
            store.create_budget(OPERATOR, budget)
    return keys
