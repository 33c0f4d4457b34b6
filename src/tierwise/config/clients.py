"""How much each client may ask for, and under which name it is known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tierwise.config.serving import KeyConfig, LimitsConfig, ServerConfig
from tierwise.types import Limits


def caller_of(key: KeyConfig) -> str:
    """The name under which the holder of a key is recorded; the key cannot be found from it."""
    if key.name is not None:
        return key.name
    digest = hashlib.sha256(key.key.get_secret_value().strip().encode()).hexdigest()
    return f"key-{digest[:8]}"


def limits_of(*sections: LimitsConfig | None) -> Limits:
    """The limits of these sections; of each limit, the first that is written."""
    found: dict[str, float | int | None] = {}
    for name in LimitsConfig.model_fields:
        values = (getattr(section, name) for section in sections if section is not None)
        found[name] = next((value for value in values if value is not None), None)
    return Limits(**found)  # type: ignore[arg-type]


def share_of(limits: Limits, workers: int) -> Limits:
    """The part of limits that one of several workers may use, so that all keep to the whole.

    Each has an equal part, and at least one call at a time, because with none it could serve
    nobody: a `concurrency` below the number of workers is exceeded by their difference.
    """
    if workers <= 1:
        return limits
    return Limits(
        rpm=None if limits.rpm is None else limits.rpm / workers,
        tpm=None if limits.tpm is None else limits.tpm / workers,
        concurrency=None if limits.concurrency is None else max(1, limits.concurrency // workers),
    )


def client_limits(server: ServerConfig, workers: int = 1) -> tuple[Limits, Mapping[str, Limits]]:
    """What every client may ask for, and what those with limits of their own may, by caller.

    Args:
        workers: that serve together; the limits are the part of one of them.
    """
    own = {
        caller_of(key): share_of(limits_of(key.limits, server.limits), workers)
        for key in server.api_keys
        if isinstance(key, KeyConfig) and key.limits is not None
    }
    return share_of(limits_of(server.limits), workers), own
