"""Answers whose worth is known: what calibration learns from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from tierwise.ledger.feedback import SOURCES, Feedback, decisive
from tierwise.ledger.rows import answering_attempt, tier_of
from tierwise.types import Attempt, Record, Verdict


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


def labelled(
    place: str | Path,
    *,
    since: float = 0.0,
    policy: str | None = None,
    sources: Sequence[str] = SOURCES,
) -> Iterator[Labelled]:
    """The rated answers of a ledger, which may be in use; the oldest first.

    One example a decision, however often it was rated: the first of `sources` that rated it
    counts, and of that the latest. They are read as they are asked for, some at a time; one that
    cannot be read is left out, and the log says so.

    Args:
        place: a file, or the URL of a PostgreSQL database.
        since: Unix time of the oldest decision wanted, in seconds.
        policy: only those of this policy.

    Raises:
        ConfigError: there is no ledger at `place`, or none that this version reads.
    """
    from tierwise.ledger.rated import rated  # SQLAlchemy: a plain server does without

    for record, opinions in rated(place, since=since, policy=policy):
        counts = decisive(opinions, sources)
        answer = answering_attempt(record)
        if answer is None or counts is None or record.status != "ok":
            continue
        yield _example(record, answer, counts)


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
