"""Runs cases. A case is known by its seed and number, and is the same whenever it is run."""

from __future__ import annotations

import asyncio
import gc
import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from fuzz.inside import Inside
from fuzz.properties import PROPERTIES, Property

_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Failure:
    """A case in which something did not hold, and where."""

    case: int
    what: str
    why: str

    @property
    def place(self) -> str:
        """What failures of the same cause have in common."""
        lines = [line for line in self.why.splitlines() if line.lstrip().startswith("File ")]
        kind = self.why.splitlines()[-1].partition(":")[0]
        return f"{self.what}: {lines[-1].strip() if lines else ''}: {kind}"


def chosen(seed: int, case: int) -> tuple[Property, Random]:
    """What is tried in a case, and all of its chance."""
    random = Random(f"{seed}:{case}")
    weights = [weight for _, weight in PROPERTIES]
    return random.choices([one for one, _ in PROPERTIES], weights)[0], random


def run(
    seed: int, cases: Iterable[int], began: Callable[[int], None] | None = None
) -> Iterator[Failure]:
    """The failures among cases; `began` is told of each before it is run."""
    loop = asyncio.new_event_loop()
    inside = Inside()
    try:
        loop.run_until_complete(_started(inside))
        for case in cases:
            if began is not None:
                began(case)
            what, random = chosen(seed, case)
            try:
                loop.run_until_complete(what(random, inside))
            except Exception:  # noqa: BLE001 - whatever it is, it should not be
                yield Failure(case, what.__name__, traceback.format_exc())
    finally:
        loop.run_until_complete(inside.close())
        loop.close()


def resident_kb() -> int:
    """How much memory this process has, in kB; 0 where that is not told."""
    gc.collect()
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE // 1024
    except OSError:
        return 0


async def _started(inside: Inside) -> None:
    inside.start()
