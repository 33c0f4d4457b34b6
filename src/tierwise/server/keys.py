"""Who may use the gateway: keys are kept and compared as hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from msgspec import Struct
from pydantic import SecretStr

from tierwise.config.clients import caller_of
from tierwise.config.schema import KeyConfig, LimitsConfig
from tierwise.errors import AuthenticationFailed, ConfigError
from tierwise.types import Priority

_KNOWN_HEADERS = 1000
_BEARER = "`Authorization: Bearer <key>`"


class Client(Struct, frozen=True):
    """The holder of a key: its name in the ledger, and the highest priority that it may ask for.

    Without a name nobody had to say who they are. Without a priority any may be asked for. `admin`
    says that the calls for operators are open.
    """

    name: str | None = None
    priority: Priority | None = None
    admin: bool = False


ANYBODY = Client(admin=True)
"""Where no key is configured: only loopback is served."""


class Keys:
    """The keys that clients may use. Without any, everybody who can connect is let in.

    Raises:
        ConfigError: a key is empty, so that an empty header would open the gateway; or it is not
            clear what a key may do, or its holder.
    """

    def __init__(self, keys: Iterable[SecretStr | KeyConfig]) -> None:
        # Looking a SHA-256 digest up leaks nothing about how much of a key was right.
        self._clients = _clients(keys)
        # Headers that were right before; hashing each anew would cost more than parsing a body.
        self._known: dict[bytes, Client] = {}

    def client(self, authorization: bytes | None, proves: str = _BEARER) -> Client:
        """The holder of the key in this `authorization` header.

        Args:
            proves: how to send a key, for those who sent none.

        Raises:
            AuthenticationFailed: no key, or an unknown one.
        """
        if not self._clients:
            return ANYBODY
        if authorization is None:
            raise AuthenticationFailed(
                f"No API key was given. Send one as {proves}.",
                param="authorization",
                code="missing_api_key",
            )
        known = self._known.get(authorization)
        if known is not None:
            return known
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise AuthenticationFailed(
                "The authorization header is not of the form `Bearer <key>`.",
                param="authorization",
            )
        client = self._clients.get(hashlib.sha256(key.strip()).digest())
        if client is None:
            raise AuthenticationFailed(
                "The API key is not one of this gateway's. Its keys are set in `server.api_keys` "
                "or TIERWISE_API_KEYS; provider keys are not accepted here.",
                param="authorization",
            )
        if len(self._known) < _KNOWN_HEADERS:
            self._known[authorization] = client
        return client


def _clients(written: Iterable[SecretStr | KeyConfig]) -> dict[bytes, Client]:
    """The holders by the digests of their keys. Raises `ConfigError` as `Keys` does."""
    clients: dict[bytes, Client] = {}
    limits: dict[str, LimitsConfig | None] = {}
    for one in written:
        config = one if isinstance(one, KeyConfig) else KeyConfig(key=one)
        digest, client = _client(config)
        name = caller_of(config)
        if clients.setdefault(digest, client) != client:
            raise ConfigError(
                f"one key is written twice, with different rights ({clients[digest].name} and "
                f"{name})",
                field="server.api_keys",
                remedy="Write each key once; those of TIERWISE_API_KEYS are added to them.",
            )
        if limits.setdefault(name, config.limits) != config.limits:
            raise ConfigError(
                f"two keys of {name!r} have different limits, and a name has one allowance",
                field="server.api_keys",
                remedy="Give each key a name of its own, or both the same limits.",
            )
    return clients


def _client(config: KeyConfig) -> tuple[bytes, Client]:
    """A key's digest, and who holds it. Raises `ConfigError` if the key is empty."""
    key = config.key.get_secret_value().strip()
    if not key:
        raise ConfigError(
            "a key is empty",
            field="server.api_keys",
            remedy="Give it a value, or remove it; check the environment variable behind it.",
        )
    digest = hashlib.sha256(key.encode()).digest()
    return digest, Client(caller_of(config), config.priority, config.admin)
