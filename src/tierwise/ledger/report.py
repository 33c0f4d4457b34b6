"""What the requests of a period were, cost and saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tierwise.ledger.asides import EMBEDDINGS, PassedGroup
from tierwise.ledger.gate_figures import (
    GateFigures,
    TierFigures,
    by_gate,
    by_judged_tier,
    mean_label,
    not_paying,
)
from tierwise.ledger.rows import Shape
from tierwise.ledger.sums import Calls, Sum
from tierwise.types import CACHE

if TYPE_CHECKING:
    from sqlalchemy import Connection

NONE = "none"
"""The name of the group of requests that have no such label: no policy, no answer."""


class Period(Struct, frozen=True, kw_only=True):
    """Unix times in seconds, both ends included. `since` is None for "from the beginning"."""

    since: float | None
    until: float


class Group(Struct, frozen=True, kw_only=True):
    """Some of the requests. Money in USD.

    `cost_usd` is all that these requests cost, failed and rejected attempts included. `saving` is
    a fraction of the reference cost, None if that is 0. `share` is the fraction of all requests.
    Tokens are those of the answers.
    """

    requests: int
    share: float
    cost_usd: float
    reference_cost_usd: float
    saving_usd: float
    saving: float | None
    input_tokens: int
    output_tokens: int


class DeploymentGroup(Group, frozen=True, kw_only=True):
    """The requests that a deployment answered, and all calls that it got.

    `billed_usd` is what its provider charges: every attempt there, whoever answered in the end.
    `failures` are the attempts that ended in an upstream error.
    """

    attempts: int
    failures: int
    billed_usd: float


class Report(Struct, frozen=True, kw_only=True):
    """The figures of a period. Money in USD, times in seconds, fractions in [0, 1].

    Every `by_...` maps a name to its group, the largest first; the groups of each add up to the
    whole, but for those of gates and judged tiers. Tiers count from 1, fallbacks after them;
    requests without an answer are in the group "none". Requests for embeddings have the tier,
    domain, kind and policy "embeddings", and their reference is what they cost. A `saving` is
    negative where routing cost more than the reference would have. Everything is billed in it:
    rejected drafts, calls that failed, retries, probes.

    `small_share` is the share of the ok answers that a cheaper model than the reference answered,
    None without any. `wasted_usd` is the cost of the attempts whose answer was not used;
    `probes` are calls that only helped gates to judge, and `probe_usd` is what they cost.
    `requests_with_failover` had at least one call that failed, and `failovers` are all such calls;
    `escalations` are requests in which a gate rejected an answer. `errors_by_kind` counts requests,
    `upstream_errors` attempts. The latencies are of ok answers, `ttft` of those that measured it;
    the percentiles are nearest-rank, None without data; of more than 100,000 answers they are read
    from a histogram, and wrong by 2.5 % at most.

    `labelled` answers were rated later, and `mean_label` is their mean score, None without any.
    `gates_that_do_not_pay` names those that cost more than they earned, the worst first.
    `cache_hits` are answers that were given again, and `cache_saved_usd` is what those had cost
    when they were made; of the other figures only the latencies have them.
    `passed` are the calls that were passed through, by `provider/kind`; no other figure has them.
    """

    period: Period
    requests: int
    ok: int
    errors: int
    cancelled: int
    cost_usd: float
    reference_cost_usd: float
    saving_usd: float
    saving: float | None
    small_share: float | None
    by_tier: dict[str, Group]
    by_model: dict[str, Group]
    by_domain: dict[str, Group]
    by_kind: dict[str, Group]
    by_policy: dict[str, Group]
    by_deployment: dict[str, DeploymentGroup]
    requests_with_failover: int
    failovers: int
    escalations: int
    errors_by_kind: dict[str, int]
    upstream_errors: dict[str, int]
    latency_p50_s: float | None
    latency_p90_s: float | None
    latency_p99_s: float | None
    ttft_p50_s: float | None
    ttft_p99_s: float | None
    wasted_usd: float
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    probes: int
    probe_usd: float
    labelled: int
    mean_label: float | None
    by_gate: dict[str, GateFigures]
    judged_by_tier: dict[str, TierFigures]
    gates_that_do_not_pay: list[str]
    cache_hits: int
    cache_saved_usd: float
    passed: dict[str, PassedGroup]


def report(place: str | Path, *, since_s: float | None = None, now: float) -> Report:
    """The figures of a ledger, which may be in use.

    Args:
        place: a file, or the URL of a PostgreSQL database.
        since_s: how far back to look, in seconds; None for everything.
        now: Unix time at which the period ends, in seconds.

    Raises:
        ConfigError: there is no ledger at `place`, or none that this version reads.
    """
    from tierwise.ledger.reading import reading  # SQLAlchemy: a plain server does without

    with reading(place) as connection:
        return summarise(connection, since_s=since_s, now=now)


def summarise(connection: Connection, *, since_s: float | None, now: float) -> Report:
    """The figures of an open ledger; see `report`."""
    from tierwise.ledger.aside_figures import read_embedding_sums, read_passed
    from tierwise.ledger.figures import read_calls, read_labels, read_percentiles, read_sums
    from tierwise.ledger.rolled import read_marks

    known = read_marks(connection)
    since = None if since_s is None else now - since_s
    span = (float("-inf") if since is None else since, now)
    given = read_sums(connection, span, known)
    again = [s for s in given if s.shape.deployment == CACHE]
    answers = [s for s in given if s.shape.deployment != CACHE]
    sums = answers + read_embedding_sums(connection, span, known)
    calls = read_calls(connection, span, known)
    labels = read_labels(connection, span)
    gates = by_gate(answers, calls, labels)
    ok = [s for s in answers if s.shape.status == "ok"]
    ok_answers = _count(ok)
    whole = _group(sums, 0)
    all_ok = ok_answers + _count(again)
    latency = read_percentiles(connection, span, known, "latency", (0.5, 0.9, 0.99), all_ok)
    ttft = read_percentiles(connection, span, known, "ttft", (0.5, 0.99), all_ok)
    return Report(
        period=Period(since=since, until=now),
        requests=whole.requests,
        ok=_count(s for s in sums if s.shape.status == "ok"),
        errors=_count(s for s in sums if s.shape.status == "error"),
        cancelled=_count(s for s in sums if s.shape.status == "cancelled"),
        cost_usd=whole.cost_usd,
        reference_cost_usd=whole.reference_cost_usd,
        saving_usd=whole.saving_usd,
        saving=whole.saving,
        small_share=_count(s for s in ok if s.shape.small) / ok_answers if ok_answers else None,
        by_tier=_grouped(sums, _tier),
        by_model=_grouped(sums, lambda shape: shape.model),
        by_domain=_grouped(sums, lambda shape: shape.domain),
        by_kind=_grouped(sums, lambda shape: shape.kind),
        by_policy=_grouped(sums, lambda shape: shape.policy),
        by_deployment=_by_deployment(sums, calls),
        requests_with_failover=_count(s for s in sums if s.shape.failovers),
        failovers=sum(s.requests * s.shape.failovers for s in sums),
        escalations=_count(s for s in sums if s.shape.escalated),
        errors_by_kind=_counts(
            (s.shape.error, s.requests) for s in sums if s.shape.status == "error"
        ),
        upstream_errors=_counts((c.outcome, c.attempts) for c in calls if c.failed),
        latency_p50_s=latency[0],
        latency_p90_s=latency[1],
        latency_p99_s=latency[2],
        ttft_p50_s=ttft[0],
        ttft_p99_s=ttft[1],
        wasted_usd=math.fsum(s.wasted_usd for s in sums),
        input_tokens=whole.input_tokens,
        output_tokens=whole.output_tokens,
        cached_input_tokens=sum(s.cached_input_tokens for s in sums),
        cache_write_tokens=sum(s.cache_write_tokens for s in sums),
        probes=sum(c.attempts for c in calls if c.is_probe),
        probe_usd=math.fsum(c.cost_usd for c in calls if c.is_probe),
        labelled=sum(label.answers for label in labels),
        mean_label=mean_label(labels),
        by_gate=gates,
        judged_by_tier=by_judged_tier(answers, calls, labels),
        gates_that_do_not_pay=not_paying(gates),
        cache_hits=_count(again),
        cache_saved_usd=math.fsum(s.reference_cost_usd for s in again),
        passed=read_passed(connection, span, known),
    )


def _grouped(sums: Sequence[Sum], name: Callable[[Shape], str]) -> dict[str, Group]:
    total = _count(sums)
    return {label: _group(members, total) for label, members in _members(sums, name).items()}


def _tier(shape: Shape) -> str:
    if shape.kind == EMBEDDINGS:
        return EMBEDDINGS
    return NONE if shape.tier < 0 else str(shape.tier)


def _by_deployment(sums: Sequence[Sum], calls: Sequence[Calls]) -> dict[str, DeploymentGroup]:
    total = _count(sums)
    members = _members(sums, lambda shape: shape.deployment)
    for call in calls:  # a deployment that was called and never answered
        members.setdefault(call.deployment, [])
    groups: dict[str, DeploymentGroup] = {}
    for label, answered in members.items():
        group = _group(answered, total)
        plain = [s for s in answered if s.shape.plain]
        here = [c for c in calls if c.deployment == label]
        groups[label] = DeploymentGroup(
            **{field: getattr(group, field) for field in Group.__struct_fields__},
            attempts=_count(plain) + sum(c.attempts for c in here),
            failures=sum(c.attempts for c in here if c.failed),
            billed_usd=math.fsum([*(s.cost_usd for s in plain), *(c.cost_usd for c in here)]),
        )
    return groups


def _members(sums: Sequence[Sum], name: Callable[[Shape], str]) -> dict[str, list[Sum]]:
    members: dict[str, list[Sum]] = {}
    for item in sums:
        members.setdefault(name(item.shape) or NONE, []).append(item)
    return dict(sorted(members.items(), key=lambda pair: (-_count(pair[1]), pair[0])))


def _group(sums: Sequence[Sum], total: int) -> Group:
    requests = _count(sums)
    cost = math.fsum(s.cost_usd for s in sums)
    reference = math.fsum(s.reference_cost_usd for s in sums)
    return Group(
        requests=requests,
        share=requests / total if total else 0.0,
        cost_usd=cost,
        reference_cost_usd=reference,
        saving_usd=reference - cost,
        saving=(reference - cost) / reference if reference else None,
        input_tokens=sum(s.input_tokens for s in sums),
        output_tokens=sum(s.output_tokens for s in sums),
    )


def _count(sums: Iterable[Sum]) -> int:
    return sum(s.requests for s in sums)


def _counts(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, count in pairs:
        counts[name] = counts.get(name, 0) + count
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
