"""The simulated fleet in a process of its own, for as long as a command runs."""

from __future__ import annotations

import json
import subprocess  # nosec B404
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tierwise.errors import ConfigError

if TYPE_CHECKING:
    from tierwise.config import Config


@contextmanager
def start_fleet() -> Iterator[Config]:
    """Starts the fleet and gives the configuration that points to it."""
    from tierwise.config import from_mapping

    command = [sys.executable, "-m", "tierwise.fleet", "--exit-with-parent", "--base-port", "0"]
    # Its standard input is a pipe that closes with this process, which ends the fleet too.
    process = subprocess.Popen(  # nosec B603 # no shell, ourselves again
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101
        line = process.stdout.readline()
        if not line:
            raise ConfigError("the simulated fleet did not start; its own message stands above")
        yield from_mapping(json.loads(line))
    finally:
        process.terminate()
        process.wait()
