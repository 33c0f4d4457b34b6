"""What stands in place of what was masked: the same for the same value, all through a request."""

from __future__ import annotations

import re

_NO_WORD = re.compile(r"[^A-Z0-9]+")


class Placeholders:
    """Gives out `[EMAIL_1]`, `[EMAIL_2]` and so on, in the order in which values are met.

    A conversation that is sent again with one turn more meets them in the same order, so its
    placeholders stay the same, and so does the prefix that a provider's prompt cache holds.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def of(self, label: str, value: str) -> str:
        """What stands for a value."""
        kind = _NO_WORD.sub("_", label.upper()).strip("_") or "MASKED"
        known = self._known.get((kind, value))
        if known is None:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            known = self._known[kind, value] = f"[{kind}_{number}]"
        return known

    def shown(self, text: str) -> str:
        """A text with what was masked elsewhere masked in it, too."""
        if not self._known:
            return text
        # All in one go, the longest first: neither a placeholder nor a longer value is cut.
        known = {value: placeholder for (_, value), placeholder in self._known.items()}
        values = sorted(known, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, values)), lambda found: known[found[0]], text)
