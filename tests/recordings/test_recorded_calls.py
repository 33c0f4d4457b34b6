"""Recorded calls of real providers are made again as they were, and every client reads them."""

from __future__ import annotations

import pytest

from recordings.calls import ABSENT, FOLDER
from recordings.outcome import outcome_of
from recordings.recorded import Recording, recordings
from upstream import Reply, upstreams


def recorded() -> list[object]:
    found = [pytest.param(one, id=one.name) for one in recordings(FOLDER)]
    return found or [pytest.param(None, id="absent")]


@pytest.mark.parametrize("recording", recorded())
async def test_a_recording_is_asked_as_it_was_and_read_by_every_client(
    recording: Recording | None,
) -> None:
    if recording is None:
        pytest.skip(ABSENT)
    async with upstreams(Reply()) as (upstream,):
        outcome = await outcome_of(recording, upstream)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert not outcome.problems
