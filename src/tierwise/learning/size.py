"""How large an artifact may become. Apart, so that a command line can name it without numpy."""

from __future__ import annotations

from enum import StrEnum


class Size(StrEnum):
    """How large an artifact may become.

    `full` learns what there is. `small` is for shipping: fewer landmarks and trees, prompts sorted
    by dataset only, and weights rounded so that they compress; a third of the size, and as good
    but for a thousandth of squared error.
    """

    FULL = "full"
    SMALL = "small"
