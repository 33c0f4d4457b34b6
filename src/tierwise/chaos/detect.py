"""How many calls still went to whoever had failed before it was left alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from tierwise.chaos.outage import Rest

REQUESTS, SECONDS = 10, 2.0
"""What is quick enough: one or the other."""


class Call(Struct, frozen=True):
    """A call to a deployment and when it began, by the clock of `Rest`."""

    deployment: str
    at: float


class Detected(Struct, frozen=True):
    """Calls to a deployment from the beginning of an outage until it was left alone, and seconds
    from the first of them until then."""

    requests: int
    seconds: float


def calls_in(ledger: Path, wall_s: float) -> list[Call]:
    """Every call that a ledger knows. Waits between the attempts of a request count as none.

    Args:
        wall_s: Unix time less the clock that is wanted.
    """
    calls: list[Call] = []
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        plain = connection.execute(
            "SELECT s.deployment, r.at FROM requests r JOIN shapes s ON s.id = r.shape"
            " WHERE s.plain = 1"
        )
        calls += [Call(deployment, at - wall_s) for deployment, at in plain]
        request, later = None, 0.0
        for name, deployment, at, latency in connection.execute(
            "SELECT request_id, deployment, at, latency_s FROM attempts ORDER BY request_id, idx"
        ):
            if name != request:
                request, later = name, 0.0
            calls.append(Call(deployment, at - wall_s + later))
            later += latency
    return calls


def detected(
    calls: Sequence[Call],
    rests: Sequence[Rest],
    providers: Sequence[str],
    began: float,
    ended: float,
) -> Detected | None:
    """How the last of the deployments was found out; None if none was while the outage lasted.

    A deployment that was not found out does not count: it may have had no calls.
    """
    worst: Detected | None = None
    for name in {call.deployment for call in calls}:
        if name.partition("/")[0] not in providers:
            continue
        rest = next((r.at for r in rests if r.deployment == name and began <= r.at <= ended), None)
        to_it = [c.at for c in calls if c.deployment == name and rest and began <= c.at <= rest]
        if rest is None or not to_it:
            continue
        found = Detected(len(to_it), rest - min(to_it))
        if worst is None or _slowness(found) > _slowness(worst):
            worst = found
    return worst


def _slowness(found: Detected) -> float:
    return min(found.requests / REQUESTS, found.seconds / SECONDS)
