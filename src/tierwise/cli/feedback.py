"""`tierwise feedback`: the operator rates an answer, straight in the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from tierwise.cli.configuration import ConfigOption, JsonOption, find_ledger
from tierwise.cli.printing import print_json


def command(
    decision_id: Annotated[str, typer.Argument(metavar="ID", help="x-tierwise-decision-id.")],
    score: Annotated[float | None, typer.Option(help="From 0 (bad) to 1 (good).")] = None,
    label: Annotated[str | None, typer.Option(help="Or a word: good, fair, bad.")] = None,
    comment: Annotated[str | None, typer.Option(help="Anything else.")] = None,
    database: Annotated[
        str | None, typer.Option("--db", help="The ledger's file, or the URL of its database.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how good an answer was; the latest word counts. The gateway may be running."""
    import asyncio
    import time

    from tierwise.errors import ConfigError
    from tierwise.ledger import Ledger, rate, read_feedback
    from tierwise.ledger.store import check_exists

    given = read_feedback(decision_id, score=score, label=label, comment=comment, at=time.time())
    place = database or find_ledger(config).place
    if "://" not in place:
        check_exists(place)
    with Ledger(place) as ledger:
        asyncio.run(rate(ledger, given))
    if ledger.dropped:
        raise ConfigError(
            f"the feedback could not be written: {ledger.last_error}",
            field="ledger.path",
            remedy="Give it again once the ledger can be written.",
        )
    if as_json:
        print_json(given)
    else:
        typer.echo(f"{decision_id}: {given.score:g}{f' ({label})' if label else ''}, recorded")
