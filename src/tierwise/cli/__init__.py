"""The command line: one file a command."""

from __future__ import annotations

import sys

import typer

from tierwise.cli import (
    accounts,
    bench,
    budgets,
    calibrate,
    chaos,
    check,
    db,
    demo,
    evaluate,
    feedback,
    fleet,
    gates,
    init,
    keys,
    likeness,
    models,
    report,
    route,
    serve,
    status,
    train,
)
from tierwise.cli.arguments import TakesFolders
from tierwise.errors import TierwiseError

app = typer.Typer(
    name="tierwise",
    help="Every request to the smallest model that does it well.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.command)
app.command("status")(status.command)
app.command("init")(init.command)
app.command("check")(check.command)
app.command("route")(route.command)
app.command("models")(models.command)
app.command("report")(report.command)
app.command("feedback")(feedback.command)
app.command("train", cls=TakesFolders)(train.command)
app.command("evaluate", cls=TakesFolders)(evaluate.command)
app.command("calibrate", cls=TakesFolders)(calibrate.command)
app.command("gates", cls=TakesFolders)(gates.command)
app.command("likeness", cls=TakesFolders)(likeness.command)
app.command("demo")(demo.command)
app.command("fleet")(fleet.command)
app.command("chaos")(chaos.command)
app.command("bench")(bench.command)
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.add_typer(budgets.app, name="budgets")
app.add_typer(db.app, name="db", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def _top(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        from tierwise import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Runs a command; what the user can mend is a line each, not a traceback."""
    try:
        app()
    except TierwiseError as error:
        for line in str(error).splitlines():
            print(f"tierwise: {line}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
