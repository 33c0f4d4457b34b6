"""Reading of a request no more than analysis needs, for clients of the dialect that is passed on.

A whole reading, in words of no dialect, takes ten times as long and is left to translation. Where a
request is not as most are, a glance does not tell, and the whole reading does: each dialect's
`glance` gives the task that `translate.task_of` would have given of it, or None. What it did not
look at is between client and provider, as it is in OpenAI's chat dialect.
"""

from __future__ import annotations

from tierwise.types import Message, Part

_NO_EFFORT = frozenset({"none", "minimal"})


class Unusual(Exception):
    """A glance does not tell what this request asks."""


def said(role: str, parts: list[Part]) -> Message:
    """A turn as analysis reads it."""
    if len(parts) == 1 and parts[0].type == "text":
        return Message(role, parts[0].text)
    return Message(role, parts)


def thinks(effort: str | None, budget: int | None) -> bool:
    """Whether a request that says so much of thinking wants any."""
    return budget != 0 if effort is None else effort not in _NO_EFFORT
