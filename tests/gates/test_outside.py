"""Gates of somebody else's: found by `module:attribute`, held to what a verdict is."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from builders import a_task
from tierwise.errors import ConfigError
from tierwise.gates import Prepares, load_gates
from tierwise.gates.outside import OutsideGate, verdict_of
from tierwise.orchestrator import Orchestrator
from tierwise.types import Completion, Task, Verdict

HELLO = Completion(text="hello")

OWN = """
import functools

def polite(task, answer):
    return 0.9 if "please" in answer.text else 0.2

async def awaited(task, answer):
    return True

class Strict:
    limit_s = 7
    def judge(self, task, answer):
        return answer.text == "hello"

class Preparing(Strict):
    def prepare(self, task):
        pass

class NeedsMore:
    def __init__(self, path):
        pass
    judge = polite

class Leaves:
    def __init__(self):
        raise SystemExit(3)
    judge = polite

class Group:
    ready = Strict()

def one(task):
    return True

number = 5
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of somebody's own in the working directory."""
    (tmp_path / "own_gates.py").write_text(OWN)
    (tmp_path / "broken_gates.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "leaving_gates.py").write_text("import sys\nsys.exit('I am a script')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "own_gates"
    sys.modules.pop("own_gates", None)


async def said(name: str, answer: Completion = HELLO) -> Verdict | None:
    gate = load_gates([name])[name]
    assert isinstance(gate, OutsideGate)
    return await gate.judge_slowly(a_task(), answer)


@pytest.mark.parametrize(
    ("attribute", "p"),
    [("polite", 0.2), ("awaited", 1.0), ("Strict", 1.0), ("Group.ready", 1.0)],
)
async def test_a_function_or_a_class_of_one_s_own_is_a_gate(
    own: str, attribute: str, p: float
) -> None:
    name = f"{own}:{attribute}"
    assert await said(name) == Verdict(gate=name, p=p, reason="")


def test_a_gate_says_how_long_it_may_take(own: str) -> None:
    gates = load_gates([f"{own}:Strict", f"{own}:polite"])
    limits = [gate.limit_s for gate in gates.values() if isinstance(gate, OutsideGate)]
    assert limits == [7.0, 2.0]


def test_a_gate_of_one_s_own_may_see_the_task_first(own: str) -> None:
    gates = load_gates([f"{own}:Preparing", f"{own}:Strict"])
    assert [isinstance(gate, Prepares) for gate in gates.values()] == [True, False]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere_at_all:f", "No module named 'nowhere_at_all'"),
        ("broken_gates:f", "No module named 'nothing_of_that_name'"),
        ("leaving_gates:f", "SystemExit: I am a script"),
        ("own_gates:Leaves", "SystemExit: 3"),
        ("own_gates:polit", "Use one of: polite"),
        ("own_gates:NeedsMore", "cannot be built"),
        ("own_gates:one", "cannot be called with a task and an answer"),
        ("own_gates:number", "cannot be called with a task and an answer"),
        ("own_gates:", "Name a function or a class"),
        (":f", "cannot be imported"),
    ],
)
def test_what_is_no_gate_is_found_out_when_the_configuration_is_read(
    own: str, target: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_gates([target])
    assert words in str(caught.value)
    assert (caught.value.field, target in caught.value.message) == ("gates", True)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, 1.0),
        (False, 0.0),
        (0.25, 0.25),
        (1, 1.0),
        (Verdict(gate="other", p=0.5, reason="so"), 0.5),
    ],
)
def test_what_a_gate_may_say(value: Any, expected: float | None) -> None:
    verdict = verdict_of("mine", value)
    assert (verdict and verdict.p) == expected
    assert verdict is None or verdict.gate == "mine"


@pytest.mark.parametrize(
    "value",
    ["yes", 1.5, -0.1, math.nan, math.inf, [0.5], {}, Verdict(gate="x", p=math.nan, reason="")],
)
def test_what_is_no_verdict_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no verdict"):
        verdict_of("mine", value)


def test_a_reason_is_made_fit_to_be_stored() -> None:
    verdict = verdict_of("mine", Verdict(gate="x", p=1.0, reason="\ud83d" + "a" * 1000))
    assert verdict is not None
    assert verdict.reason == "?" + "a" * 299


