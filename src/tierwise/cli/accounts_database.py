"""Commands about accounts work on the database itself; the gateway may be running."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tierwise.cli.configuration import find_file

if TYPE_CHECKING:
    from tierwise.accounts.accounts import Accounts

T = TypeVar("T")
DatabaseOption = Annotated[Path | None, typer.Option("--db", help="The ledger's file.")]
OrgOption = Annotated[str | None, typer.Option("--org", help="Organisation, by id or name.")]


@contextmanager
def open_accounts(config: Path | None, database: Path | None = None) -> Iterator[Accounts]:
    """The accounts in the ledger's database; both are made if they are missing."""
    from tierwise.accounts.accounts import accounts_of
    from tierwise.config import load_ledger
    from tierwise.config.keeping import LedgerConfig

    if database is not None:
        ledger = LedgerConfig(path=str(database))
    else:
        ledger = load_ledger(find_file(config))
    accounts = accounts_of(ledger)
    try:
        accounts.open()
        yield accounts
    finally:
        accounts.close()


def check_configured(
    config: Path | None, database: Path | None, models: Sequence[str], policies: Sequence[str]
) -> None:
    """Whether the configuration has what a key is to be allowed. A database alone (`--db`) may be
    that of another one, and nothing is looked up.

    Raises:
        ConfigError: the configuration cannot be used.
        InvalidRequest: see `check_known`.
    """
    from tierwise.accounts.known import check_known
    from tierwise.config import build, load

    file = find_file(config) if database is None else config
    if file is not None and (models or policies):
        setup = build(load(file, needs_keys=False), certificates=False)
        check_known(setup, models, policies)


def converted(kind: type[T], **fields: object) -> T:
    """What was given on the command line, as what is wanted.

    Raises:
        ConfigError: a value cannot be used; names the option.
    """
    import msgspec

    from tierwise.accounts.wanted import plainly
    from tierwise.errors import ConfigError

    for name, value in fields.items():
        if value != value:  # NaN, which no bound keeps out
            raise ConfigError(
                "this is no number", field=f"--{name}", remedy="`--help` has what it may be."
            )
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$.")
        option = place.rstrip("`").partition("[")[0]
        raise ConfigError(
            plainly(said),
            field=f"--{option}" if option else None,
            remedy="`--help` has what it may be.",
        ) from None


def org_of(accounts: Accounts, named: str | None) -> str | None:
    """The id of the organisation that is named by its id or its name, if one is.

    Raises:
        UnknownAccount: there is none.
        InvalidRequest: there are several of this name.
    """
    from tierwise.accounts.kinds import ORGANISATION
    from tierwise.accounts.types import OPERATOR

    return None if named is None else accounts.store.named(OPERATOR, ORGANISATION, named).id


def names_of_orgs(accounts: Accounts) -> dict[str, str]:
    """What organisations are called, by id."""
    from tierwise.accounts.kinds import ORGANISATION
    from tierwise.accounts.types import OPERATOR

    return {one.id: one.name for one in accounts.store.all(OPERATOR, ORGANISATION)}


def day_of(moment: float | None) -> str:
    """A time for people, empty for never."""
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")
