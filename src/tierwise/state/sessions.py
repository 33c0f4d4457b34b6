"""Which model a conversation is with: it should stay there unless leaving is worth it.

For a while its provider also holds the conversation in a prompt cache; the model is remembered
longer than that.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec.structs import replace

from tierwise.types import Held

MOST_SESSIONS = 50_000
CACHE_S = 300.0
"""How long a provider's prompt cache is counted on, in seconds: the usual five minutes."""


class Sessions:
    """The latest conversations of this process."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Held] = OrderedDict()

    def held(self, session: str | None, now: float) -> Held | None:
        """What is known of a conversation; None if nothing is.

        Its tokens are 0 when the cache that held them has expired.
        """
        found = self._held.get(session) if session is not None else None
        if found is None or found.until > now:
            return found
        return replace(found, tokens=0)

    def answered(self, session: str, model: str, tokens: int, now: float) -> None:
        """A model answered in a conversation that now has this many tokens."""
        self._held[session] = Held(model, tokens, now + CACHE_S)
        self._held.move_to_end(session)
        if len(self._held) > MOST_SESSIONS:
            self._held.popitem(last=False)
