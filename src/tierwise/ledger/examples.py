"""Answers whose worth is known: what calibration learns from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from tierwise.ledger import bundles
from tierwise.ledger.feedback import SOURCES, Feedback, decisive
from tierwise.ledger.rows import answering_attempt, tier_of
from tierwise.ledger.store import connect_to_read, feedback_of, one_moment
from tierwise.types import Attempt, Record, Verdict

_PAGE = 200
_BUNDLES_IN_HAND = 8
"""Neighbours in time lie in few bundles; several workers write several at once."""


class Labelled(Struct, frozen=True, kw_only=True):
    """One answer that a client got whole, what was thought of it before and what was said after.

    `at` is when it was decided about, a Unix time in seconds. `gates` are those of its tier and
    `verdicts` what they said, both empty at a tier without; `accepted` says whether they sufficed
    at the tier's `accept`, which is None for a fallback. `quality` is what routing expected of the
    model, None if nothing. `label` in [0, 1] is what counts of all feedback, and `source` who gave
    it. `length` is the answer's, in characters, where it was judged whole. `cost_usd` is what it
    cost, `reference_cost_usd` what the same tokens would have cost from the reference.
    """

    decision_id: str
    at: float
    policy: str | None
    caller: str | None
    kind: str
    domain: str
    tier: int
    model: str
    gates: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    accept: float | None
    accepted: bool
    quality: float | None
    label: float
    source: str
    length: int | None
    cost_usd: float
    reference_cost_usd: float


class _Place(NamedTuple):
    """Where the record of a rated decision lies."""

    at: float
    seq: int
    decision_id: str
    bundle: int
    slot: int


def labelled(
    path: str | Path,
    *,
    since: float = 0.0,
    policy: str | None = None,
    sources: Sequence[str] = SOURCES,
) -> Iterator[Labelled]:
    """The rated answers of a ledger file, which may be in use; the oldest first.

    One example a decision, however often it was rated: the first of `sources` that rated it
    counts, and of that the latest. They are read as they are asked for, some at a time; one that
    cannot be read is left out, and the log says so.

    Args:
        since: Unix time of the oldest decision wanted, in seconds.
        policy: only those of this policy.

    Raises:
        ConfigError: there is no ledger at `path`, or none that this version reads.
    """
    with closing(connect_to_read(str(path))) as connection:

        @lru_cache(_BUNDLES_IN_HAND)
        def bundle(number: int) -> list[msgspec.Raw]:
            row = connection.execute(
                "SELECT codec, records FROM bundles WHERE id = ?", (number,)
            ).fetchone()
            return bundles.readable(number, *row)

        after = (since, -1)
        while page := _page(connection, after, policy):
            for place, opinions in page:
                after = (place.at, place.seq)
                counts = decisive(opinions, sources)
                record = bundles.record(bundle(place.bundle), place.bundle, place.slot)
                answer = answering_attempt(record) if record is not None else None
                if record is None or answer is None or counts is None or record.status != "ok":
                    continue
                yield _example(record, answer, counts)


def _page(
    connection: sqlite3.Connection, after: tuple[float, int], policy: str | None
) -> list[tuple[_Place, list[Feedback]]]:
    """The next rated decisions. Nothing stays open between pages: that would hold up the log."""
    chosen = "" if policy is None else " AND shape IN (SELECT id FROM shapes WHERE policy = ?)"
    with one_moment(connection):
        rows = connection.execute(
            "SELECT at, seq, id, bundle, slot FROM requests WHERE (at, seq) > (?, ?)"  # noqa: S608
            " AND EXISTS (SELECT 1 FROM feedback WHERE request_id = requests.id)"
            f"{chosen} ORDER BY at, seq LIMIT ?",
            (*after, *(() if policy is None else (policy,)), _PAGE),
        ).fetchall()
        places = [_Place._make(row) for row in rows]
        return [(place, feedback_of(connection, place.decision_id)) for place in places]


def _example(record: Record, answer: Attempt, counts: Feedback) -> Labelled:
    decision = record.decision
    tier = tier_of(record, answer)
    # The provider may have answered with another model than was asked and expected.
    asked = tier.model if tier is not None else answer.model
    expected = (c.estimate for c in decision.candidates if c.model == asked)
    estimate = next(expected, None)
    return Labelled(
        decision_id=decision.id,
        at=decision.at,
        policy=decision.policy,
        caller=record.caller,
        kind=decision.profile.kind,
        domain=decision.profile.domain,
        tier=answer.tier,
        model=answer.model,
        gates=tier.gates if tier is not None else (),
        verdicts=answer.verdicts,
        accept=tier.accept if tier is not None else None,
        accepted=answer.outcome == "accepted",
        quality=estimate.quality if estimate is not None else None,
        label=counts.score,
        source=counts.source,
        length=answer.length,
        cost_usd=answer.cost_usd,
        reference_cost_usd=record.reference_cost_usd,
    )
