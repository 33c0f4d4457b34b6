"""Where a URL leads, and what is written there to ask it."""

from __future__ import annotations

import base64
import urllib.parse
import urllib.request
from collections.abc import Mapping
from functools import cache, lru_cache

from msgspec import Struct

from tierwise.errors import ConnectFailed


class Target(Struct, frozen=True):
    """Where a URL leads: the server or proxy to connect to, and what to ask it for.

    `tunnel` is the `host:port` behind a proxy, for https; `authorization` is for the proxy.
    """

    host: str
    port: int
    tls: bool
    path: str
    authority: str
    server_name: str
    tunnel: str | None = None
    authorization: str | None = None

    @property
    def pool(self) -> tuple[str, int, bool, str | None]:
        """Targets whose connections are interchangeable have this in common."""
        return self.host, self.port, self.tls, self.tunnel


def written(
    url: str, headers: Mapping[str, str], body: bytes | None, part_of: bytes = b""
) -> bytes:
    """A request as it is sent: a POST of `body`, or a GET without one.

    Args:
        part_of: lines of the head that are others each time, where all the rest mostly stays.

    Raises:
        ConnectFailed: a header or the URL has something in it that HTTP lacks.
    """
    method = "GET" if body is None else "POST"
    lines = _lines(method, url, tuple(headers.items()))
    if body is None:
        return b"%b%b\r\n" % (lines, part_of)
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (lines, part_of, len(body), body)


@lru_cache
def _lines(method: str, url: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The head of a request without its last lines."""
    target = target_of(url)
    lines = [f"{method} {target.path} HTTP/1.1", f"host: {target.authority}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if target.authorization is not None and target.tunnel is None:
        lines.append(f"proxy-authorization: {target.authorization}")
    lines += ["accept: */*", "accept-encoding: identity"]
    head = "\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count("\r") != breaks or head.count("\n") != breaks:
        raise ConnectFailed("a configured header or URL has a line break in it")
    try:
        return (head + "\r\n").encode("latin-1")
    except UnicodeEncodeError:
        raise ConnectFailed("a configured header has letters in it that HTTP lacks") from None


@cache
def target_of(url: str) -> Target:
    """Where a URL leads, through the proxy that the environment names for it, if any."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authority = parts.netloc.rpartition("@")[2]
    direct = Target(host, port, tls, path, authority, host)
    named = urllib.request.getproxies().get(parts.scheme)
    if not named or urllib.request.proxy_bypass(authority):
        return direct
    proxy = urllib.parse.urlsplit(named if "://" in named else f"http://{named}")
    credentials = None
    if proxy.username is not None:
        pair = urllib.parse.unquote(f"{proxy.username}:{proxy.password or ''}")
        credentials = "Basic " + base64.b64encode(pair.encode()).decode()
    return Target(
        host=proxy.hostname or "",
        port=proxy.port or 80,
        tls=tls,
        path=path if tls else f"http://{authority}{path}",
        authority=authority,
        server_name=host,
        tunnel=f"{host}:{port}" if tls else None,
        authorization=credentials,
    )
