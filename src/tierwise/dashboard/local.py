"""Where nobody needs a key: only browsers on this machine are let in, by its own name."""

from __future__ import annotations

import ipaddress

from starlette.requests import Request

from tierwise.errors import NotPermitted


def check_local(request: Request) -> None:
    """Whether a page is asked for here, under a name that only means this machine.

    A page of somebody else's whose name was made to point to this machine has another name.

    Raises:
        NotPermitted: it is not.
    """
    client = request.client
    host = request.url.hostname or ""
    if client is None or not _is_loopback(client.host) or not _is_loopback(host):
        raise NotPermitted(
            "Without keys the dashboard is for browsers on this machine, under http://127.0.0.1 or "
            "http://localhost. Set `server.api_keys`, or enable `accounts`, to sign in from "
            "elsewhere."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
