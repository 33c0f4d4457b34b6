"""`GET /v1/status`: how every deployment is, who waits at the door, and what is being run."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from tierwise import __version__
from tierwise.orchestrator import Orchestrator
from tierwise.server.lasting import Lasting
from tierwise.state.shadow import ShadowPrices


def status_of(orchestrator: Orchestrator, lasting: Lasting, file: str | None) -> dict[str, Any]:
    """All of it as JSON values, as this worker sees it. Times in seconds, prices in USD.

    Args:
        file: that the configuration was read from, None where there is none.
    """
    ledger, door = orchestrator.ledger, lasting.admission
    deployments = {d.id: d for d in orchestrator.setup.all_deployments()}
    scarce = _shadow_prices(orchestrator)
    return {
        "object": "status",
        "version": __version__,
        "worker": os.getpid(),
        "workers": orchestrator.crew.workers,
        "state": lasting.state,
        "uptime_s": time.monotonic() - lasting.started,
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
        "ledger": {
            "pending": ledger.pending,
            "dropped": ledger.dropped,
            "last_error": ledger.last_error,
        },
        "deployments": [
            {
                **msgspec.to_builtins(status),
                "prices": msgspec.to_builtins(deployments[status.id].prices),
                "shadow_price": scarce.get(status.model, 0.0),
            }
            for status in orchestrator.health.snapshot()
        ],
    }


def _shadow_prices(orchestrator: Orchestrator) -> Mapping[str, float]:
    """What one more request to a busy model costs all others, in quality, by model."""
    shadow = getattr(orchestrator.health, "shadow", None)
    return shadow.prices if isinstance(shadow, ShadowPrices) else {}
