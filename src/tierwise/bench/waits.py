"""What clients of streams saw, and the figures that are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from tierwise.bench.spread import percentile


class Seen(Struct, frozen=True):
    """One stream as its client saw it, in seconds from the request.

    `first_s` is until the first visible content, `total_s` until the end; comments that keep the
    connection alive are not visible. `tier` is who answered, counted from 0; `fell_short` says that
    a gate would have rejected what it got.
    """

    first_s: float
    total_s: float
    tier: int
    fell_short: bool


class Spread(Struct, frozen=True):
    """Two points of a distribution, in seconds or as a ratio."""

    p50: float
    p95: float


class Wait(Struct, frozen=True, kw_only=True):
    """What clients wait for under one way to treat streams. Seconds; ratios are to `unchecked`.

    `ttft_added_s` is of the differences to `unchecked`, request by request. `escalated` is the
    share of answers that came from the second tier, and `fell_short` of those that a gate would
    have rejected and the client got all the same.
    """

    ttft_s: Spread
    ttft_added_s: Spread
    total_s: Spread
    ttft_ratio: Spread
    total_ratio: Spread
    escalated: float
    fell_short: float


class Writer(Struct, frozen=True):
    """A simulated model: the usual seconds to its first token, and tokens a second after it."""

    model: str
    ttft_s: float
    tokens_per_s: float


class Waits(Struct, frozen=True, kw_only=True):
    """What holding streams back costs. `simulated` is true: the models are made up.

    `requests` were sent under each of `modes`, `concurrency` at a time over all of them.
    `answer_tokens` are those of the small model.
    """

    simulated: bool
    requests: int
    concurrency: int
    tiers: tuple[Writer, ...]
    answer_tokens: Spread
    modes: dict[str, Wait]


def waits(seen: Mapping[str, Mapping[str, Seen]], beside: str) -> dict[str, Wait]:
    """The figures of every way; what is compared is compared with `beside`.

    Args:
        seen: of each way, every request by its id; the same ids for all ways.
    """
    return {mode: _wait(of_mode, seen[beside]) for mode, of_mode in seen.items()}


def _wait(seen: Mapping[str, Seen], beside: Mapping[str, Seen]) -> Wait:
    ttft, total = _waited(seen.values())
    other_ttft, other_total = _waited(beside.values())
    count = len(seen)
    return Wait(
        ttft_s=ttft,
        ttft_added_s=spread([one.first_s - beside[name].first_s for name, one in seen.items()]),
        total_s=total,
        ttft_ratio=_ratio(ttft, other_ttft),
        total_ratio=_ratio(total, other_total),
        escalated=round(sum(one.tier > 0 for one in seen.values()) / count, 3),
        fell_short=round(sum(one.fell_short for one in seen.values()) / count, 3),
    )


def spread(values: Iterable[float]) -> Spread:
    """Median and 95th percentile of at least one value, each a value that occurred."""
    kept = list(values)
    return Spread(round(percentile(kept, 50), 3), round(percentile(kept, 95), 3))


def _waited(seen: Iterable[Seen]) -> tuple[Spread, Spread]:
    all_of_them = list(seen)
    return spread(one.first_s for one in all_of_them), spread(one.total_s for one in all_of_them)


def _ratio(ours: Spread, theirs: Spread) -> Spread:
    return Spread(round(ours.p50 / theirs.p50, 2), round(ours.p95 / theirs.p95, 2))
