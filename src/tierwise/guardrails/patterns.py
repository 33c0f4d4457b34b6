"""Patterns that an operator has written, such as the form of a key or the name of a project."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from tierwise.errors import ConfigError
from tierwise.guardrails.base import Span, Text
from tierwise.guardrails.plain import MOST_CHARS, is_bounded, is_plain

LIMIT_S = 2.0
"""The time that patterns which are not plain have for a request or an answer, in seconds."""
_PROCESSES = 4
"""How many look at a time, for one guardrail; others wait, within their limit."""
_PROGRAM = str(Path(__file__).with_name("searching.py"))
_decode = msgspec.json.Decoder(list[list[tuple[int, int, int]]]).decode


class Patterns:
    """Finds what matches; labels are the operator's.

    Raises:
        ConfigError: one is no regular expression, or matches where there is nothing.
    """

    def __init__(
        self, patterns: Mapping[str, str], *, ignore_case: bool, limit_s: float = LIMIT_S
    ) -> None:
        self._labels = list(patterns)
        self._flags = re.IGNORECASE if ignore_case else re.NOFLAG
        self._limit_s = limit_s
        self._free = asyncio.Semaphore(_PROCESSES)
        self._compiled = [_compiled(label, one, self._flags) for label, one in patterns.items()]
        plain = [is_plain(one) for one in patterns.values()]
        numbers = range(len(plain))
        self._plain = [n for n in numbers if plain[n]]
        self._long = [n for n in self._plain if not is_bounded(self._compiled[n].pattern)]
        self._slow = [n for n in numbers if not plain[n]]

    @property
    def slow(self) -> list[str]:
        """Labels of those that are searched for in a process of their own, which takes longer."""
        return [self._labels[number] for number in self._slow]

    async def look(self, texts: Sequence[Text]) -> Sequence[Sequence[Span]]:
        """As `Guardrail` has it.

        Raises:
            TimeoutError: it takes longer than it may.
            OSError: no process can be started.
        """
        said = [one.text for one in texts]
        found: list[list[Span]] = [[] for _ in said]
        apart: dict[int, list[int]] = {}
        for place, text in enumerate(said):
            slow = self._slow
            if len(text) > MOST_CHARS:
                slow = [*slow, *self._long]
            for number in self._plain:
                if number not in slow:
                    found[place] += self._spans(number, text)
            if slow and text:
                apart[place] = slow
        for place, spans in (await self._apart(said, apart)).items():
            found[place] += spans
        return found

    def _spans(self, number: int, text: str) -> list[Span]:
        label = self._labels[number]
        return [Span(*match.span(), label) for match in self._compiled[number].finditer(text)]

    async def _apart(
        self, said: Sequence[str], wanted: Mapping[int, Sequence[int]]
    ) -> dict[int, list[Span]]:
        """What is found in a process that is ended when it takes too long."""
        if not wanted:
            return {}
        numbers = sorted({number for some in wanted.values() for number in some})
        job = msgspec.json.encode(
            {
                "flags": int(self._flags),
                "patterns": [self._compiled[number].pattern for number in numbers],
                "texts": [said[place] for place in wanted],
            }
        )
        try:
            async with asyncio.timeout(self._limit_s), self._free:
                answer = _decode(await _run(job))
        except msgspec.MsgspecError as error:
            raise OSError(f"the process that searches for patterns broke: {error}") from None
        return {
            place: [
                Span(start, end, self._labels[numbers[which]])
                for start, end, which in spans
                if numbers[which] in wanted[place]
            ]
            for place, spans in zip(wanted, answer, strict=True)
        }


async def _run(job: bytes) -> bytes:
    """The program's answer; it is gone when this returns, however it returns."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-B", _PROGRAM,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
    )  # fmt: skip
    try:
        return (await process.communicate(job))[0]
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())


def _compiled(label: str, pattern: str, flags: re.RegexFlag) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{pattern!r} is no regular expression: {error}",
            field=f"patterns.{label}",
            remedy="Write one as Python's `re` takes it, in single quotes.",
        ) from None
    if compiled.match("") is not None and compiled.fullmatch("") is not None:
        raise ConfigError(
            f"{pattern!r} matches where there is nothing",
            field=f"patterns.{label}",
            remedy="Write what must be there, such as `+` in place of `*`.",
        )
    return compiled
