"""`GET /v1/status`: how every deployment is, who waits at the door, and what is being run."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from tierwise.orchestrator import Orchestrator
from tierwise.server.lasting import Lasting

_ELSEWHERE = "`GET /v1/status`, which takes a key, and the log say why"


def status_of(orchestrator: Orchestrator, lasting: Lasting, file: str | None) -> dict[str, Any]:
    """All of it as JSON values, as this worker sees it. Times in seconds, prices in USD.

    Args:
        file: that the configuration was read from, None where there is none.
    """
    door = lasting.admission
    deployments = {d.id: d for d in orchestrator.setup.everywhere()}
    scarce = orchestrator.health.scarcity.prices
    return {
        "object": "status",
        "version": version("tierwise"),
        "worker": os.getpid(),
        "workers": orchestrator.crew.workers,
        "state": lasting.state,
        "uptime_s": time.monotonic() - lasting.started,
        "tasks": len(asyncio.all_tasks()),
        "config": {
            "file": file,
            "loaded_at": lasting.loaded_at,
            "reloads": lasting.reloads,
            "refused": lasting.refused,
        },
        "admission": {
            "inside": door.inside,
            "most": door.most,
            "waiting": door.waiting,
            "turned_away": door.turned_away,
        },
        **databases(orchestrator, lasting),
        **shared(lasting),
        "deployments": [
            {
                **msgspec.to_builtins(status),
                "prices": msgspec.to_builtins(deployments[status.id].prices),
                "shadow_price": scarce.get(status.model, 0.0),
            }
            for status in orchestrator.health.snapshot()
        ],
    }


def databases(orchestrator: Orchestrator, lasting: Lasting) -> dict[str, Any]:
    """Whether the ledger can be written, and accounts read where there are any: why not, if not."""
    ledger, accounts = orchestrator.ledger, lasting.accounts
    found: dict[str, Any] = {
        "ledger": {
            "pending": ledger.pending,
            "dropped": ledger.dropped,
            "last_error": ledger.last_error,
        }
    }
    if accounts is not None:
        found["accounts"] = {"last_error": accounts.directory.last_error}
    return found


def shared(lasting: Lasting) -> dict[str, Any]:
    """Whether state is shared with other replicas; nothing where it never is."""
    return {} if lasting.replicas is None else {"shared": lasting.replicas.status()}


def in_brief(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The same for everybody: which part is down, and not why, in words in which a database tells
    its hosts and users."""
    return {
        part: {
            name: _ELSEWHERE if value and name in ("last_error", "why") else value
            for name, value in found.items()
        }
        for part, found in parts.items()
    }
