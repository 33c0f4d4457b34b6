"""Who waits for a path does so for a bounded time, apart from the others, and not in any number."""

from __future__ import annotations

import asyncio

import pytest

from builders import a_plan, a_task
from laboratory import a_laboratory
from tierwise.errors import AllPathsFailed, RateLimited
from tierwise.execution import Patience, patience
from upstream import fails

PATIENCE_S = 10.0


async def test_those_who_wait_for_the_same_path_come_back_spread_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def slept(seconds: float) -> None:
        waits.append(seconds)

    async with a_laboratory({"small": [fails(429)]}) as lab:
        lab.health.failed(lab.deployment("small"), RateLimited("x", retry_after=10.0))
        run = lab.begin(a_task(), a_plan("small", wait_s=60.0))
        with monkeypatch.context() as patched:
            patched.setattr(asyncio, "sleep", slept)
            for draw in (0.0, 0.5, 0.999):
                assert await Patience(lab.health, lambda draw=draw: draw).wait(run, 0)
    first, second, third = waits
    assert first == pytest.approx(10.0, abs=0.5)
    assert second - first > 0.3
    assert third - second > 0.3


async def test_who_finds_too_many_waiting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOST_WAITING", 1)
    async with a_laboratory({"small": [fails(429, retry_after="30")]}) as lab:
        plan = a_plan("small", wait_s=60.0)
        first = asyncio.create_task(lab.ask(a_task(), plan))
        async with asyncio.timeout(PATIENCE_S):
            while lab.calls("small") == [0]:  # noqa: ASYNC110 - what is waited for is no event
                await asyncio.sleep(0.01)
            with pytest.raises(AllPathsFailed):
                await lab.ask(a_task(), plan)
        assert not first.done()
        first.cancel()
        await asyncio.wait([first])
