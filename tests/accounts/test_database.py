"""Accounts in SQLite and PostgreSQL: the tables, acts, and who is let in."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Table, event, insert, update

from tierwise.accounts import tables
from tierwise.accounts.accounts import Accounts, accounts_of
from tierwise.accounts.counter import InFile, InMemory
from tierwise.accounts.kinds import AUDIT, KEY, ORGANISATION, TEAM
from tierwise.accounts.secrets import digest_of, new_secret
from tierwise.accounts.types import OPERATOR, Actor
from tierwise.accounts.wanted import (
    KeyChange,
    NewBudget,
    NewKey,
    NewOrganisation,
    NewTeam,
    NewUser,
    UserChange,
)
from tierwise.config.keeping import LedgerConfig
from tierwise.errors import ConfigError, InvalidRequest, NameTaken, UnknownAccount
from tierwise.ledger.spent import LedgerSpending
from tierwise.storage.engine import at_once
from tierwise.storage.metadata import metadata

TABLES = [one for one in vars(tables).values() if isinstance(one, Table)]
OURS = {one.name for one in TABLES}


def test_the_migrations_make_the_tables_that_the_code_knows(accounts: Accounts) -> None:
    with accounts.database.reading() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name in OURS,
            },
        )
        found = [one for one in compare_metadata(context, metadata) if _about_ours(one)]
    assert found == []
    assert {"keys", "key_secrets", "users", "teams", "organisations", "budgets"} <= OURS


def _about_ours(difference: Any) -> bool:
    if isinstance(difference, list):
        return any(_about_ours(one) for one in difference)
    return any(
        getattr(part, "name", part) in OURS
        or getattr(getattr(part, "table", None), "name", None) in OURS
        for part in difference[1:]
        if isinstance(getattr(part, "name", part), str)
    )


def test_an_account_may_be_opened_again_and_by_many_at_once(url: str) -> None:
    failed: list[Exception] = []

    def start() -> None:
        accounts = Accounts(url)
        try:
            accounts.open()
        except Exception as error:  # noqa: BLE001 - reported below
            failed.append(error)
        finally:
            accounts.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []


def test_who_holds_a_secret_is_found_with_what_bounds_it(accounts: Accounts) -> None:
    store = accounts.store
    org = store.create_organisation(OPERATOR, NewOrganisation(name="acme")).id
    team = store.create_team(OPERATOR, NewTeam(name="search", org=org)).id
    user = store.create_user(OPERATOR, NewUser(name="ann", org=org, team=team)).id
    wanted = NewKey(name="ci", org=org, user=user, models=("small",), tags=("batch",), rpm=5)
    key, secret = accounts.keyring.create(OPERATOR, wanted)
    budgets = {
        store.create_budget(
            OPERATOR, NewBudget(scope=scope, owner=owner, period="day", hard_usd=1)
        ).words
        for scope, owner in (("key", key.id), ("user", user), ("team", team), ("org", org))
    }
    accounts.directory.look()
    holder = accounts.directory.find(secret.digest)
    assert holder is not None
    assert (holder.key.id, holder.key.team, holder.role) == (key.id, team, "member")
    assert (holder.key.models, holder.key.tags, holder.key.rpm) == (("small",), ("batch",), 5)
    assert {one.words for one in holder.budgets} == budgets
    assert "daily budget of team search" in budgets
    assert accounts.directory.find(digest_of("tw-other")) is None


@pytest.mark.parametrize("ended", ["organisation", "team", "user", "key"])
def test_what_has_ended_takes_its_keys_along(accounts: Accounts, ended: str) -> None:
    from tierwise.accounts.kinds import USER

    store = accounts.store
    org = store.create_organisation(OPERATOR, NewOrganisation(name="acme")).id
    team = store.create_team(OPERATOR, NewTeam(name="search", org=org)).id
    user = store.create_user(OPERATOR, NewUser(name="ann", org=org, team=team)).id
    key, secret = accounts.keyring.create(OPERATOR, NewKey(name="ci", org=org, user=user))
    accounts.directory.look()
    assert accounts.directory.find(secret.digest) is not None
    if ended == "key":
        accounts.keyring.revoke(OPERATOR, key.id)
    else:
        kind: Any = {"organisation": ORGANISATION, "team": TEAM, "user": USER}[ended]
        store.end(OPERATOR, kind, {"organisation": org, "team": team, "user": user}[ended])
    accounts.directory.look()
    assert accounts.directory.find(secret.digest) is None
    # Whoever looks at the key sees that, and nobody is given a secret of it that would be no good.
    assert store.get(OPERATOR, KEY, key.id).revoked_at is not None
    with pytest.raises(InvalidRequest, match="revoked, for good"):
        accounts.keyring.rotate(OPERATOR, key.id)


def test_what_ends_takes_no_keys_along_that_are_of_something_else(accounts: Accounts) -> None:
    store, keyring = accounts.store, accounts.keyring
    teams = [store.create_team(OPERATOR, NewTeam(name=f"t{n}")).id for n in range(2)]
    ann = store.create_user(OPERATOR, NewUser(name="ann", team=teams[0])).id
    for wanted in (
        NewKey(name="of her other team", user=ann, team=teams[1]),
        NewKey(name="of that alone", team=teams[1]),
        NewKey(name="of nobody"),
    ):
        keyring.create(OPERATOR, wanted)
    store.end(OPERATOR, TEAM, teams[0])
    assert all(key.revoked_at is None for key in store.all(OPERATOR, KEY))


def test_a_user_whose_team_has_ended_is_given_no_key_that_would_be_no_good(
    accounts: Accounts,
) -> None:
    store, keyring = accounts.store, accounts.keyring
    team = store.create_team(OPERATOR, NewTeam(name="search")).id
    ann = store.create_user(OPERATOR, NewUser(name="ann", team=team)).id
    store.end(OPERATOR, TEAM, team)
    with pytest.raises(InvalidRequest, match="whose team 'search' has ended"):
        keyring.create(OPERATOR, NewKey(name="k", user=ann))
    store.change_user(OPERATOR, ann, UserChange(team=None))
    _, secret = keyring.create(OPERATOR, NewKey(name="k", user=ann))
    accounts.directory.look()
    assert accounts.directory.find(secret.digest) is not None


def test_the_role_of_a_key_is_no_more_than_its_users(accounts: Accounts) -> None:
    user = accounts.store.create_user(OPERATOR, NewUser(name="ann", role="viewer")).id
    wanted = NewKey(name="k", user=user, role="admin")
    secret = accounts.keyring.create(OPERATOR, wanted)[1]

    def role() -> str:
        accounts.directory.look()
        holder = accounts.directory.find(secret.digest)
        assert holder is not None
        return holder.role

    assert role() == "viewer"
    accounts.store.change_user(OPERATOR, user, UserChange(role="admin"))
    assert role() == "admin"


def test_a_change_elsewhere_is_seen_when_the_database_is_asked(url: str) -> None:
    here, there = Accounts(url), Accounts(url)
    here.open()
    there.open()
    _, secret = there.keyring.create(OPERATOR, NewKey(name="ci"))
    here.directory.look()
    assert here.directory.find(secret.digest) is None
    version = here.directory.version
    here.directory.poll()
    assert here.directory.find(secret.digest) is not None
    assert here.directory.version > version
    version = here.directory.version
    here.directory.poll()
    assert here.directory.version == version
    here.close()
    there.close()


def test_a_change_on_this_machine_is_seen_without_asking(tmp_path: Path) -> None:
    ledger = LedgerConfig(path=str(tmp_path / "ledger.db"))
    here, there = accounts_of(ledger), accounts_of(ledger)
    here.open()
    there.open()
    key, secret = there.keyring.create(OPERATOR, NewKey(name="ci"))
    here.directory.look()
    assert here.directory.find(secret.digest) is not None
    there.keyring.revoke(OPERATOR, key.id)
    here.directory.look()
    assert here.directory.find(secret.digest) is None
    here.close()
    there.close()


def test_where_the_database_is_away_keys_that_are_known_stay_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "ledger.db"
    accounts = Accounts(f"sqlite:///{file}")
    accounts.open()
    _, secret = accounts.keyring.create(OPERATOR, NewKey(name="ci"))
    accounts.directory.look()
    accounts.close()
    kept = file.read_bytes()
    file.write_bytes(b"no database" * 1000)
    accounts.directory.poll()
    accounts.directory.refresh()
    assert accounts.directory.last_error is not None
    assert accounts.directory.find(secret.digest) is not None
    accounts.close()
    file.write_bytes(kept)
    accounts.directory.poll()
    assert accounts.directory.last_error is None
    assert caplog.messages[-1] == "accounts are read again"
    accounts.close()


def test_acts_are_numbered_without_a_gap_be_they_at_once(accounts: Accounts) -> None:
    def make(place: int) -> None:
        for number in range(5):
            accounts.store.create_team(OPERATOR, NewTeam(name=f"t{place}-{number}"))

    threads = [threading.Thread(target=make, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    numbers = [one.id for one in accounts.store.all(OPERATOR, AUDIT)]
    assert numbers == list(range(15, 0, -1))


def test_a_name_is_taken_until_its_owner_has_ended(accounts: Accounts) -> None:
    first = accounts.store.create_team(OPERATOR, NewTeam(name="search"))
    with pytest.raises(NameTaken):
        accounts.store.create_team(OPERATOR, NewTeam(name="search"))
    accounts.store.end(OPERATOR, TEAM, first.id)
    again = accounts.store.create_team(OPERATOR, NewTeam(name="search"))
    assert again.id != first.id
    assert len(list(accounts.store.all(OPERATOR, AUDIT))) == 3


def test_a_change_writes_what_was_and_what_is(accounts: Accounts) -> None:
    key, _ = accounts.keyring.create(OPERATOR, NewKey(name="ci", models=("small",)))
    changed = accounts.keyring.change(OPERATOR, key.id, KeyChange(models=("large",), rpm=3))
    assert (changed.models, changed.rpm, changed.name) == (("large",), 3, "ci")
    assert accounts.store.get(OPERATOR, KEY, key.id) == changed
    entry = next(accounts.store.all(OPERATOR, AUDIT))
    assert (entry.before, entry.after) == (
        {"models": ["small"], "rpm": None},
        {"models": ["large"], "rpm": 3},
    )
    with pytest.raises(InvalidRequest):
        accounts.keyring.change(OPERATOR, key.id, KeyChange())


def test_no_secret_is_in_the_audit_log_or_the_tables(accounts: Accounts) -> None:
    key, first = accounts.keyring.create(OPERATOR, NewKey(name="ci"))
    _, second = accounts.keyring.rotate(OPERATOR, key.id, 60)
    with accounts.database.reading() as connection:
        everything = repr([connection.execute(one.select()).all() for one in TABLES])
    for secret in (first, second):
        assert secret.value not in everything
        assert secret.value[len(secret.prefix) :] not in everything
    assert first.value not in repr(first)


def test_secrets_are_never_twice_the_same() -> None:
    made = {new_secret().value for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(one) == 46 for one in made)


def test_a_revoked_key_stays_so(accounts: Accounts) -> None:
    key, _ = accounts.keyring.create(OPERATOR, NewKey(name="ci"))
    accounts.keyring.revoke(OPERATOR, key.id)
    for call in (
        lambda: accounts.keyring.rotate(OPERATOR, key.id),
        lambda: accounts.keyring.revoke(OPERATOR, key.id),
        lambda: accounts.keyring.change(OPERATOR, key.id, KeyChange(name="x")),
    ):
        with pytest.raises(InvalidRequest, match="revoked"):
            call()


def test_the_first_key_is_made_once_be_it_by_many(accounts: Accounts) -> None:
    made: list[object] = []
    threads = [
        threading.Thread(target=lambda: made.append(accounts.keyring.bootstrap())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len([one for one in made if one is not None]) == 1
    assert accounts.keyring.operated()


def test_those_of_another_organisation_see_nothing(accounts: Accounts) -> None:
    key, _ = accounts.keyring.create(OPERATOR, NewKey(name="ci"))
    org = accounts.store.create_organisation(OPERATOR, NewOrganisation(name="acme")).id
    stranger = Actor(name="x", org=org, role="admin")
    with pytest.raises(UnknownAccount):
        accounts.store.get(stranger, KEY, key.id)
    assert list(accounts.store.all(stranger, KEY)) == []


def test_the_counter_tells_those_who_share_its_file(tmp_path: Path) -> None:
    one, other = InFile(tmp_path / "counter"), InFile(tmp_path / "counter")
    before = other.read()
    one.tell(7)
    assert other.read() != before
    assert (one.read(), other.read()) == (7, 7)
    alone = InMemory()
    alone.tell(3)
    assert alone.read() == 3


def test_accounts_in_memory_are_refused() -> None:
    with pytest.raises(ConfigError, match="in memory"):
        accounts_of(LedgerConfig(path=":memory:"))


def test_what_was_spent_is_read_from_days_that_are_added_up_and_rows_after_them(
    accounts: Accounts,
) -> None:
    from tierwise.ledger.rollup import Part
    from tierwise.ledger.tables import asides, bundles, daily, marks, owners, requests, shapes

    day = 86_400 * 20_000
    shape = dict.fromkeys(("status", "policy", "model", "deployment", "kind", "domain"), "")
    numbers = dict.fromkeys(("tier", "small", "plain", "escalated", "failovers"), 0)
    figures = dict.fromkeys(
        (c.name for c in daily.c if c.name not in ("day", "shape", "owner", "checks")), 0
    )
    tokens = dict.fromkeys((c.name for c in requests.c if c.name.endswith("_tokens")), 0)
    row = {"reference_cost_usd": 0, "wasted_usd": 0, "latency_s": 0, "shape": 1, "bundle": 1,
           "slot": 0, "owner": 1, **tokens}  # fmt: skip
    with accounts.database.engine.begin() as connection:
        connection.execute(insert(shapes).values(id=1, error="", **shape, **numbers))
        connection.execute(insert(bundles).values(id=1, codec="", records=b""))
        for number, org in ((1, "org_1"), (2, "org_2")):
            connection.execute(
                insert(owners).values(
                    id=number, key=f"k{number}", user="", team="", org=org, tags=""
                )
            )
        for when, owner, cost in ((day - 86_400, 1, 100), (day, 1, 5), (day, 2, 1000)):
            for part in Part:
                of = 0 if part is Part.SHAPES else owner
                values = {**figures, "part": int(part), "cost_usd": cost, "requests": owner}
                shape_of = 0 if part is Part.OWNERS else owner
                connection.execute(
                    insert(daily).values(day=when, shape=shape_of, owner=of, checks=0, **values)
                )
        connection.execute(update(marks).where(marks.c.name == "requests").values(value=2))
        for seq, at, cost in ((1, day + 1, 5), (2, day + 2, 0), (3, day + 3, 2), (4, day - 1, 9)):
            connection.execute(
                insert(requests).values(seq=seq, id=f"r{seq}", at=at, cost_usd=cost, **row)
            )
    spent = LedgerSpending(accounts.database.engine)
    assert spent("org", "org_1", day) == 7
    key, _ = accounts.keyring.create(OPERATOR, NewKey(name="vectors"))
    aside = {"id": "a", "kind": "embeddings", "asked": "m", "status": "ok", "latency_s": 0,
             "failovers": 0, "error_kind": ""}  # fmt: skip
    with accounts.database.engine.begin() as connection:
        for at, cost in ((day, 0.5), (day + 9, None), (day - 9, 3)):
            values = {**aside, "at": at, "cost_usd": cost, "caller": key.id}
            connection.execute(insert(asides).values(**values))
    assert spent("key", key.id, day) == spent("org", "default", day) == 0.5
    assert spent("key", "k1", 0) == 116
    assert spent("org", "org_2", day) == 1000
    assert spent("team", "none", day) == 0


def test_embeddings_are_spent_by_the_user_and_the_team_that_their_key_had(
    accounts: Accounts, url: str
) -> None:
    """Also where only the user has a team, and not the key."""
    from tierwise.ledger import Aside, Ledger
    from tierwise.types import Owner

    owner = Owner(key="k", user="u", team="t", org="o", tags=("x",))
    aside = Aside(
        id="a", at=86_400.0, kind="embeddings", asked="m", status="ok", latency_s=0.1, caller="k",
        cost_usd=0.25, owner=owner,
    )  # fmt: skip
    nobodys = msgspec.structs.replace(aside, id="b", caller=None, owner=None)
    with Ledger(url.removeprefix("sqlite:///")) as ledger:
        assert ledger.noted(aside)
        assert ledger.noted(nobodys)
        assert ledger.flush()
    spent = LedgerSpending(accounts.database.engine)
    for scope, name in (("key", "k"), ("user", "u"), ("team", "t"), ("org", "o")):
        assert spent(scope, name, 0) == 0.25
        assert spent(scope, "other", 0) == 0


def test_an_act_about_more_keys_than_a_statement_may_name_is_seen(tmp_path: Path) -> None:
    accounts = Accounts(f"sqlite:///{tmp_path / 'ledger.db'}")
    event.listen(
        accounts.database.engine,
        "connect",
        lambda raw, _: raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 600),
    )
    accounts.open()
    store, keyring = accounts.store, accounts.keyring
    org = store.create_organisation(OPERATOR, NewOrganisation(name="acme")).id
    key, secret = keyring.create(OPERATOR, NewKey(name="k", org=org))
    fields = {name: value for name, value in msgspec.to_builtins(key).items() if name != "id"}
    more = [{**fields, "id": f"key_{n}"} for n in range(700)]
    with at_once(accounts.database.engine) as connection:
        connection.execute(insert(tables.keys), more)
    accounts.directory.refresh()
    assert accounts.directory.find(secret.digest) is not None
    store.end(OPERATOR, ORGANISATION, org)
    accounts.directory.look()
    assert accounts.directory.last_error is None
    assert accounts.directory.find(secret.digest) is None
    accounts.close()


def test_what_is_read_after_each_act_is_what_is_read_at_once(url: str) -> None:
    """A directory that follows act by act knows the same as one that begins after them."""
    from tierwise.accounts.kinds import USER
    from tierwise.accounts.wanted import BudgetChange, OrganisationChange, TeamChange

    accounts = Accounts(url)
    accounts.open()
    store, keyring = accounts.store, accounts.keyring
    org = store.create_organisation(OPERATOR, NewOrganisation(name="acme")).id
    teams = [store.create_team(OPERATOR, NewTeam(name=f"t{n}", org=org)).id for n in range(2)]
    users = [
        store.create_user(OPERATOR, NewUser(name=f"u{n}", org=org, team=teams[n])).id
        for n in range(2)
    ]
    keys = [
        keyring.create(OPERATOR, NewKey(name=f"k{n}", org=org, user=users[n % 2]))[0].id
        for n in range(4)
    ]
    keys.append(keyring.create(OPERATOR, NewKey(name="direct", org=org, team=teams[0]))[0].id)
    made = {
        scope: store.create_budget(
            OPERATOR, NewBudget(scope=scope, owner=owner, period="day", hard_usd=1)
        ).id
        for scope, owner in (
            ("key", keys[0]), ("user", users[0]), ("team", teams[0]), ("org", org)
        )
    }  # fmt: skip
    acts = [
        lambda: store.change_budget(OPERATOR, made["team"], BudgetChange(hard_usd=2)),
        lambda: store.delete_budget(OPERATOR, made["user"]),
        lambda: store.delete_budget(OPERATOR, made["key"]),
        lambda: store.change_budget(OPERATOR, made["org"], BudgetChange(soft_usd=1)),
        lambda: keyring.rotate(OPERATOR, keys[1], 60),
        lambda: keyring.change(OPERATOR, keys[1], KeyChange(name="other", models=("small",))),
        lambda: store.change_team(OPERATOR, teams[0], TeamChange(name="renamed")),
        lambda: store.change_user(OPERATOR, users[1], UserChange(team=teams[0])),
        lambda: store.change_user(OPERATOR, users[1], UserChange(role="viewer")),
        lambda: keyring.revoke(OPERATOR, keys[2]),
        lambda: store.change_organisation(OPERATOR, org, OrganisationChange(name="new")),
        lambda: store.end(OPERATOR, USER, users[0]),
        lambda: store.end(OPERATOR, TEAM, teams[0]),
        lambda: store.end(OPERATOR, ORGANISATION, org),
    ]
    for act in acts:
        act()
        accounts.directory.look()
        anew = Accounts(url)
        anew.directory.refresh()
        assert accounts.directory._holders == anew.directory._holders
        anew.close()
    assert accounts.directory._holders == {}
    accounts.close()


def test_the_counter_has_its_place_on_the_disk_before_that_is_full(tmp_path: Path) -> None:
    InFile(tmp_path / "counter")
    with (tmp_path / "counter").open("rb") as file:
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) >= 8
