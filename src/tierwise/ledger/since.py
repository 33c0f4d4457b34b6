"""Spans of time as people write them."""

from __future__ import annotations

import re

from tierwise.errors import ConfigError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*")


def parse_since(text: str) -> float:
    """The seconds that a span like "90s", "15m", "24h", "7d" or "2w" means.

    Raises:
        ConfigError: it is not such a span.
    """
    match = _SPAN.fullmatch(text)
    if match is None or float(match[1]) == 0:
        raise ConfigError(
            f"{text!r} is not a span of time",
            field="since",
            remedy='Write a number and one of s, m, h, d, w, for example "24h" or "7d".',
        )
    return float(match[1]) * _SECONDS[match[2]]
