"""Does the answer's Python pass the tests that the prompt states?"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_task
from tierwise.gates import sandbox
from tierwise.gates.code_tests import CodeTestsGate, python_of, stated_tests
from tierwise.types import Completion, Verdict

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no sandbox on Windows")

ASKED = "Write a function that adds one.\nYour code should pass these tests:\n\n"
PLUS_ONE = "```python\ndef plus_one(x):\n    return x + 1\n```"


async def judged(prompt: str, text: str) -> Verdict | None:
    return await CodeTestsGate().judge_slowly(a_task(prompt), Completion(text=text))


async def ran(code: str, test: str = "assert True") -> Verdict | None:
    return await judged(ASKED + test, f"```python\n{code}\n```")


# --- what the prompt states


@pytest.mark.parametrize(
    ("prompt", "tests"),
    [
        ("Add one.", []),
        ("Please assert that it works.", []),
        (ASKED + "assert f(1) == 2\nassert f(2) == 3\n", ["assert f(1) == 2", "assert f(2) == 3"]),
        ("assert f(1)==2 assert f(2)==3", ["assert f(1) == 2", "assert f(2) == 3"]),
        ("- assert f([1,\n   2]) == 3", ["assert f([1, 2]) == 3"]),
        ("assert f(1) == 2\n\nassert f(2) == 3", ["assert f(1) == 2", "assert f(2) == 3"]),
        ("assert old(1)\nNow this:\nassert new(1)\nGo.", ["assert new(1)"]),
        ("assert (((", []),
    ],
)
def test_the_tests_are_the_last_assertions_of_the_prompt(prompt: str, tests: list[str]) -> None:
    assert stated_tests(prompt) == tests


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\na\n```\n```\nb\n```\n```py\nc\n```", ["a", "c"]),
        ("```\na\n```\n```js\nb\n```", ["a"]),
        ("def f():\n    pass", ["def f():\n    pass"]),
        ("No code.", []),
        ("```js\nb\n```", []),
    ],
)
def test_the_code_is_the_answer_s_python(text: str, code: list[str]) -> None:
    assert [piece.strip() for piece in python_of(text)] == code


# --- what becomes of it


async def test_code_that_passes_is_accepted() -> None:
    verdict = await judged(ASKED + "assert plus_one(1) == 2\nassert plus_one(-1) == 0", PLUS_ONE)
    assert verdict == Verdict(gate="code_tests", p=1.0, reason="passes its 2 tests")


async def test_code_that_fails_a_test_is_rejected_by_name_of_the_test() -> None:
    verdict = await judged(ASKED + "assert plus_one(1) == 2\nassert plus_one(1) == 3", PLUS_ONE)
    assert verdict is not None
    assert verdict.p == 0.0
    assert verdict.reason.startswith("fails 1 of 2 tests, first assert plus_one(1) == 3: Assertion")


async def test_code_that_raises_or_does_not_parse_is_rejected_with_the_reason() -> None:
    for code, word in (("1 / 0", "ZeroDivisionError"), ("def f(:", "SyntaxError")):
        verdict = await ran(code, "assert f(1)")
        assert verdict is not None
        assert (verdict.p, word in verdict.reason) == (0.0, True)


async def test_a_demonstration_that_fails_is_not_held_against_the_code() -> None:
    verdict = await ran("def f(x):\n    return x\nprint(input())", "assert f(1) == 1")
    assert verdict is not None
    assert verdict.p == 1.0


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Add one.", PLUS_ONE),
        (ASKED + "assert f(1)", "I cannot."),
        (ASKED + "assert f(1)", "```python\nimport nothing_like_it\n```"),
    ],
)
async def test_where_nothing_can_be_tested_the_gate_has_nothing_to_say(
    prompt: str, text: str
) -> None:
    assert await judged(prompt, text) is None


@pytest.mark.parametrize("code", ["while True: pass", "import time\ntime.sleep(60)"])
async def test_code_that_does_not_end_is_stopped(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "WALL_S", 0.5)
    verdict = await ran(code)
    assert verdict is not None
    assert (verdict.p, verdict.reason) == (0.0, "the code did not end within 0.5 s")


@pytest.mark.parametrize("code", ["import os\nos._exit(0)", "import sys\nsys.exit(0)"])
async def test_code_that_leaves_passes_nothing(code: str) -> None:
    verdict = await ran(code + "\ndef f(): ...", "assert f is None")
    assert verdict is not None
    assert verdict.p == 0.0


# --- what the sandbox keeps from it


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.system('true')",
        "import subprocess\nsubprocess.run(['true'])",
        "import os\nos.fork()",
        "import socket\nsocket.socket()",
        "open('/etc/hostname')",
        "open('/tmp/never', 'w')",
        "import ctypes\nctypes.CDLL(None)",
        "[0] * 10**9",
    ],
)
async def test_code_has_no_business_with_the_machine(code: str) -> None:
    verdict = await ran(f"reached = False\n{code}\nreached = True", "assert not reached")
    assert verdict is not None
    assert verdict.p == 1.0


async def test_code_cannot_see_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    verdict = await ran("import os", "assert 'OPENAI_API_KEY' not in os.environ")
    assert verdict is not None
    assert verdict.p == 1.0


async def test_what_goes_wrong_before_the_code_runs_is_not_held_against_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sandbox, "_PROGRAM", str(tmp_path / "none.py"))
    with pytest.raises(OSError, match="did not come up"):
        await ran("x = 1")


async def test_a_caller_who_leaves_takes_the_process_along(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    start = asyncio.create_subprocess_exec

    async def noted(*args: str, **options: object) -> asyncio.subprocess.Process:
        process = await start(*args, **options)  # type: ignore[arg-type]
        started.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    asking = asyncio.create_task(ran("import time\ntime.sleep(60)"))
    while not started:  # noqa: ASYNC110 - a process has no event to wait for
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


@given(st.text(alphabet="assert f(1)=='2'\n #([", max_size=80))
@settings(max_examples=100, deadline=None)
def test_whatever_the_prompt_says_its_tests_are_assertions(text: str) -> None:
    assert all(test.startswith("assert") for test in stated_tests(text))
    python_of(text)
