"""What one process has found out about a deployment that saves others the same experience."""

from __future__ import annotations

import hashlib
from typing import Literal

from msgspec import Struct

from tierwise.types import Deployment


class Hint(Struct, frozen=True, kw_only=True):
    """Calls had better stay away from a deployment for `wait_s` seconds.

    It has asked for that (`rate_limited`, and of that for `limited_s` it is not to be asked even as
    a last resort), its key or quota is no good (`out_of_service`; `unlisted` says that a look at it
    does not show that), or its breaker has opened (`open`).
    """

    kind: Literal["rate_limited", "out_of_service", "open"]
    wait_s: float
    why: str
    limited_s: float = 0.0
    unlisted: bool = False


def place(deployment: Deployment) -> str:
    """What tells a deployment from others that have its name in another configuration: a hint is
    about the account that a key belongs to. The key cannot be found from it."""
    d = deployment
    same = f"{d.base_url}\n{d.upstream_model}\n{d.api_key}"
    return f"{d.id}@{hashlib.sha256(same.encode()).hexdigest()[:12]}"