async def test_a_gate_does_not_keep_the_event_loop() -> None:
    loop_thread = threading.get_ident()
    gate = OutsideGate("mine", lambda _task, _answer: threading.get_ident() != loop_thread)
    assert await gate.judge_slowly(a_task(), HELLO) == Verdict(gate="mine", p=1.0, reason="")


async def test_what_a_gate_raises_reaches_its_caller_even_if_it_wants_to_exit() -> None:
    def leave(task: Task, answer: Completion) -> None:
        sys.exit(3)

    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        await OutsideGate("mine", leave).judge_slowly(a_task(), HELLO)


async def test_a_gate_that_hangs_gets_no_more_threads_than_it_may_have() -> None:
    go_on = threading.Event()
    calls: list[int] = []

    def hang(task: Task, answer: Completion) -> bool:
        calls.append(1)
        return go_on.wait(10)

    gate = OutsideGate("mine", hang, threads=2)
    try:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await gate.judge_slowly(a_task(), HELLO)
        with pytest.raises(TimeoutError, match="2 threads hang"):
            await gate.judge_slowly(a_task(), HELLO)
        assert len(calls) == 2
    finally:
        go_on.set()
    while gate.stuck:  # noqa: ASYNC110 - a thread has no event to wait for
        await asyncio.sleep(0.01)
    assert await gate.judge_slowly(a_task(), HELLO) == Verdict(gate="mine", p=1.0, reason="")


async def test_an_async_gate_that_wants_to_exit_does_not_end_the_event_loop() -> None:
    async def leave(task: Task, answer: Completion) -> None:
        sys.exit(3)

    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        await OutsideGate("mine", leave).judge_slowly(a_task(), HELLO)


async def test_an_async_gate_that_will_not_end_is_left_to_itself() -> None:
    go_on = asyncio.Event()

    async def stubborn(task: Task, answer: Completion) -> float:
        while not go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()
        raise KeyError("nobody hears this")

    gate = OutsideGate("mine", stubborn, threads=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await gate.judge_slowly(a_task(), HELLO)
    with pytest.raises(TimeoutError, match="1 calls hang"):
        await gate.judge_slowly(a_task(), HELLO)
    go_on.set()
    while gate.stuck:  # noqa: ASYNC110 - it ends by itself, and tells nobody
        await asyncio.sleep(0)
    with pytest.raises(KeyError):
        await gate.judge_slowly(a_task(), HELLO)


async def test_an_async_gate_that_is_given_up_is_ended() -> None:
    ended = asyncio.Event()

    async def waits(task: Task, answer: Completion) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    gate = OutsideGate("mine", waits)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await gate.judge_slowly(a_task(), HELLO)
    await asyncio.wait_for(ended.wait(), 5)


def test_a_gate_that_wants_to_exit_over_a_task_does_not_end_the_gateway(own: str) -> None:
    gate = load_gates([f"{own}:Preparing"])[f"{own}:Preparing"]
    assert isinstance(gate, Prepares)
    gate._prepare = lambda _task: sys.exit(3)  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        gate.prepare(a_task())


@pytest.mark.parametrize(
    ("target", "words"), [("nowhere_at_all:f", "No module named"), ("own_gates:polit", "polite")]
)
def test_an_entry_point_that_cannot_be_used_is_an_error_of_the_configuration(
    own: str, monkeypatch: pytest.MonkeyPatch, target: str, words: str
) -> None:
    point = EntryPoint("theirs", target, "tierwise.gates")
    monkeypatch.setattr("tierwise.gates.base.entry_points", lambda **_: [point])
    with pytest.raises(ConfigError, match="the gate 'theirs'") as caught:
        load_gates(["theirs"])
    assert words in str(caught.value)
    with pytest.raises(ConfigError, match="Use one of: theirs"):
        load_gates(["their"])


def test_a_configuration_with_a_gate_that_is_not_there_says_where(own: str) -> None:
    providers = {"p": {"base_url": "http://127.0.0.1:9/v1", "models": ["gpt-4o"]}}
    policies = {"strict": {"gates": ["complete", f"{own}:polit"]}}
    with pytest.raises(ConfigError) as caught:
        Orchestrator.from_config(
            {"providers": providers, "policies": policies, "ledger": {"path": ":memory:"}}
        )
    assert caught.value.field == "policies.strict.gates"
    assert caught.value.remedy == "Use one of: polite."
