"""`router.shadow_prices`: with it who loses much waits for a full model, without it nobody does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from builders import an_answer
from tierwise.orchestrator import Orchestrator
from upstream import says, upstreams

PRICES = {"prices": {"input": 1.0, "output": 2.0}}


@pytest.mark.parametrize(("on", "who"), [(True, "large"), (False, "small")])
async def test_the_switch_decides_whether_a_request_waits_for_a_full_model(
    on: bool, who: str, tmp_path: Path
) -> None:
    replies = (says(an_answer(name, model=name)) for name in ("large", "small"))
    async with upstreams(*replies) as (large, small):
        config = {
            "providers": {
                "a": {
                    "base_url": large.base_url,
                    "models": ["large"],
                    "limits": {"concurrency": 1},
                },
                "b": {"base_url": small.base_url, "models": ["small"]},
            },
            "models": {"large": {**PRICES, "quality": 0.9}, "small": {**PRICES, "quality": 0.2}},
            "policies": {"auto": {"tiers": [{"model": "large"}], "fallbacks": ["small"]}},
            "router": {"artifact": "none", "shadow_prices": on},
            "ledger": {"path": str(tmp_path / "ledger.db")},
        }
        async with Orchestrator.from_config(config) as tierwise:
            place = next(d for d in tierwise.setup.all_deployments() if d.model == "large")
            tierwise.health.started(place)
            asyncio.get_running_loop().call_later(0.05, tierwise.health.left, place)
            answer = await tierwise.chat("What is the capital of France?")
            assert answer.text == who
            await asyncio.sleep(0.06)
