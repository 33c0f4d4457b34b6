"""`tierwise init`: writes what was found as a commented YAML file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tierwise.cli.configuration import DEFAULT_FILE


def command(
    file: Annotated[Path, typer.Argument(help="Where to write.")] = Path(DEFAULT_FILE),
    force: Annotated[bool, typer.Option("--force", help="Overwrite.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Print it instead.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema.")] = False,
) -> None:
    """Write a configuration from the API keys and local servers found here."""
    if schema:
        import json

        from tierwise.config.schema import json_schema

        typer.echo(json.dumps(json_schema(), indent=2))
        return
    from tierwise.config.discover import discover
    from tierwise.config.template import render
    from tierwise.errors import ConfigError

    found = discover(os.environ)
    text = render(found)
    if show:
        typer.echo(text)
        return
    if file.exists() and not force:
        raise ConfigError(
            "the file exists already", file=str(file), remedy="Use --force to overwrite it."
        )
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot write the file: {error.strerror}",
            file=str(file),
            remedy="Name one in a directory that exists and that you may write to.",
        ) from None
    if found.sources:
        typer.echo(
            f"wrote {file} (found: {', '.join(found.sources)}). "
            "Next: tierwise check && tierwise serve"
        )
    else:
        typer.echo(
            f"wrote {file} (found nothing, so it holds an example). Next: set OPENAI_API_KEY, or "
            "put your own provider in its place; then tierwise check && tierwise serve.\n"
            f"To try the simulated fleet first: tierwise serve where there is no {file.name}."
        )
