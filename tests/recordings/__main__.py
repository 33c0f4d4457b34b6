"""Runs all recordings of a folder: `make recordings`.

The folder is what `TIERWISE_RECORDINGS` names, `../shared/cassettes` unless it is set. The last
line is `N passed, N failed, N skipped`; every skip is told with its reason.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

from recordings.outcome import outcome_of
from recordings.recorded import recordings
from upstream import Reply, upstreams


async def main(folder: Path) -> int:
    """The exit status: 0 if nothing failed."""
    counts: Counter[str] = Counter()
    async with upstreams(Reply()) as (upstream,):
        for recording in recordings(folder):
            outcome = await outcome_of(recording, upstream)
            if outcome.skipped:
                counts["skipped"] += 1
                print(f"skipped {outcome.name}: {outcome.skipped}")
            elif outcome.problems:
                counts["failed"] += 1
                print(f"FAILED  {outcome.name}")
                for problem in outcome.problems:
                    print(f"        {problem}")
            else:
                counts["passed"] += 1
    passed, failed, skipped = (counts[name] for name in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    beside = Path(__file__).parents[2].parent / "shared" / "cassettes"
    chosen = Path(os.environ.get("TIERWISE_RECORDINGS", beside))
    if not chosen.is_dir():
        sys.exit(
            f"there are no recordings at {chosen}: set TIERWISE_RECORDINGS to a folder of them"
        )
    sys.exit(asyncio.run(main(chosen)))
