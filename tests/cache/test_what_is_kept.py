"""Which answers are kept to be given again, by what became of the calls that were made for them."""

from __future__ import annotations

import time

import pytest

from builders import a_decision, a_task, an_attempt
from tierwise.analysis import Measured, measure
from tierwise.cache import Cache
from tierwise.cache.store import InProcess
from tierwise.cached import Cached
from tierwise.execution import Run
from tierwise.finished import Answered, Finished
from tierwise.types import Completion, Task

HERE, THERE = "near/small", "far/large"


def finished(run: Run, measured: Measured) -> Finished:
    return Finished(run.decision, run, measured, None, 0.1, False, None, None, None, None)


class Models:
    """Answers every request by these calls, the client's answer being one of `HERE`."""

    def __init__(self, *calls: tuple[str, str]) -> None:
        self.asked = 0
        self._calls = calls

    async def ask(self, task: Task) -> Answered:
        self.asked += 1
        run = Run(task, a_decision(), {}, time.monotonic)
        for deployment, outcome in self._calls:
            run.add(an_attempt(deployment=deployment, outcome=outcome))
        run.status, run.model, run.deployment = "ok", "small", HERE
        return Answered(b"{}", lambda: Completion(text="Paris."), finished(run, measure(task)))


@pytest.mark.parametrize(
    ("calls", "kept"),
    [
        ([(HERE, "accepted")], True),
        ([(HERE, "accepted"), (HERE, "probe"), (THERE, "probe")], True),
        ([(HERE, "timeout"), (HERE, "accepted")], True),
        ([(HERE, "rejected"), (THERE, "server_failed")], False),
        ([(HERE, "rejected"), (HERE, "probe"), (THERE, "timeout")], False),
    ],
)
async def test_an_answer_is_kept_if_its_own_call_was_accepted(
    calls: list[tuple[str, str]], kept: bool
) -> None:
    cache = Cache(InProcess(1 << 20), {"": "exact"}, ttl_s=60, most_bytes=9000, now=time.time)
    cached = Cached(cache, finished, lambda: "d2")
    models = Models(*calls)
    for _ in range(2):
        await cached.answer(a_task(), models.ask)
    assert models.asked == (1 if kept else 2)
