"""The ledger's feedback as trials of a policy: what its first tier answered, and what was said.

Feedback rates the answer that a client got. What the reference would have said nobody knows, so it
is taken as always right: whatever was rated bad counts as lost, and the promise errs on the safe
side. What gates rejected, nobody rated either; `_notes` says so where that happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tierwise.certificate import Baseline, Certificate, traffic_of
from tierwise.errors import ConfigError
from tierwise.learning.calibrate import Labelled, predict
from tierwise.learning.certify import Terms, baselines, requests_needed
from tierwise.learning.trials import Trials
from tierwise.ledger import Labelled as Rated
from tierwise.ledger import Ledger, labelled
from tierwise.ledger.rows import tier_of
from tierwise.types import Record, Tier

MOST_JUDGED = 20_000
"""So many of the latest judged answers say what traffic looks like."""


class Question(Struct, frozen=True, kw_only=True):
    """Whose rated answers are wanted: those of `tier` under `policy`, before `reference`.

    `since` is a Unix time in seconds, from which on decisions count.
    """

    ledger: str
    policy: str
    tier: Tier
    reference: str
    since: float = 0.0


def rated_trials(question: Question, terms: Terms) -> Trials:
    """The rated answers of the first tier, each with its gates' verdicts.

    What the router expected is left out: the ledger does not say which router that was.

    Raises:
        ConfigError: there is no ledger, or too few answers in it are rated for these terms.
    """
    rated = labelled(question.ledger, since=question.since, policy=question.policy)
    first = [one for one in rated if one.tier == 1 and one.model == question.tier.model]
    usable = [
        one
        for one in first
        if one.verdicts and set(one.gates) == set(question.tier.gates)
    ]  # fmt: skip
    needed = requests_needed(terms, tiers=1)
    if len(usable) < needed:
        raise _too_few(question, len(first), len(usable), needed, terms)
    return Trials(
        reference=question.reference,
        tiers=(question.tier.model,),
        sources=(f"feedback in {_name(question.ledger)}",),
        traffic=[traffic_of(terms.by, kind=one.kind, caller=one.caller) for one in usable],
        answers=[(_answer(one),) for one in usable],
        costs=np.array([[one.cost_usd] for one in usable], np.float64),
        reference_costs=np.array([one.reference_cost_usd for one in usable], np.float64),
        reference_right=np.ones(len(usable), dtype=np.bool_),
        lengths=_lengths([one.length for one in usable]),
        novelty=np.full(len(usable), np.nan),
        notes=_notes(usable, len(first) - len(usable)),
    )


def with_all_traffic(certificate: Certificate, question: Question) -> Certificate:
    """The certificate with baselines of all answers that were judged, rated or not.

    Those that clients rate are not like the others, and drift is watched for in all of them.

    Raises:
        ConfigError: there is no ledger.
    """
    found = _judged(question)
    if not found:
        return certificate
    answers = [answer for answer, _ in found]
    scores = np.array([predict(answer, certificate.combination) for answer in answers])
    nobody = np.full(len(found), np.nan)
    seen: tuple[Baseline, ...] = baselines(
        answers, scores, _lengths([length for _, length in found]), nobody
    )
    return replace(certificate, baselines=seen)


def _judged(question: Question) -> list[tuple[Labelled, int | None]]:
    """The latest answers of the first tier that were judged, and their lengths in characters."""
    ledger = Ledger(question.ledger)
    found = (
        one
        for record in ledger.recent(None, since=question.since)
        if record.decision.policy == question.policy
        and (one := _first(record, question.tier)) is not None
    )
    return list(islice(found, MOST_JUDGED))


def _first(record: Record, tier: Tier) -> tuple[Labelled, int | None] | None:
    for attempt in record.attempts:
        asked = tier_of(record, attempt)
        if attempt.tier != 1 or attempt.p is None or asked is None or attempt.model != tier.model:
            continue
        if attempt.verdicts and set(asked.gates) == set(tier.gates):
            verdicts = {verdict.gate: verdict.p for verdict in attempt.verdicts}
            return Labelled(verdicts=verdicts, right=0.0), attempt.length
    return None


def _answer(one: Rated) -> Labelled:
    verdicts = {verdict.gate: verdict.p for verdict in one.verdicts}
    return Labelled(verdicts=verdicts, right=one.label)


def _lengths(counted: Sequence[int | None]) -> np.ndarray:
    return np.array([np.nan if one is None else one for one in counted], np.float64)


def _notes(usable: Sequence[Rated], left_out: int) -> tuple[str, ...]:
    notes = ["the reference is taken as always right, so that losses are counted too high"]
    picked = sum(one.accept is not None and one.accept > 0 for one in usable)
    if picked:
        notes.append(
            f"{picked:,} of {len(usable):,} answers had passed a threshold before they were rated; "
            "what it rejected has no label, and the promise is about requests like those that "
            "passed (with `accept: 0` for a while all are rated)"
        )
    if left_out:
        notes.append(f"{left_out:,} rated answers were judged by other gates and left out")
    return tuple(notes)


def _name(ledger: str) -> str:
    """A file's name, or a database's without the password that its URL may hold."""
    return ledger.rpartition("@")[2].partition("?")[0] if "://" in ledger else Path(ledger).name


def _too_few(question: Question, rated: int, usable: int, needed: int, terms: Terms) -> ConfigError:
    others = f" (and {rated - usable:,} that other gates judged)" if rated > usable else ""
    return ConfigError(
        f"the ledger has {usable:,} labelled answers of {question.tier.model} under policy "
        f"{question.policy!r}{others}; {needed:,} are needed for alpha {terms.alpha} with delta "
        f"{terms.delta}",
        field="--ledger",
        remedy="Send more feedback (POST /v1/feedback), or promise less (--alpha, --delta).",
    )
