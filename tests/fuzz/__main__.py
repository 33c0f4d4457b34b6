"""`make fuzz`: runs many cases in several processes, and says what did not hold.

A case that takes too long ends its process, with a trace of where it was, and counts as a failure;
another process goes on behind it. How much memory the processes have is said of their start and
end, and how it grew for each thousand cases after the first tenth.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter

from fuzz.run import Failure, run
from fuzz.workers import Worker, growth

_SHOWN = 20


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("-n", "--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--begin", type=int, default=0, help="the first case")
    parser.add_argument("-j", "--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--case", type=int, help="run this one, and show its failure")
    given = parser.parse_args()
    if given.case is not None:
        failures = list(run(given.seed, [given.case]))
        _show(failures)
        return bool(failures)
    began = time.monotonic()
    end = given.begin + given.cases
    workers = [
        Worker(given.seed, given.begin + i, end, given.processes) for i in range(given.processes)
    ]
    running, shown = list(workers), began
    known: set[str] = set()
    while running:
        running = [one for one in running if one.listen()]
        for failure in (failure for one in workers for failure in one.told.failures):
            if failure.place not in known:
                known.add(failure.place)
                _say(f"case {failure.case} failed: {failure.place}")
        if time.monotonic() - shown > 60:
            shown = time.monotonic()
            _figures(workers, shown - began)
    _figures(workers, time.monotonic() - began)
    failures = [failure for one in workers for failure in one.told.failures]
    _show(failures)
    return bool(failures)


def _figures(workers: list[Worker], seconds: float) -> None:
    told = [one.told for one in workers if one.told.memory]
    cases = sum(one.done for one in told)
    failed = sum(len(one.failures) for one in told)
    hung = sum(one.hung for one in told)
    _say(f"{cases:,} cases in {seconds:.0f} s: {failed} failed, {hung} of them took too long")
    for number, one in enumerate(told):
        first, last = one.memory[0][1], one.memory[-1][1]
        steady = next(kb for done, kb in one.memory if done >= one.memory[-1][0] / 10)
        _say(
            f"  process {number}: RSS {first / 1024:.1f} MB at the start, {steady / 1024:.1f} "
            f"after a tenth, {last / 1024:.1f} at the end; "
            f"{growth(one.memory):+.1f} kB per 1,000 cases"
        )


def _show(failures: list[Failure]) -> None:
    """One failure of each kind, with its trace."""
    places = Counter(one.place for one in failures)
    examples = {one.place: one for one in failures[::-1]}
    for place, count in places.most_common(_SHOWN):
        one = examples[place]
        _say(f"\n{count} times: {place}\ncase {one.case}, {one.what}:\n{one.why[-4000:]}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command's output


if __name__ == "__main__":
    sys.exit(main())
