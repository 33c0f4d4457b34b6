"""What is promised under each policy, and whether it still holds, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tierwise.state.promises import Promise


def described(promises: Mapping[str, Promise]) -> dict[str, Any]:
    """All of them. Requests and windows are those that this worker has seen."""
    return {"object": "list", "data": [_one(promise) for promise in promises.values()]}


def _one(promise: Promise) -> dict[str, Any]:
    standing, void = promise.now(), promise.void
    certificate = standing.certificate
    return {
        "object": "certificate",
        "policy": promise.policy,
        "state": "valid" if void is None else "void",
        "reason": void.reason if void is not None else None,
        "since": void.since if void is not None else None,
        "on_void": standing.on_void,
        "requests_seen": promise.watch.requests,
        "windows_compared": promise.watch.windows,
        "alpha": certificate.alpha,
        "delta": certificate.delta,
        "horizon": certificate.horizon,
        "bound": certificate.bound,
        "method": certificate.method,
        "created": certificate.created,
        "expires": certificate.expires,
        "reference": certificate.reference,
        "tiers": certificate.tiers,
        "gates": certificate.gates,
        "by": certificate.by,
        "thresholds": msgspec.to_builtins(certificate.thresholds),
        "data": {
            "sources": certificate.sources,
            "fitted": certificate.fitted,
            "calibrated": certificate.calibrated,
            "notes": certificate.notes,
        },
        "hash": standing.hash,
        "policy_hash": certificate.policy_hash,
        "artifact_hash": certificate.artifact_hash or None,
    }
