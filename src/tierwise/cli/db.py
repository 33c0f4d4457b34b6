"""`tierwise db`: look after the ledger's database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tierwise.cli.configuration import ConfigOption, JsonOption, find_ledger
from tierwise.cli.printing import print_json

app = typer.Typer(help="Look after the ledger: bring it up to date, thin it out, export it.")

PlaceOption = Annotated[
    str | None,
    typer.Option("--db", help="A ledger's file, or the URL of its database; default: configured."),
]


@app.command()
def migrate(database: PlaceOption = None, config: ConfigOption = None) -> None:
    """Create the tables or bring them up to date, and add up what was not added up yet.

    `tierwise serve` does both by itself, the latter bit by bit. The gateway may be running.
    """
    from tierwise.ledger.catch_up import catch_up
    from tierwise.storage import migrate as migrations
    from tierwise.storage.engine import file_url, is_url

    place = _place(database, config)
    migrations.upgrade(place if is_url(place) else file_url(place))
    catch_up(place, lambda left: typer.echo(f"{left:,} rows left to add up", err=True))
    typer.echo(f"{_shown(place)}: up to date")


@app.command()
def status(
    database: PlaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Say what is in the ledger, since when, and how large it is."""
    from tierwise.ledger.state import state

    found = state(_place(database, config))
    if as_json:
        print_json(found)
        return
    typer.echo(f"{found.place}: {found.size / 2**20:,.1f} MiB")
    typer.echo(f"{found.requests:,} requests recorded, rows of {found.kept:,}")
    if found.since is not None and found.until is not None:
        typer.echo(f"from {_time(found.since)} until {_time(found.until)}")
    typer.echo(
        f"{found.asides:,} for no answer, {found.attempts:,} attempts, "
        f"{found.bundles:,} bundles of records, "
        f"{found.feedback:,} opinions, {found.hours:,} hours added up"
    )
    if found.waiting:
        typer.echo(f"{found.waiting:,} rows are not added up yet; reports count them all the same")
    if found.pruned is not None:
        typer.echo(f"pruned: of before {_time(found.pruned)} only what was added up is left")


@app.command()
def prune(
    older_than: Annotated[str, typer.Option(help="For example 90d: what is older goes.")],
    database: PlaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take out old rows and records. What they added up to stays, and so do reports.

    Goes by whole hours. The gateway may be running. It does the same by itself with
    `ledger.keep_days`.
    """
    import time

    from tierwise.ledger import parse_since
    from tierwise.ledger.retention import prune as take_out

    place = _existing(_place(database, config))
    gone = take_out(place, time.time() - parse_since(older_than))
    if as_json:
        print_json(gone)
    else:
        typer.echo(
            f"{_shown(place)}: {gone.requests:,} requests, {gone.asides:,} for no answer, "
            f"{gone.attempts:,} attempts, {gone.bundles:,} bundles and {gone.feedback:,} opinions "
            f"of before {_time(gone.before)} are out"
        )


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where the Parquet files go.")],
    since: Annotated[str | None, typer.Option(help="For example 30d; default: all.")] = None,
    database: PlaceOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the ledger's rows as Parquet files, without prompts and answers."""
    import time

    from tierwise.ledger import parse_since
    from tierwise.ledger.export import export as write

    begin = 0.0 if since is None else time.time() - parse_since(since)
    for name, rows in write(_place(database, config), folder, since=begin).items():
        typer.echo(f"{folder / f'{name}.parquet'}: {rows:,} rows")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The copy; must not exist.")],
    database: PlaceOption = None,
    config: ConfigOption = None,
) -> None:
    """Copy a ledger in SQLite as it is at one moment. The gateway may be running."""
    import sqlite3
    from contextlib import closing

    from tierwise.errors import ConfigError
    from tierwise.storage.engine import is_url

    place = _existing(_place(database, config))
    if is_url(place):
        raise ConfigError(
            f"{_shown(place)} is no file",
            remedy="Use PostgreSQL's own tools: pg_dump --format=custom --file=FILE URL.",
        )
    if file.exists():
        raise ConfigError(f"{file} exists already", remedy="Name another file.")
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("VACUUM INTO ?", (str(file),))
    typer.echo(f"{file}: {file.stat().st_size / 2**20:,.1f} MiB")


def _place(database: str | None, config: Path | None) -> str:
    return database if database is not None else find_ledger(config).place


def _existing(place: str) -> str:
    from tierwise.ledger.store import check_exists
    from tierwise.storage.engine import is_url

    if not is_url(place):
        check_exists(place)
    return place


def _shown(place: str) -> str:
    from tierwise.storage.engine import is_url, shown

    return shown(place) if is_url(place) else place


def _time(at: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
