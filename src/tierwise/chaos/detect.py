"""How many calls still went to whoever had failed before it was left alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from sqlalchemy import select

from tierwise.chaos.outage import Rest
from tierwise.ledger.reading import reading
from tierwise.ledger.tables import attempts, requests, shapes

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
    with reading(ledger) as connection:
        plain = select(shapes.c.deployment, requests.c.at).join_from(
            requests, shapes, shapes.c.id == requests.c.shape
        )
        for deployment, at in connection.execute(plain.where(shapes.c.plain == 1)):
            calls.append(Call(deployment, at - wall_s))
        c = attempts.c
        others = select(c.request_id, c.deployment, c.at, c.latency_s)
        request, later = None, 0.0
        for name, deployment, at, latency in connection.execute(
            others.order_by(c.request_id, c.idx)
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
