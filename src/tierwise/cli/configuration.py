"""Which configuration a command uses, and where it came from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from tierwise.config import Config

DEFAULT_FILE = "tierwise.yaml"

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help=f"Default: $TIERWISE_CONFIG, then ./{DEFAULT_FILE}."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class Found(NamedTuple):
    """A configuration, where it came from in words, and the file if there is one."""

    config: Config
    origin: str
    file: Path | None


def find_file(option: Path | None) -> Path | None:
    """The configuration file that a command would use, if there is one."""
    if option is not None:
        return option
    named = os.environ.get("TIERWISE_CONFIG")
    if named:
        return Path(named)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


def find(option: Path | None) -> Found | None:
    """The configuration from a file or from what this machine offers; None if there is nothing."""
    from tierwise.config import from_mapping, load
    from tierwise.config.discover import discover

    file = find_file(option)
    if file is not None:
        return Found(load(file), str(file), file)
    found = discover(os.environ)
    if not found.providers:
        return None
    places = ", ".join(f"{name} ({source})" for name, source in found.sources.items())
    return Found(from_mapping({"providers": found.providers}), f"found {places}", None)


def find_or_simulate(option: Path | None) -> Found:
    """As `find`; with nothing found, the line-up of the simulated fleet, which is not started."""
    found = find(option)
    if found is not None:
        return found
    from tierwise.config import from_mapping
    from tierwise.fleet import Fleet

    data: dict[str, Any] = Fleet.simulated().config()
    return Found(from_mapping(data), "the simulated fleet (no API key, no local server)", None)
