"""Who may use the gateway: keys are kept and compared as hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tierwise.errors import AuthenticationFailed, ConfigError

_KNOWN_HEADERS = 1000


class Keys:
    """The keys that clients may use. Without any, everybody who can connect is let in.

    Raises:
        ConfigError: a key is empty, so that an empty header would open the gateway.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        # Looking a SHA-256 digest up leaks nothing about how much of a key was right.
        self._callers = {digest: f"key-{digest.hex()[:8]}" for digest in map(_digest, keys)}
        # Headers that were right before; hashing each anew would cost more than parsing a body.
        self._known: dict[bytes, str] = {}

    def caller(self, authorization: bytes | None) -> str | None:
        """The name under which the holder of this `authorization` header is recorded.

        Raises:
            AuthenticationFailed: no key, or an unknown one.
        """
        if not self._callers:
            return None
        if authorization is None:
            raise AuthenticationFailed(
                "No API key was given. Send one as `Authorization: Bearer <key>`.",
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
        caller = self._callers.get(hashlib.sha256(key.strip()).digest())
        if caller is None:
            raise AuthenticationFailed(
                "The API key is not one of this gateway's. Its keys are set in `server.api_keys` "
                "or TIERWISE_API_KEYS; provider keys are not accepted here.",
                param="authorization",
            )
        if len(self._known) < _KNOWN_HEADERS:
            self._known[authorization] = caller
        return caller


def _digest(key: str) -> bytes:
    key = key.strip()
    if not key:
        raise ConfigError(
            "a key is empty",
            field="server.api_keys",
            remedy="Give it a value, or remove it; check the environment variable behind it.",
        )
    return hashlib.sha256(key.encode()).digest()
