"""`tierwise report`: what was spent, what was saved, who did the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tierwise.cli.configuration import (
    SIMULATED_LEDGER,
    ConfigOption,
    JsonOption,
    find_file,
    find_ledger,
)
from tierwise.cli.printing import print_json


def command(
    since: Annotated[str | None, typer.Option(help="For example 24h, 7d; default: all.")] = None,
    database: Annotated[
        str | None, typer.Option("--db", help="The ledger's file, or the URL of its database.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Spend, saving against always using the reference, shares, failovers."""
    import time

    import msgspec

    from tierwise.cli.report_certificates import certificate_lines, in_words
    from tierwise.ledger import parse_since, report

    file = find_file(config)
    named = database is not None
    if database is None:
        database = find_ledger(config).place
    result = report(
        database, since_s=parse_since(since) if since is not None else None, now=time.time()
    )
    certificates = certificate_lines(file)
    if as_json:
        said = {**msgspec.to_builtins(result), "certificates": certificates}
        print_json(said)
        return
    from tierwise.cli.report_view import show

    simulated = Path(database).name == SIMULATED_LEDGER
    if simulated:
        typer.echo("SIMULATED: the models of this ledger are made up, and so is what they saved.")
    show(result)
    if not (result.requests or named or simulated) and Path(SIMULATED_LEDGER).is_file():
        typer.echo(f"What models that are made up were asked is shown by --db {SIMULATED_LEDGER}.")
    for line in certificates:
        typer.echo(in_words(line))
