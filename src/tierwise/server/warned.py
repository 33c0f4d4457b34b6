"""The header that tells of soft budgets that a request has passed."""

from __future__ import annotations

from tierwise.server.speech import Header
from tierwise.state.budgets import Purse
from tierwise.types import Task

_NAME = b"x-tierwise-budget-warning"


def warned(task: Task) -> list[Header]:
    """One header for each; headers are ASCII, names of teams need not be."""
    purse = task.purse
    if not isinstance(purse, Purse):
        return []
    return [(_NAME, warning.encode("ascii", "replace")) for warning in purse.warnings]
