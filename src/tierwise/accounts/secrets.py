"""The secrets of keys: made here, shown once, kept as digests."""

from __future__ import annotations

import hashlib
import secrets

from msgspec import Struct

START = "tw-"
_BYTES = 32
_SHOWN = 8
"""Characters of a secret that may be shown: five of them random, which leaves 228 bits."""


class Secret(Struct, frozen=True):
    """A new secret, its SHA-256 digest, and the beginning that tells it from others."""

    value: str
    digest: bytes
    prefix: str

    def __repr__(self) -> str:
        return f"Secret({self.prefix}...)"


def new_secret() -> Secret:
    """A secret of 256 random bits. A plain digest keeps it: there is nothing to guess."""
    value = START + secrets.token_urlsafe(_BYTES)
    return Secret(value, digest_of(value), value[:_SHOWN])


def digest_of(value: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(value.encode()).digest()
