"""Does the answer's Python pass the tests that the prompt states? Off unless a policy names it."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import sys

from tierwise.errors import ConfigError
from tierwise.gates.fences import blocks, whole
from tierwise.gates.grammars import ALIASES, python_tree
from tierwise.gates.sandbox import Result, run_tests
from tierwise.types import Completion, Task, Verdict

_MAX_TESTS = 32
_MAX_CHARS = 32 * 1024
_BEGINS = re.compile(r"^[ \t>*-]*(?=assert\b)")
_TOGETHER = re.compile(r"(?<=[\w)\]}\"'])\s+(?=assert\b)")


class CodeTestsGate:
    """Runs the answer's Python against the `assert` lines of the last message of the user.

    That is model-written code on this machine: read what the sandbox promises before you turn it
    on. Only the standard library is there; code that wants more is not judged.
    """

    name = "code_tests"
    limit_s = 10.0

    def __init__(self) -> None:
        """Raises `ConfigError` where there is no sandbox: it needs what POSIX systems have."""
        if sys.platform == "win32":
            raise ConfigError(
                "the gate 'code_tests' cannot be used on Windows",
                field="gates",
                remedy="Leave it out, or run the gateway on Linux or macOS.",
            )
        # Each keeps a core busy: more at a time would only make all of them slow.
        self._places = asyncio.Semaphore(os.cpu_count() or 1)

    async def judge_slowly(self, task: Task, answer: Completion) -> Verdict | None:
        """1 if all tests pass, 0 if one fails, the code does not end or leaves its process.

        None where the prompt states no tests, or the answer has no Python, or the code needs a
        module that the sandbox has not.
        """
        asked = next((m.text for m in reversed(task.messages) if m.role == "user"), "")
        tests = stated_tests(asked)
        if not tests or answer.tool_calls or len(answer.text) > _MAX_CHARS:
            return None
        code = python_of(answer.text)
        if not code:
            return None
        async with self._places:
            result = await run_tests(code, tests)
        if result.missing:
            return None
        wrong = _wrong(result, tests)
        passed = f"passes its {len(tests)} tests" if len(tests) > 1 else "passes its test"
        return Verdict(gate=self.name, p=0.0 if wrong else 1.0, reason=wrong or passed)


def stated_tests(text: str) -> list[str]:
    """The `assert` statements of a prompt: those of its last group of lines.

    Earlier groups are the tests of worked examples.
    """
    tests: list[str] = []
    group = False
    pending = ""
    for line in text[-_MAX_CHARS:].splitlines():
        if pending:
            pending += "\n" + line
        elif found := _BEGINS.match(line):
            if not group:
                tests, group = [], True
            pending = line[found.end() :]
        else:
            group = group and not line.strip()
            continue
        statements = _asserts(pending)
        if statements is not None:
            tests += statements
            pending = ""
        elif pending.count("\n") > 20:
            pending = ""
    return tests[-_MAX_TESTS:]


def python_of(text: str) -> list[str]:
    """The pieces of Python in an answer: its Python blocks, or those without a language, or all."""
    found = blocks(text)
    python = [b.code for b in found if ALIASES.get(b.language, b.language) == "python"]
    if python:
        return python
    if found:
        return [block.code for block in found if not block.language]
    only = whole(text)
    return [only.code] if only is not None and only.language == "python" else []


def _asserts(source: str) -> list[str] | None:
    """The assertions in a line or several; None if it does not parse (yet)."""
    for text in (source, _TOGETHER.sub("\n", source)):
        try:
            body = python_tree(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return [ast.unparse(one) for one in body if isinstance(one, ast.Assert)]
    return None


def _wrong(result: Result, tests: list[str]) -> str:
    if result.ended:
        return f"the code {result.ended}"
    if not result.failed:
        return ""
    number, error = result.failed[0]
    why = result.trouble or error
    return f"fails {len(result.failed)} of {len(tests)} tests, first {tests[number][:120]}: {why}"
