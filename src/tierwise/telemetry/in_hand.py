"""Which request is in hand, so that a line of the log can say whose it is.

Each request runs in a task of its own, and whatever it calls sees the same variable.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

from tierwise.types import Trace


class Named(Protocol):
    """What a request is called, what it asked for, and by which policy it goes."""

    @property
    def id(self) -> str: ...
    @property
    def requested(self) -> str | None: ...
    @property
    def policy(self) -> str | None: ...


class Counted(Protocol):
    """Tokens; None where nobody knows them."""

    @property
    def input_tokens(self) -> int | None: ...
    @property
    def output_tokens(self) -> int | None: ...


class Running(Protocol):
    """What is known of a request on its way."""

    @property
    def decision(self) -> Named: ...
    @property
    def model(self) -> str | None: ...
    @property
    def deployment(self) -> str | None: ...
    @property
    def tier(self) -> int | None: ...
    @property
    def usage(self) -> Counted: ...
    @property
    def cost_usd(self) -> float | None: ...


class Unrouted:
    """A request that is not routed: for embeddings, or passed through. It is its own decision and
    its own usage, so that the log reads it as any other and asks nobody which kind it is."""

    __slots__ = (
        "cost_usd", "deployment", "id", "input_tokens", "model", "output_tokens", "requested",
    )  # fmt: skip
    policy = None
    tier = None

    def __init__(self, name: str, requested: str | None) -> None:
        self.id = name
        self.requested = requested
        self.model: str | None = None
        self.deployment: str | None = None
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.cost_usd: float | None = None

    @property
    def decision(self) -> Unrouted:
        """Itself."""
        return self

    @property
    def usage(self) -> Unrouted:
        """Itself."""
        return self


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


def unrouted(name: str, requested: str | None = None) -> Unrouted:
    """Notes that the request in hand is called so and is not routed; what becomes known of it is
    to be put into what this returns."""
    found = Unrouted(name, requested)
    held = IN_HAND.get()
    if held is not None:
        held.run = found
    return found
