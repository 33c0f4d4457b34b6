"""Logins: a cookie that only this gateway can make or read, and a token against foreign forms.

A cookie holds who somebody is and until when, encrypted and signed with keys that follow from one
secret; whether they still are is asked for with every page. Of a login nothing is kept but that it
was ended (`ended`), so that every worker and replica with the same secret knows every login.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from binascii import Error as NotBase64
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T", bound=Struct)
COOKIE = "tierwise_session"
_NONCE, _MAC = 16, 32
_MOST = 4096


class Session(Struct, frozen=True, kw_only=True):
    """A login. One of `digest` (of a key) and `address` (by OIDC), or neither: nobody needs one.

    `role` is what a claim has made of somebody, `user` the id of the user of the accounts that an
    address led to; `until` a Unix time; `mark` is random.
    """

    mark: bytes
    until: float
    digest: bytes | None = None
    address: str | None = None
    role: str | None = None
    user: str | None = None


class Sessions:
    """Makes and reads them.

    Args:
        secret: what only gateways know.
        now: Unix time in seconds.
    """

    def __init__(self, secret: bytes, lasts_s: float, now: Callable[[], float] = time.time) -> None:
        self._hides = _derived(secret, b"hides")
        self._signs = _derived(secret, b"signs")
        self._forms = _derived(secret, b"forms")
        self._now = now
        self.lasts_s = lasts_s

    def new(
        self,
        *,
        digest: bytes | None = None,
        address: str | None = None,
        role: str | None = None,
        user: str | None = None,
    ) -> Session:
        """A login that begins now."""
        return Session(
            mark=secrets.token_bytes(_NONCE),
            until=self._now() + self.lasts_s,
            digest=digest,
            address=address,
            role=role,
            user=user,
        )

    def seal(self, value: Struct) -> str:
        """A value as the text of a cookie."""
        nonce = secrets.token_bytes(_NONCE)
        hidden = self._crossed(nonce, msgspec.msgpack.encode(value))
        return base64.urlsafe_b64encode(nonce + hidden + self._signed(nonce + hidden)).decode()

    def open(self, cookie: str | None) -> Session | None:
        """The login of a cookie; None if it is none of ours, or over."""
        session = self.unsealed(cookie, Session)
        return session if session is not None and self._now() < session.until else None

    def unsealed(self, text: str | None, kind: type[T]) -> T | None:
        """What was sealed, if it was that."""
        if not text or len(text) > _MOST:
            return None
        try:
            data = base64.b64decode(text, altchars=b"-_", validate=True)
        except (NotBase64, ValueError):
            return None
        signed, mac = data[:-_MAC], data[-_MAC:]
        if len(signed) <= _NONCE or not hmac.compare_digest(self._signed(signed), mac):
            return None
        try:
            return msgspec.msgpack.decode(
                self._crossed(signed[:_NONCE], signed[_NONCE:]), type=kind
            )
        except msgspec.MsgspecError:
            return None

    def token(self, session: Session) -> str:
        """What a form has to bring along."""
        return hmac.new(self._forms, session.mark, hashlib.sha256).hexdigest()

    def is_token(self, session: Session, token: str) -> bool:
        """Whether a form has brought it."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())

    def _signed(self, data: bytes) -> bytes:
        return hmac.new(self._signs, data, hashlib.sha256).digest()

    def _crossed(self, nonce: bytes, data: bytes) -> bytes:
        """Data under a key stream that is used once: HMAC in counter mode."""
        stream = b"".join(
            hmac.new(self._hides, nonce + block.to_bytes(4, "big"), hashlib.sha256).digest()
            for block in range(-(-len(data) // 32))
        )
        return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def _derived(secret: bytes, use: bytes) -> bytes:
    return hmac.new(secret, b"tierwise dashboard " + use, hashlib.sha256).digest()
