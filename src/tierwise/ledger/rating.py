"""Taking feedback in: is there such a decision, whose is it, is there room? And giving it out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from tierwise.errors import LedgerFull, NotYourDecision, UnknownDecision
from tierwise.ledger.feedback import Feedback
from tierwise.ledger.ledger import FLUSH_INTERVAL_S, Ledger
from tierwise.types import Record

ELSEWHERE_S = 2.5 * FLUSH_INTERVAL_S
"""How long another process, such as the worker that gave the answer, may take to write it, in
seconds."""


async def rate(ledger: Ledger, feedback: Feedback) -> None:
    """Hands feedback to the ledger's writer. Does not wait until it is written.

    A decision that waits to be written itself is known already. One that is not known may have
    been made by another process that shares the ledger, so it is looked for twice.

    Raises:
        UnknownDecision: there is no such decision.
        DecisionUnreadable: nobody can tell whose it is, as its record is damaged.
        NotYourDecision: it is another caller's. Without a `caller`, that is without keys or in
            the operator's own program, any decision may be rated.
        LedgerFull: too much waits to be written, or the ledger is closed.
    """
    record = await asyncio.to_thread(ledger.get, feedback.decision_id)
    if record is None:
        await asyncio.sleep(ELSEWHERE_S)
        record = await asyncio.to_thread(ledger.get, feedback.decision_id)
    _check(record, feedback)
    if not ledger.rated(feedback):
        raise LedgerFull(
            "The ledger cannot take this feedback just now: too much waits to be written. Send it "
            "again in a minute."
        )


def with_feedback(record: Record, opinions: Sequence[Feedback]) -> bytes:
    """A record as JSON, with what was said of its answer as `feedback`, the oldest first."""
    return msgspec.json.encode({**msgspec.structs.asdict(record), "feedback": opinions})


def unknown_decision(decision_id: object) -> UnknownDecision:
    """The error of a decision that is none, or none of the caller's."""
    return UnknownDecision(
        f"`decision_id` is {decision_id!r}, and there is no such decision. Send the "
        "`x-tierwise-decision-id` of an answer of this gateway, once it has ended.",
        param="decision_id",
    )


def _check(record: Record | None, feedback: Feedback) -> None:
    if record is None:
        raise unknown_decision(feedback.decision_id)
    if feedback.caller is not None and record.caller != feedback.caller:
        raise NotYourDecision(
            f"`decision_id` is {feedback.decision_id!r}, a decision for another key. Rate it with "
            "the key that asked, or as the operator with `tierwise feedback`.",
            param="decision_id",
        )
