"""Names of requests, under which the ledger has them."""

from __future__ import annotations

import os
import random
import time

_random = random.Random(os.urandom(16))  # noqa: S311 - names need to be unique, not secret


def new_id() -> str:
    """A name for a decision.

    It sorts by time, which keeps the ledger's index compact; the rest is random.
    """
    return "%027x" % (int(time.time() * 1000) << 64 | _random.getrandbits(64))
