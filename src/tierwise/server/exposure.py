"""Whom the gateway would let in: nobody may be let in by mistake."""

from __future__ import annotations

import ipaddress

from tierwise.config import Config
from tierwise.errors import ConfigError
from tierwise.server.keys import Keys


def check_exposure(config: Config) -> None:
    """Refuses to listen where others can connect while no key is asked for.

    Raises:
        ConfigError: that is so, or a key is empty.
    """
    Keys(config.server.api_keys)
    guarded = bool(config.server.api_keys) or config.accounts.enabled
    if not guarded and not is_loopback(config.server.host):
        raise ConfigError(
            f"without keys the gateway listens on loopback only, not on {config.server.host!r}",
            field="server.api_keys",
            remedy="Set TIERWISE_API_KEYS or `server.api_keys`, enable `accounts`, or use --host "
            "127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to that address, or connects from it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
