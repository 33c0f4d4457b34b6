"""Tells a client what was left out of its request."""

from __future__ import annotations

from collections.abc import Iterator

from tierwise.execution import Run

HEADER = b"x-tierwise-dropped"


def dropped(run: Run, deployment: str | None) -> Iterator[tuple[bytes, bytes]]:
    """The header with the names of what the deployment that answers, by id, was not told."""
    names = run.dropped(deployment or "")
    if names:
        # A header is one line of ASCII, and a client may have named a field as it likes.
        line = ", ".join(names).encode("ascii", "replace")
        yield HEADER, line.translate(None, bytes([*range(32), 127]))
