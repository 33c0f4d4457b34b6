"""Picks thresholds that keep a promise: few answers that are wrong where the reference is right.

Learn then Test (Angelopoulos and others, arXiv 2110.01052) with fixed-sequence testing: thresholds
are tried from the strictest down, each by an exact test on requests that nothing was fitted to,
and the first failure ends it. All that passed hold together, with confidence 1 - delta.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from math import floor

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.certificate import Baseline, Certificate, Combination, Threshold
from tierwise.errors import ConfigError
from tierwise.learning.calibrate import FEWEST, Labelled, fit, predict
from tierwise.learning.trials import REFUSAL, Trials

Vector = NDArray[np.float64]

METHOD = "Learn then Test, fixed sequence; Clopper-Pearson and hypergeometric prediction bound"
NOTHING = 2.0
"""A threshold that no answer reaches."""
FIT_SHARE = 0.4
"""Of all rows, to fit the combination to; the others pick the threshold."""
_GRID = 200
_BINS = 10


class Terms(Struct, frozen=True, kw_only=True):
    """What is to be promised.

    With confidence 1 - `delta` the share of requests with "reference right, ours wrong" is at most
    `alpha`: in the long run, and as counted over the next `horizon` requests. `by` says what the
    trials' classes of traffic are, "dataset", "kind" or "caller", if each that has data enough is
    to have a threshold of its own. `days` is how long the certificate is valid.
    """

    alpha: float = 0.05
    delta: float = 0.1
    horizon: int = 1000
    by: str = ""
    days: int = 90
    seed: int = 0


class Name(Struct, frozen=True, kw_only=True):
    """Whose certificate it is; `learned_kinds` says whether a router told the kinds."""

    policy: str = ""
    policy_hash: str = ""
    artifact_hash: str = ""
    gates: tuple[str, ...] = ()
    learned_kinds: bool = False


def certify(trials: Trials, terms: Terms, today: date, name: Name | None = None) -> Certificate:
    """Fits the combination to one part of the requests and picks thresholds on the other.

    Raises:
        ConfigError: there are too few requests for these terms.
    """
    about = name or Name()
    _sensible(terms)
    rows = len(trials.answers)
    _enough(rows, len(trials.tiers), terms)
    order = np.random.default_rng(terms.seed).permutation(rows)
    cut = round(FIT_SHARE * rows)
    learnt, held = trials.rows(order[:cut]), trials.rows(order[cut:])
    combination = fit([answer for row in learnt.answers for answer in row], terms.seed)
    grid = _grid(scores(learnt, combination))
    found = scores(held, combination)
    return Certificate(
        created=today.isoformat(),
        expires=(today + timedelta(days=terms.days)).isoformat(),
        sources=trials.sources,
        fitted=cut,
        calibrated=rows - cut,
        alpha=terms.alpha,
        delta=terms.delta,
        horizon=terms.horizon,
        method=METHOD,
        policy=about.policy,
        policy_hash=about.policy_hash,
        artifact_hash=about.artifact_hash,
        reference=trials.reference,
        tiers=trials.tiers,
        gates=about.gates,
        by=terms.by,
        learned_kinds=about.learned_kinds,
        thresholds=_thresholds(held, found, grid, terms),
        combination=combination,
        baselines=baselines(
            [row[0] for row in held.answers], found[:, 0], held.lengths, held.novelty
        ),
        notes=trials.notes,
    )


def scores(trials: Trials, combination: Combination) -> Vector:
    """The posterior of every tier's answer, (n, t)."""
    return np.array(
        [[predict(answer, combination) for answer in row] for row in trials.answers], np.float64
    )


def loses_at(score: Vector, wrong: NDArray[np.bool_]) -> Vector:
    """The highest threshold at which each request is answered wrongly, (n,); -inf for never.

    A tier's answer is the one that counts for thresholds above all the scores before it, up to its
    own. A request that is lost at one threshold counts as lost at all lower ones, so that losses
    can only grow as the threshold falls: the tests of several tiers then rest on the same argument
    as those of one, and err on the safe side.
    """
    best = np.full(len(score), -np.inf)
    lost = np.full(len(score), -np.inf)
    for tier in range(score.shape[1]):
        counts = wrong[:, tier] & (score[:, tier] > best)
        lost = np.where(counts, np.maximum(lost, score[:, tier]), lost)
        best = np.maximum(best, score[:, tier])
    return lost


