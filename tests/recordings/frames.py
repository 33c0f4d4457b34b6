"""The frames of Amazon's event streams, read as its developer guide lays them out."""

from __future__ import annotations

import json
import struct
from typing import Any

_STRING = 7


def frames(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The kind and the JSON of each event."""
    found, at = [], 0
    while at < len(body):
        size, of_headers = struct.unpack_from(">II", body, at)
        headers = _headers(body[at + 12 : at + 12 + of_headers])
        payload = body[at + 12 + of_headers : at + size - 4]
        kind = headers.get(":event-type") or headers.get(":exception-type") or "error"
        found.append((kind, json.loads(payload or b"{}")))
        at += size
    return found


def _headers(block: bytes) -> dict[str, str]:
    found, at = {}, 0
    while at < len(block):
        end = at + 1 + block[at]
        name = block[at + 1 : end].decode()
        assert block[end] == _STRING
        (size,) = struct.unpack_from(">H", block, end + 1)
        found[name] = block[end + 3 : end + 3 + size].decode()
        at = end + 3 + size
    return found
