"""When two requests are the same: equal in everything that an answer may depend on."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from tierwise.types import Task
from tierwise.wire.unreadable import UNREADABLE

_ABOUT_THE_ASKER = ("user", "safety_identifier", "metadata", "prompt_cache_key", "service_tier")
"""Fields of the dialects that say who asks, or how the provider is to book it."""
_STATEFUL = ("previous_response_id", "conversation", "background", "container")
"""Fields that point to something which changes, or which answers by itself later."""
WHOSE_BYTES = 16
"""Of the front of a fingerprint: whose it is."""


def fingerprint(task: Task, *, without: str | None = None) -> bytes | None:
    """A digest that is equal for requests that are the same; None for one that is never twice.

    Whose it is goes in as well, so that nobody is given what another organisation was answered,
    and stands in front, so that each can be given no more room than its own.
    The order of keys in the body does not matter, nor does white space between them.

    Args:
        without: a text that is left out wherever it stands as a whole in the body, so that
            requests which differ in it alone are alike.
    """
    try:
        return _fingerprint(task, without)
    except UNREADABLE:  # or nested so deeply that it cannot be gone through
        return None


def _fingerprint(task: Task, without: str | None) -> bytes | None:
    body = msgspec.json.decode(task.body)
    if not isinstance(body, dict) or any(body.get(name) for name in _STATEFUL):
        return None
    for name in _ABOUT_THE_ASKER:
        body.pop(name, None)
    if without is not None:
        body = _left_out(body, without)
    owner = task.owner
    whose = (owner.org or owner.key if owner is not None else None) or task.caller
    said = [
        whose,
        task.dialect,
        task.reads,
        task.model,
        task.betas,
        task.stream,
        task.wants_stream_usage,
        task.policy,
        task.quality,
        task.max_cost_usd,
        task.max_latency_s,
        task.drop_unsupported,
        task.guard.version if task.guard is not None else None,
        sorted(task.allowed),
        body,
    ]
    same = hashlib.sha256(msgspec.json.encode(said, order="deterministic")).digest()
    return _digest(whose or "") + same


def _digest(whose: str) -> bytes:
    return hashlib.blake2b(
        whose.encode("utf-8", "surrogatepass"), digest_size=WHOSE_BYTES, person=b"tierwise-cache"
    ).digest()


def _left_out(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {key: _left_out(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_left_out(item, text) for item in value]
    return None if value == text else value
