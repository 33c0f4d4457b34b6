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
    from_litellm: Annotated[
        Path | None,
        typer.Option("--from-litellm", help="Take over a LiteLLM proxy's config.yaml."),
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema.")] = False,
) -> None:
    """Write a configuration from the API keys and local servers found here."""
    if schema:
        import json

        from tierwise.config.schema import json_schema

        typer.echo(json.dumps(json_schema(), indent=2))
        return
    if from_litellm is not None:
        text, done = _migrated(from_litellm, file)
    else:
        text, done = _found(file)
    if show:
        typer.echo(text)
        return
    _write(file, text, force=force)
    typer.echo(done)


def _found(file: Path) -> tuple[str, str]:
    """The text of a configuration of what is found here, and what to say when it is written."""
    from tierwise.config.discover import discover
    from tierwise.config.template import render

    found = discover(os.environ)
    if found.sources:
        done = (
            f"wrote {file} (found: {', '.join(found.sources)}). "
            "Next: tierwise check && tierwise serve"
        )
    else:
        done = (
            f"wrote {file} (found nothing, so it holds an example). Next: set OPENAI_API_KEY, or "
            "put your own provider in its place; then tierwise check && tierwise serve.\n"
            f"To try the simulated fleet first: tierwise serve where there is no {file.name}."
        )
    return render(found), done


def _migrated(source: Path, file: Path) -> tuple[str, str]:
    """The same for a configuration that does what a LiteLLM proxy's does."""
    import yaml

    from tierwise.catalog import Catalog
    from tierwise.config.migration.litellm import migrate
    from tierwise.config.template import render_migrated
    from tierwise.errors import ConfigError

    try:
        written = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise ConfigError(
            f"cannot be read: {why}",
            file=str(source),
            remedy="Name the config.yaml of a LiteLLM proxy.",
        ) from None
    made = migrate(written, Catalog.builtin())
    notes = "".join(f"\n  - {note}" for note in made.notes)
    done = f"wrote {file} from {source}. Next: tierwise check && tierwise serve"
    if notes:
        done += f"\nwhat is otherwise than there (it stands in the file, too):{notes}"
    return render_migrated(made.data, made.notes, source.name), done


def _write(file: Path, text: str, *, force: bool) -> None:
    from tierwise.errors import ConfigError

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