def p_value(wrong: int, rows: int, alpha: float, horizon: int) -> float:
    """How likely so few losses are, were the promise not kept; the larger of two exact tests.

    The first is Clopper and Pearson's (Biometrika 26, 1934): P(X <= wrong) for X binomial of
    `rows` and `alpha`. The second is of what will be counted: that the next `horizon` requests
    hold more than alpha * horizon losses, so at least r of them, while these `rows` held no more
    than `wrong`. All requests being exchangeable, the first `wrong` + r losses, from the highest
    score down, fall on both parts as if drawn without replacement: hypergeometric.
    """
    from scipy.stats import binom, hypergeom

    future = floor(alpha * horizon) + 1
    long_run = float(binom.cdf(wrong, rows, alpha))
    if future > horizon:
        return long_run
    counted = float(hypergeom.cdf(wrong, rows + horizon, rows, wrong + future))
    return max(long_run, counted)


def bound(wrong: int, rows: int, delta: float, horizon: int) -> float:
    """The smallest alpha that these losses prove, with confidence 1 - delta; 1 if none."""
    from scipy.stats import beta, hypergeom

    if wrong >= rows:
        return 1.0
    future = np.arange(1, horizon + 1)
    proved = hypergeom.cdf(wrong, rows + horizon, rows, wrong + future) <= delta
    counted = float(np.argmax(proved)) / horizon if proved.any() else 1.0
    return max(counted, float(beta.ppf(1 - delta, wrong + 1, rows - wrong)))


def rows_needed(alpha: float, delta: float, horizon: int) -> int:
    """How many requests can prove alpha if none of them is lost: with fewer nothing can."""
    low, high = 1, 2
    while p_value(0, high, alpha, horizon) > delta:
        low, high = high, 2 * high
        if high > 10_000_000:
            return high
    while low < high:
        middle = (low + high) // 2
        if p_value(0, middle, alpha, horizon) <= delta:
            high = middle
        else:
            low = middle + 1
    return low


def spent(score: Vector, accept: float, costs: Vector, reference_costs: Vector) -> Vector:
    """USD of each request: tiers are paid until one is accepted, else the reference too, (n,)."""
    going = np.ones(len(score), dtype=bool)
    total = np.zeros(len(score))
    for tier in range(score.shape[1]):
        total += np.where(going, costs[:, tier], 0.0)
        going &= score[:, tier] < accept
    return total + np.where(going, reference_costs, 0.0)


def _thresholds(held: Trials, score: Vector, grid: Vector, terms: Terms) -> tuple[Threshold, ...]:
    """One for all traffic, or one for each class with data enough and one for the rest."""
    everything = np.arange(len(score))
    if not terms.by:
        return (_threshold("", everything, held, score, grid, terms, terms.delta),)
    traffic = np.array(held.traffic)
    names = sorted(set(held.traffic))
    # Each class must be able to pass at its share of delta, so that all promises hold together.
    share = terms.delta / (len(names) + 1)
    least = rows_needed(terms.alpha, share, terms.horizon)
    large = [name for name in names if int((traffic == name).sum()) >= 2 * least]
    share = terms.delta / (len(large) + 1)
    rest = np.flatnonzero(~np.isin(traffic, large))
    found = [_threshold("", rest, held, score, grid, terms, share)]
    for name in large:
        mine = np.flatnonzero(traffic == name)
        found.append(_threshold(name, mine, held, score, grid, terms, share))
    return tuple(found)


