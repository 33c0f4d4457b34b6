"""The header that tells of soft budgets that a request has passed."""

from __future__ import annotations

from tierwise.server.speech import Header
from tierwise.state.budgets import Purse
from tierwise.types import Task

_NAME = b"x-tierwise-budget-warning"


def warned(task: Task) -> list[Header]:
    """One header for each."""
    purse = task.purse
    return warnings_of(purse) if isinstance(purse, Purse) else []


def warnings_of(purse: Purse) -> list[Header]:
    """The same of what a request is paid from; headers are ASCII, names of teams need not be."""
    return [(_NAME, warning.encode("ascii", "replace")) for warning in purse.warnings]
