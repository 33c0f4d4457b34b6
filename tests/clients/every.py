"""All clients that are tested."""

from __future__ import annotations

from clients.contract import Client
from clients.via_official import OFFICIAL

CLIENTS: tuple[Client, ...] = (*OFFICIAL,)