def _threshold(
    name: str,
    rows: NDArray[np.intp],
    held: Trials,
    score: Vector,
    grid: Vector,
    terms: Terms,
    delta: float,
) -> Threshold:
    """The cheapest of the thresholds that pass; NOTHING, which loses nothing, if none does."""
    mine, costs, reference = score[rows], held.costs[rows], held.reference_costs[rows]
    lost = loses_at(mine, held.wrong()[rows])
    always = float(reference.sum())
    best, cheapest = NOTHING, always
    for accept in grid:
        wrong = int((lost >= accept).sum())
        if not len(rows) or p_value(wrong, len(rows), terms.alpha, terms.horizon) > delta:
            break
        cost = float(spent(mine, accept, costs, reference).sum())
        if cost <= cheapest:
            best, cheapest = float(accept), cost
    wrong = int((lost >= best).sum())
    return Threshold(
        traffic=name,
        accept=best,
        rows=len(rows),
        wrong=wrong,
        bound=bound(wrong, len(rows), delta, terms.horizon) if best <= 1 else 0.0,
        accepted=float((mine.max(axis=1) >= best).mean()) if len(rows) else 0.0,
        saving=1 - cheapest / always if always > 0 else 0.0,
    )


def _grid(score: Vector) -> Vector:
    """Thresholds to try, strictest first: quantiles of scores that are not tested on."""
    found = np.unique(np.quantile(score, np.linspace(0, 1, _GRID)))
    grid: Vector = found[found > 0][::-1]
    return grid


def baselines(
    first: Sequence[Labelled], score: Vector, lengths: Vector, novelty: Vector
) -> tuple[Baseline, ...]:
    """How the first tier's posteriors, verdicts, lengths, refusals and novelty are distributed.

    Args:
        score: the posteriors of these answers, (n,).
        lengths: their characters, (n,), NaN where unknown.
        novelty: the requests', (n,), NaN where unknown.
    """
    values: dict[str, list[float]] = {"posterior": [float(p) for p in score]}
    for answer in first:
        for gate, p in answer.verdicts.items():
            values.setdefault(f"gate {gate}", []).append(p)
    values["length"] = [float(n) for n in lengths[~np.isnan(lengths)]]
    values["novelty"] = [float(n) for n in novelty[~np.isnan(novelty)]]
    if refusals := values.get(f"gate {REFUSAL}"):
        values["refusal"] = [float(p < 0.5) for p in refusals]
    return tuple(baseline(name, found) for name, found in values.items() if found)


def baseline(name: str, values: Sequence[float]) -> Baseline:
    """These values in ten bins of about equal count, fewer where many are equal."""
    array = np.array(values, np.float64)
    edges = np.unique(np.quantile(array, np.linspace(0, 1, _BINS + 1)[1:-1], method="higher"))
    above = array[array > array.min()]
    if len(above):
        # Nothing lies below the least value; where most are equal, what is more is a bin.
        edges = edges[edges > array.min()]
        edges = edges if len(edges) else np.array([above.min()])
    counts = np.bincount(np.searchsorted(edges, array, side="right"), minlength=len(edges) + 1)
    return Baseline(
        name=name,
        edges=tuple(float(edge) for edge in edges),
        counts=tuple(int(count) for count in counts),
    )


def _sensible(terms: Terms) -> None:
    for field, value in (("--alpha", terms.alpha), ("--delta", terms.delta)):
        if not 0 < value < 1:
            raise ConfigError(
                f"{value} is no share", field=field, remedy="Give one between 0 and 1, as 0.05."
            )
    if terms.by not in ("", "dataset", "kind", "caller"):
        raise ConfigError(
            f"there are no classes by {terms.by!r}",
            field="--by",
            remedy="Write `kind`, `caller` (of the ledger) or `dataset` (of recordings).",
        )
    if terms.alpha * terms.horizon < 1:
        raise ConfigError(
            f"one loss in {terms.horizon} requests would already break {terms.alpha}",
            field="--horizon",
            remedy=f"Promise at least {int(1 / terms.alpha) + 1} requests.",
        )


def requests_needed(terms: Terms, tiers: int) -> int:
    """With fewer nothing can be certified, however good the answers are."""
    least = rows_needed(terms.alpha, terms.delta, terms.horizon)
    return 1 + int(max(least / (1 - FIT_SHARE), FEWEST / (FIT_SHARE * tiers)))


def _enough(rows: int, tiers: int, terms: Terms) -> None:
    total = requests_needed(terms, tiers)
    if rows < total:
        raise ConfigError(
            f"{rows} requests cannot prove alpha {terms.alpha} with delta {terms.delta}, however "
            "good the answers are",
            field="--outcomes",
            remedy=f"At least {total} are needed (twice that for --validate), and several times "
            "as many to save much.",
        )
