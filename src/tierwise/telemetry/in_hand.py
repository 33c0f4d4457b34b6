"""Which request is in hand, so that a line of the log can say whose it is.

Each request runs in a task of its own, and whatever it calls sees the same variable.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

from tierwise.types import Decision, Trace, Usage


class Running(Protocol):
    """What is known of a request on its way."""

    decision: Decision
    model: str | None
    deployment: str | None
    tier: int | None
    usage: Usage
    cost_usd: float


class InHand:
    """One request: when it came, by Unix time in seconds, and for what; the name of its caller's
    key, its trace, its run once it is routed, and the status of its answer once that is sent."""

    __slots__ = ("at", "caller", "method", "path", "run", "status", "trace")

    def __init__(self, at: float, method: str, path: str) -> None:
        self.at = at
        self.method = method
        self.path = path
        self.caller: str | None = None
        self.trace: Trace | None = None
        self.run: Running | None = None
        self.status: int | None = None

    def ids(self) -> dict[str, str]:
        """What names it in logs; what is not known yet is left out."""
        found: dict[str, str] = {}
        if self.run is not None:
            found["decision_id"] = self.run.decision.id
        if self.trace is not None:
            found["trace_id"] = self.trace.id
            found["span_id"] = self.trace.span
        if self.caller is not None:
            found["key"] = self.caller
        return found


IN_HAND: ContextVar[InHand | None] = ContextVar("tierwise_in_hand", default=None)
"""The request in hand; None outside of requests, and where no log asks for it."""
