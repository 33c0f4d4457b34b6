"""The first key of a gateway with accounts: somebody must be able to make the others."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tierwise.accounts.accounts import accounts_of
from tierwise.config import Config
from tierwise.config.serving import KeyConfig

log = logging.getLogger("tierwise.accounts")


def first_key(config: Config, reveal: Callable[[str], None] | None) -> None:
    """Makes a key that operates the gateway if there is none, and shows it once.

    Args:
        reveal: shows it; None makes none, and says in the log how to.

    Raises:
        ConfigError: the database cannot be used.
    """
    accounts = accounts_of(config.ledger)
    try:
        accounts.open()
        keys = config.server.api_keys
        if any(isinstance(key, KeyConfig) and key.admin for key in keys):
            return
        if reveal is not None:
            made = accounts.keyring.bootstrap()
            if made is not None:
                reveal(made[1].value)
        elif not accounts.keyring.operated():
            log.warning(
                "no key may operate this gateway yet; make one with `tierwise accounts bootstrap`"
            )
    finally:
        accounts.close()
