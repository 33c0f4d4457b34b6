"""Which model a conversation is with: it should stay there unless leaving is worth it.

For a while its provider also holds the conversation in a prompt cache; the model is remembered
longer than that.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from msgspec.structs import replace

from tierwise.types import Held

MOST_SESSIONS = 50_000
CACHE_S = 300.0
"""How long a provider's prompt cache is counted on, in seconds: the usual five minutes."""


class Elsewhere(Protocol):
    """Where replicas remember conversations together; it is never waited for for long."""

    async def recall(self, session: str) -> tuple[str, int, float] | None:
        """The model that answered last, the tokens of the conversation, and how many seconds ago
        that was; None where nothing is known, or not in time."""

    def remember(self, session: str, model: str, tokens: int) -> None:
        """A model has answered just now."""


class Sessions:
    """The latest conversations of this process, and, where `elsewhere` is set, of others."""

    def __init__(self) -> None:
        self.elsewhere: Elsewhere | None = None
        self._held: OrderedDict[str, Held] = OrderedDict()

    def held(self, session: str | None, now: float) -> Held | None:
        """What is known of a conversation; None if nothing is.

        Its tokens are 0 when the cache that held them has expired.
        """
        found = self._held.get(session) if session is not None else None
        if found is None or found.until > now:
            return found
        return replace(found, tokens=0)

    async def recall(self, session: str | None, now: float) -> None:
        """Learns what was answered in a conversation elsewhere, if that was later than here."""
        if self.elsewhere is None or session is None:
            return
        found = await self.elsewhere.recall(session)
        if found is None:
            return
        model, tokens, age_s = found
        until = now - age_s + CACHE_S
        known = self._held.get(session)
        if known is None or known.until < until:
            self._keep(session, Held(model, tokens, until))

    def answered(self, session: str, model: str, tokens: int, now: float) -> None:
        """A model answered in a conversation that now has this many tokens."""
        self._keep(session, Held(model, tokens, now + CACHE_S))
        if self.elsewhere is not None:
            self.elsewhere.remember(session, model, tokens)

    def _keep(self, session: str, held: Held) -> None:
        self._held[session] = held
        self._held.move_to_end(session)
        if len(self._held) > MOST_SESSIONS:
            self._held.popitem(last=False)
