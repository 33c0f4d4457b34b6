"""Generated tasks whose answers can be checked: one file a kind."""

from __future__ import annotations

from tierwise.fleet.draw import dice
from tierwise.fleet.tasks import (
    arithmetic,
    classification,
    code,
    extraction,
    question,
    tool_call,
)
from tierwise.fleet.tasks.base import Maker, Task

__all__ = ["MAKERS", "Task", "make_task"]

MAKERS: dict[str, Maker] = {
    "arithmetic": arithmetic.make,
    "extraction": extraction.make,
    "classification": classification.make,
    "code": code.make,
    "question": question.make,
    "tool-call": tool_call.make,
}
"""Every kind of task, by the name that its ids begin with."""


def make_task(kind: str, number: int, seed: int) -> Task:
    """The task of this kind and number; the same for the same seed."""
    return MAKERS[kind](dice("task", seed, kind, number), number)
