"""Holds a stream back until its gates have seen enough of it.

Nothing of a held stream has been seen by the client, so it can still be taken back. Every hold has
bounds: the policy says how long a client may wait for the first visible token, and a stream that
grows too large is let go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from tierwise.execution.live import LiveStream

HOLD_BYTES = 8 << 20
"""A stream longer than this is released before its gates have seen the end."""
START_CHARS = 160
"""How much of an answer a first look needs, about 40 tokens: a refusal shows by then, and so does
the opening of what should be JSON."""

Held = Literal["whole", "released", "refused"]
"""It has ended and is all here; it runs on and may be seen; its beginning was refused."""


async def hold(
    live: LiveStream,
    blocks: list[bytes],
    clock: Callable[[], float],
    *,
    until: float,
    passes: Callable[[], bool],
    start_is_enough: bool,
) -> Held:
    """Reads into `blocks` until the stream ends, may be seen, or is refused.

    The time is looked at when something comes. A stream that stands still is not released: it
    fails by its own timeout, and another can answer while nothing of it is seen.

    Args:
        until: point of the clock, in seconds, from which on it may be seen in any case.
        passes: whether the beginning does; asked once, when `START_CHARS` are here.
        start_is_enough: whether a stream whose beginning passes may be seen.
    """
    size = len(blocks[0])
    looked = False
    held: Held = "whole"
    try:
        while block := await live.read():
            blocks.append(block)
            size += len(block)
            if not looked and live.reader.output_chars >= START_CHARS:
                looked = True
                if not passes():
                    held = "refused"
                    break
                if start_is_enough:
                    return "released"
            if size > HOLD_BYTES or clock() >= until:
                return "released"
    except BaseException:
        live.close()
        raise
    live.close()
    return held
