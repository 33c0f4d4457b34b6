"""Names of what belongs to a caller, which tell nobody who that is."""

from __future__ import annotations

import hashlib


def name_of(caller: str | None, name: str) -> str:
    """Something by its caller; no name leads to what is another caller's."""
    who = "anybody" if caller is None else _digest(caller)
    return f"{who}/{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
