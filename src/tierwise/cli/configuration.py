"""Which configuration a command uses, and where it came from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from tierwise.config import Config
    from tierwise.config.keeping import LedgerConfig

DEFAULT_FILE = "tierwise.yaml"
SIMULATED_LEDGER = "tierwise-simulated.db"
"""Where a first run on models that are made up is recorded: what they saved is nobody's saving."""

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


def find(option: Path | None, *, needs_keys: bool = True) -> Found | None:
    """The configuration from a file or from what this machine offers; None if there is nothing.

    Args:
        needs_keys: whether variables that keys come from must be set.
    """
    from tierwise.config import from_mapping, load
    from tierwise.config.discover import discover

    file = find_file(option)
    if file is not None:
        return Found(load(file, needs_keys=needs_keys), str(file), file)
    found = discover(os.environ)
    if not found.providers:
        return None
    places = ", ".join(f"{name} ({source})" for name, source in found.sources.items())
    return Found(from_mapping({"providers": found.providers}), f"found {places}", None)


def find_ledger(option: Path | None) -> LedgerConfig:
    """The ledger that a gateway with the same configuration writes.

    Without a file and without a ledger of real models it is that of the simulated fleet, if one is
    here.
    """
    from tierwise.config import load_ledger

    file = find_file(option)
    ledger = load_ledger(file)
    if file is None and not Path(ledger.place).exists() and Path(SIMULATED_LEDGER).is_file():
        return _simulated(ledger)
    return ledger


def _simulated(ledger: LedgerConfig) -> LedgerConfig:
    """The same in a file of its own, unless somebody has said where it is to be."""
    from tierwise.config.keeping import LedgerConfig

    if ledger.place != LedgerConfig().place:
        return ledger
    return ledger.model_copy(update={"path": SIMULATED_LEDGER})


def _apart(config: Config) -> Config:
    """The simulated fleet's configuration, with a ledger of its own.

    Accounts stay where `tierwise keys` and the like look for them.
    """
    if config.accounts.enabled:
        return config
    return config.model_copy(update={"ledger": _simulated(config.ledger)})


def find_or_simulate(option: Path | None) -> Found:
    """A configuration to look at, without need of keys.

    With nothing found it is the line-up of the simulated fleet, which is not started.
    """
    found = find(option, needs_keys=False)
    if found is not None:
        return found
    from tierwise.config import from_mapping
    from tierwise.fleet import Fleet

    data: dict[str, Any] = Fleet.simulated().config()
    config = _apart(from_mapping(data))
    return Found(config, "the simulated fleet (no API key, no local server)", None)


@contextmanager
def find_or_start(option: Path | None) -> Iterator[Found]:
    """A configuration to use, with all its keys; with nothing found, the simulated fleet runs."""
    found = find(option)
    if found is not None:
        yield found
        return
    from tierwise.cli.simulated import start_fleet

    with start_fleet() as config:
        yield Found(
            _apart(config), "nothing found here: the SIMULATED fleet answers, and makes it up", None
        )
