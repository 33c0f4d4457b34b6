"""Chance that repeats: a hash of what is drawn for, so that neither order nor process matters."""

from __future__ import annotations

import hashlib
import random


def draw(*what: object) -> float:
    """A number in [0, 1) that is always the same for the same arguments."""
    text = "\x1f".join(map(str, what)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest()) / 2.0**56


def dice(*what: object) -> random.Random:
    """A generator that is always the same for the same arguments."""
    return random.Random("\x1f".join(map(str, what)))  # noqa: S311 - it has to repeat
