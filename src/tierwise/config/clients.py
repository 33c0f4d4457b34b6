"""How much each client may ask for, and under which name it is known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tierwise.config.schema import KeyConfig, LimitsConfig, ServerConfig
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


def client_limits(server: ServerConfig) -> tuple[Limits, Mapping[str, Limits]]:
    """What every client may ask for, and what those with limits of their own may, by caller."""
    own = {
        caller_of(key): limits_of(key.limits, server.limits)
        for key in server.api_keys
        if isinstance(key, KeyConfig) and key.limits is not None
    }
    return limits_of(server.limits), own
