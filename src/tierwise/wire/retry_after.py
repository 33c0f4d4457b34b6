"""The header that says when to come back, which all dialects have alike."""

from __future__ import annotations

import math


def retry_after(seconds: float) -> dict[str, str]:
    """The header for a wait of so many seconds: whole ones, and at least one."""
    return {"retry-after": str(max(1, math.ceil(seconds)))}
