"""Whatever is sent and answered, nothing breaks: a share of what `make fuzz` runs."""

from __future__ import annotations

import pytest

from fuzz.run import run

CASES = 3000


@pytest.mark.parametrize("seed", [0])
def test_whatever_is_sent_and_answered_nothing_breaks(seed: int) -> None:
    failures = list(run(seed, range(CASES)))
    assert not failures, "\n\n".join(
        f"case {one.case} of seed {seed}: {one.why}" for one in failures[:5]
    )
