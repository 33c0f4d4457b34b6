"""Programs that tests start: without one a test is skipped, or fails where all have to be there."""

from __future__ import annotations

import importlib
import os
from typing import Any, NoReturn

import pytest

REQUIRED = "TIERWISE_TESTS_REQUIRED"
"""The environment variable with which a program that is not there is a failure."""


def lacking(what: str) -> NoReturn:
    """Ends a test that cannot be run here. `what` says why."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{what}, and {REQUIRED} is set")
    pytest.skip(what)


def bringing(module: str, program: str) -> Any:
    """The module of a package that a program comes with; ends the test where there is none."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        lacking(f"{program} is not installed")
