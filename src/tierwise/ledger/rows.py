"""A record's rows: the few figures and labels that reports add up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from tierwise.types import MOST_TAG_BYTES, Attempt, Owner, Record, Tier

Value = str | int | float | None
Key = tuple[str | int, ...]
"""The labels of a request, in the order of `schema.SHAPE_COLUMNS`."""


class Shape(NamedTuple):
    """A `Key` with names, for reading.

    `small` says that a cheaper model than the reference answered; `plain` that the request has no
    rows in `attempts`; `escalated` that a gate rejected an attempt. `error` is a kind, not a text.
    """

    status: str
    policy: str
    model: str
    deployment: str
    tier: int
    kind: str
    domain: str
    small: int
    plain: int
    escalated: int
    failovers: int
    error: str


class Check(NamedTuple):
    """What its gates said of one answer: which of them it passed, each at the tier's `accept`.

    `quits` are the gates that owe nothing for the attempt, should it have been in vain: those that
    kept the request's answer in the end, from whose saving all its attempts are deducted already,
    and all gates if the client got this very answer. Of a probe, `passed` is empty.
    """

    tier: int
    outcome: str
    passed: dict[str, bool]
    quits: tuple[str, ...] = ()


class AttemptRow(NamedTuple):
    """`values` in the order of `schema.ATTEMPT_COLUMNS`, up to the checks."""

    values: tuple[Value, ...]
    check: str | None


class Rows(NamedTuple):
    """`figures` in the order of `schema.REQUEST_COLUMNS`, up to the shape.

    A `check` is a `Check` as text, None where no gate spoke; the request's is of its answer.
    `owner` is in the order of `schema.OWNER_COLUMNS`, None where nobody had to say who they are.
    """

    key: Key
    figures: tuple[Value, ...]
    check: str | None
    attempts: Sequence[AttemptRow]
    owner: Key | None


def rows_of(record: Record) -> Rows:
    """What the tables say of a record."""
    decision = record.decision
    profile = decision.profile
    usage = record.usage
    cost = record.cost_usd
    attempts = record.attempts
    answer = answering_attempt(record)
    plain = (
        answer is not None
        and len(attempts) == 1
        and answer.outcome == "accepted"
        and answer.cost_usd == cost
    )
    key = (
        record.status,
        decision.policy or "",
        record.model or "",
        record.deployment or "",
        -1 if record.tier is None else record.tier,
        profile.kind,
        profile.domain,
        int(is_small(record, answer)),
        int(plain),
        0 if plain else int(any(a.outcome in ("rejected", "abandoned") for a in attempts)),
        record.failovers,
        "" if record.status != "error" else error_kind(record),
    )
    figures = (
        decision.id,
        decision.at,
        cost,
        record.reference_cost_usd,
        0.0 if plain else sum(a.cost_usd for a in attempts if a is not answer and not is_probe(a)),
        record.latency_s,
        record.ttft_s,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
    )
    check = None if answer is None else _check(record, answer)
    text = None if check is None else _text(check)
    calls = () if plain else _attempt_rows(record, answer, check)
    return Rows(key, figures, text, calls, owner_key(record.owner, record.caller))


@lru_cache(4096)
def owner_key(owner: Owner | None, caller: str | None) -> Key | None:
    """The row of `owners` of a request; a caller who is no more than a name is its own key.

    Tags for which there is no room are left out of it, as they are in the record all the same.
    """
    if owner is None:
        return None if caller is None else (caller, "", "", "", "")
    tags = owner.tags
    while len(said := msgspec.json.encode(tags)) > MOST_TAG_BYTES:
        tags = tags[:-1]
    shown = said.decode() if tags else ""
    return (owner.key or "", owner.user or "", owner.team or "", owner.org or "", shown)


def is_probe(attempt: Attempt) -> bool:
    """Whether it was a call that only helped to judge another's answer."""
    return attempt.outcome == "probe"


def tier_of(record: Record, attempt: Attempt) -> Tier | None:
    """The tier of the plan that an attempt was made for; None for a fallback."""
    plan = record.decision.plan
    tiers = plan.tiers
    if plan.adaptive:
        return next((tier for tier in tiers if tier.model == attempt.model), None)
    return tiers[attempt.tier - 1] if 0 < attempt.tier <= len(tiers) else None


read_check = msgspec.json.Decoder(Check).decode
"""The check that the ledger keeps as this text."""


def answering_attempt(record: Record) -> Attempt | None:
    """The attempt whose answer the client got, be it in part; None if there was no answer.

    It is the last accepted one at the record's deployment. Where none was accepted (a rejected
    draft was all there was, a stream broke, the client left), it is the last one with an answer.
    """
    if record.deployment is None:
        return None
    answered: Attempt | None = None
    for attempt in reversed(record.attempts):
        if attempt.deployment == record.deployment:
            if attempt.outcome == "accepted":
                return attempt
            if answered is None and attempt.usage is not None and not is_probe(attempt):
                answered = attempt
    return answered


def is_small(record: Record, answer: Attempt | None) -> bool:
    """Whether another model than the reference answered, and for less."""
    return (
        answer is not None
        and record.status == "ok"
        and record.model != record.decision.reference
        and record.reference_cost_usd > answer.cost_usd
    )


def error_kind(record: Record) -> str:
    """One word for what went wrong: the error's type, or how the last attempt ended.

    `Record.error` begins with a type's name (`AllPathsFailed: ...`), or with the deployment whose
    stream broke.
    """
    head = (record.error or "").partition(":")[0]
    if head.isidentifier() and head != record.deployment:
        return head
    tries = [attempt for attempt in record.attempts if not is_probe(attempt)]
    return tries[-1].outcome if tries else "other"


def _check(record: Record, attempt: Attempt) -> Check | None:
    """What gates said of an attempt's answer; None if they said nothing."""
    if is_probe(attempt):
        return Check(attempt.tier, attempt.outcome, {})
    if not attempt.verdicts:
        return None
    tier = tier_of(record, attempt)
    accept = tier.accept if tier is not None else Tier(model="").accept
    passed = {verdict.gate: verdict.p >= accept for verdict in attempt.verdicts}
    return Check(attempt.tier, attempt.outcome, passed)


def _text(check: Check) -> str:
    return msgspec.json.encode(check).decode()


def _attempt_rows(
    record: Record, answer: Attempt | None, answered: Check | None
) -> list[AttemptRow]:
    """The rows of a request's attempts; `answered` is the check of its answer."""
    kept = record.status == "ok" and answered is not None and answered.outcome == "accepted"
    keepers = tuple(answered.passed) if answered is not None and kept else ()
    rows: list[AttemptRow] = []
    for index, attempt in enumerate(record.attempts):
        usage = attempt.usage
        values = (
            record.decision.id,
            index,
            record.decision.at,
            attempt.deployment,
            attempt.model,
            attempt.tier,
            attempt.outcome,
            attempt.status,
            attempt.cost_usd,
            0 if usage is None else usage.input_tokens,
            0 if usage is None else usage.output_tokens,
            attempt.latency_s,
            attempt.ttft_s,
            attempt.error,
            attempt.gate or None,
        )
        check = _check(record, attempt)
        if check is not None:
            check = check._replace(quits=tuple(check.passed) if attempt is answer else keepers)
        rows.append(AttemptRow(values, None if check is None else _text(check)))
    return rows
