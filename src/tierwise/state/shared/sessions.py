"""Which model each conversation is with: its next request may reach another replica."""

from __future__ import annotations

import hashlib

import msgspec

from tierwise.state.shared.connection import Link, Lost
from tierwise.state.shared.lookups import Lookups
from tierwise.state.shared.shelves import NOTE

KEEP_S = 1800
"""How long a conversation is remembered after its last answer."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, int]).decode


class SharedSessions:
    """As `state.sessions.Elsewhere`."""

    def __init__(self, link: Link, lookups: Lookups) -> None:
        self._link = link
        self._lookups = lookups

    async def recall(self, session: str) -> tuple[str, int, float] | None:
        """As there."""
        try:
            found = await self._lookups.get(self._key(session))
            if found is None:
                return None
            model, tokens = _decode(found[0])
        except (Lost, msgspec.MsgspecError):
            return None
        return model, tokens, max(0.0, KEEP_S - found[1])

    def remember(self, session: str, model: str, tokens: int) -> None:
        """As there. What is not said while Redis is away is out of date when it is back."""
        if self._link.up:
            told = _encode((model, tokens))
            self._link.tell(NOTE, [self._key(session)], [told, KEEP_S], again=True)

    def _key(self, session: str) -> str:
        digest = hashlib.blake2b(session.encode("utf-8", "surrogatepass"), digest_size=16)
        return self._link.key("talk", digest.hexdigest())
