"""Where nobody needs a key: programs on this machine are served, and no pages of elsewhere.

Whoever visits such a page with a browser on this machine lends it their place here. It can send
requests to any port, and says in `origin` whose it is. And it can read answers if its own name is
made to point to this machine, which then stands in `host`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from tierwise.errors import NotPermitted

_TELLING = frozenset({b"origin", b"host"})
_MOST_KNOWN = 100
_NOBODYS = ("localhost", "local", "internal", "test", "home.arpa", "svc")
"""Below these nobody can have a name that points here (RFC 6761, 6762, 8375, and ICANN's); the last
is that of services inside Kubernetes."""
_OF_PAGES = ("http", "https", "null", "")
"""Others are those of apps and of a browser's own parts, which no page can claim to be."""


class Neighbours:
    """Tells requests of this machine from those that a page of elsewhere is behind.

    Args:
        origins: of pages that may ask all the same; `*`: all.
        proxied: whether a proxy stands before this gateway, which says another host than ours.
    """

    def __init__(self, origins: Sequence[str], *, proxied: bool) -> None:
        self._origins = frozenset(origins)
        self._proxied = proxied
        # Those that were looked at before: this is for every request, and there are few of them.
        self._good: set[tuple[bytes, bytes]] = set()

    def check(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Whether a request may be served.

        Raises:
            NotPermitted: a page of elsewhere may be behind it.
        """
        for name, value in headers:
            if name in _TELLING and (name, value) not in self._good:
                self._look(name, value)
                if len(self._good) < _MOST_KNOWN:
                    self._good.add((name, value))

    def _look(self, name: bytes, value: bytes) -> None:
        said = value.decode("latin-1")
        if name == b"origin" and not self._may_ask(said):
            raise NotPermitted(
                f"This comes from a page of {said[:200]!r}. Without keys only pages of this "
                "machine are answered. Name it in `server.cors_origins`, or set "
                "`server.api_keys`.",
                param="origin",
            )
        if name == b"host" and not self._proxied and not _is_ours(_name_of(f"//{said}")):
            raise NotPermitted(
                f"`host` is {said[:200]!r}. Without keys the gateway is only answered under names "
                "of this machine, such as 127.0.0.1 or localhost. Set `server.api_keys`, or name a "
                "proxy before it in `server.trusted_proxies`.",
                param="host",
            )

    def _may_ask(self, origin: str) -> bool:
        if origin in self._origins or "*" in self._origins:
            return True
        scheme = origin.partition(":")[0].lower()
        return scheme not in _OF_PAGES or (scheme[:4] == "http" and _is_here(_name_of(origin)))


def _name_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:  # of brackets that are none
        return "?."


def _is_here(name: str) -> bool:
    """Whether this name always means this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _is_ours(name: str) -> bool:
    """Whether nobody elsewhere could have this name point to this machine."""
    if "." not in name or name.endswith(tuple(f".{one}" for one in _NOBODYS)):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
