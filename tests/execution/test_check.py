"""A gate that breaks is left out and counted; the request never suffers."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

import pytest

from builders import Clock, a_task
from tierwise.errors import InvalidRequest
from tierwise.execution.check import Checker
from tierwise.types import Completion, Task, Verdict

HELLO = Completion(text="hello")


class Says:
    """A gate that says what it is told, or raises it."""

    def __init__(self, name: str, said: Any) -> None:
        self.name = name
        self.said = said

    def judge(self, task: Task, answer: Completion) -> Verdict | None:  # noqa: ARG002
        if isinstance(self.said, BaseException):
            raise self.said
        said: Verdict | None = self.said
        return said


class Waits:
    """A gate that waits until it is let go on, and then says what it is told or raises it."""

    def __init__(self, name: str, said: Any, limit_s: float = 5.0) -> None:
        self.name = name
        self.limit_s = limit_s
        self.said = said
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def judge_slowly(self, *_: object) -> Verdict | None:
        self.asked.set()
        await self.go_on.wait()
        if isinstance(self.said, BaseException):
            raise self.said
        said: Verdict | None = self.said
        return said


def good(name: str) -> Verdict:
    return Verdict(gate=name, p=0.9, reason="")


async def judged(*gates: Any, task: Task | None = None) -> tuple[tuple[str, ...], dict[str, int]]:
    """The gates that were heard, and those that broke."""
    checker = Checker({gate.name: gate for gate in gates})
    names = [gate.name for gate in gates]
    verdicts = await checker.verdicts(names, task or a_task(), HELLO)
    return tuple(verdict.gate for verdict in verdicts), checker.broken


@pytest.mark.parametrize(
    "said",
    [
        RuntimeError("a bug"),
        RecursionError(),
        "yes",
        0.5,
        Verdict(gate="x", p=1.5, reason=""),
        Verdict(gate="x", p=math.nan, reason=""),
        Verdict(gate="x", p="high", reason=""),  # type: ignore[arg-type]
    ],
)
async def test_a_gate_that_raises_or_says_no_verdict_is_left_out(said: Any) -> None:
    fine = Says("fine", good("fine"))
    assert await judged(Says("bad", said), fine) == (("fine",), {"bad": 1})
    waiting = Waits("bad", said)
    waiting.go_on.set()
    assert await judged(waiting, fine) == (("fine",), {"bad": 1})


async def test_a_gate_that_hangs_is_left_out() -> None:
    assert await judged(Waits("bad", good("bad"), limit_s=0.01), Says("fine", good("fine"))) == (
        ("fine",),
        {"bad": 1},
    )


async def test_a_gate_that_cancels_itself_is_left_out() -> None:
    bad = Waits("bad", asyncio.CancelledError())
    bad.go_on.set()
    assert await judged(bad) == ((), {"bad": 1})


async def test_a_gate_without_a_judge_is_left_out() -> None:
    class Nothing:
        name = "bad"

    assert await judged(Nothing()) == ((), {"bad": 1})


async def test_no_gate_waits_beyond_the_deadline_and_none_is_blamed_for_it() -> None:
    clock = Clock()
    checker = Checker({"slow": Waits("slow", good("slow"))}, clock)
    assert await checker.verdicts(["slow"], a_task(deadline=clock.now), HELLO) == ()
    assert checker.broken == {}


async def test_gates_that_wait_wait_together_and_are_heard_in_order() -> None:
    first, second = Waits("first", good("first")), Waits("second", good("second"))
    checker = Checker({"first": first, "quick": Says("quick", good("quick")), "second": second})
    asking = asyncio.create_task(checker.verdicts(["first", "quick", "second"], a_task(), HELLO))
    await asyncio.gather(first.asked.wait(), second.asked.wait())
    second.go_on.set()
    first.go_on.set()
    assert [verdict.gate for verdict in await asking] == ["first", "quick", "second"]


async def test_a_caller_who_leaves_is_no_fault_of_a_gate() -> None:
    gate = Waits("slow", good("slow"))
    checker = Checker({"slow": gate})
    asking = asyncio.create_task(checker.verdicts(["slow"], a_task(), HELLO))
    await gate.asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert checker.broken == {}


async def test_a_gate_may_find_the_request_at_fault() -> None:
    for gate in (Says("g", InvalidRequest("no")), Waits("g", InvalidRequest("no"))):
        if isinstance(gate, Waits):
            gate.go_on.set()
        with pytest.raises(InvalidRequest):
            await judged(gate)


def test_a_gate_that_breaks_over_a_task_does_not_keep_it_from_being_asked() -> None:
    class Careless:
        name = "careless"

        def judge(self, task: Task, answer: Completion) -> None: ...

        def prepare(self, task: Task) -> None:  # noqa: ARG002
            raise KeyError("x")

    checker = Checker({"careless": Careless()})
    checker.prepare(["careless"], a_task())
    assert checker.broken == {"careless": 1}


async def test_a_gate_that_always_breaks_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    checker = Checker({"bad": Says("bad", RuntimeError("a bug"))})
    with caplog.at_level(logging.WARNING, "tierwise.gates"):
        for _ in range(9):
            await checker.verdicts(["bad"], a_task(), HELLO)
    assert checker.broken == {"bad": 9}
    assert [record.args[1] for record in caplog.records if record.args] == [1, 2, 4, 8]  # type: ignore[index]
