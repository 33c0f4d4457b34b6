"""What tasks, domains, capabilities and the like are called."""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "classification",
    "extraction",
    "summarisation",
    "translation",
    "qa",
    "math",
    "code",
    "reasoning",
    "creative",
    "chat",
    "agent-step",
    "vision",
]
"""What sort of work a task is."""

Domain = Literal[
    "general",
    "finance",
    "legal",
    "medical",
    "science",
    "mathematics",
    "code",
    "creative",
    "translation",
    "support",
]
"""Which field of knowledge a task belongs to."""

Capability = Literal[
    "tools", "json_schema", "json_mode", "vision", "audio", "documents", "logprobs", "reasoning"
]
"""Something that a task may need and a model may lack."""

Streams = Literal["held", "prefix", "unchecked"]
"""What gates do to a stream that they may reject: hold all of it, hold its beginning, nothing."""

Priority = Literal["high", "normal", "low"]
"""Whose requests go first where there is not room for all."""

WAIT_S = 5.0
"""How long a request waits for a path to come back, in seconds, unless a policy says otherwise."""

OnStreamBreak = Literal["continue", "fail"]
"""What is done when a stream breaks of which the client has seen a part: another goes on, or it is
told."""

KINDS: frozenset[str] = frozenset(Kind.__args__)  # type: ignore[attr-defined]
DOMAINS: frozenset[str] = frozenset(Domain.__args__)  # type: ignore[attr-defined]
CAPABILITIES: frozenset[str] = frozenset(Capability.__args__)  # type: ignore[attr-defined]
