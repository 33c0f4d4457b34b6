"""In which order the paths of a request are tried.

A tier's model is asked at its deployments, the one with most room first. If none of them answers,
whoever is best for this task takes its place: those that the policy lists in any case, then by
what the decision expected of each, as long as time and money suffice. Deployments that are
resting after failures come last: better a long shot than none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence

from msgspec import Struct

from tierwise.errors import AllPathsFailed, ContextTooLong, RateLimited, TierwiseError
from tierwise.execution.run import Run
from tierwise.state.health import Health
from tierwise.types import Candidate, Decision, Deployment, Tier


class Step(Struct, frozen=True):
    """One step of the walk along a plan. `number` counts tiers from 1; fallbacks come after.

    `gated` says that its answer is checked: the last tier has nobody to escalate to. `following` is
    the model that is asked if the answer is rejected, None where nobody is or that is not known.
    """

    tier: Tier
    number: int
    gated: bool
    following: str | None = None


def in_order(
    run: Run,
    health: Health,
    queued: Callable[[Sequence[Deployment]], bool],
    done: set[str],
    answered: Collection[str],
) -> Iterator[tuple[Step, Deployment | None]]:
    """The paths to try, one after the other; no deployment where all are full, and who asks may
    wait for a place or go on.

    Args:
        queued: whether others wait for a place at these deployments, who come first.
        done: models that need no further try; the caller adds to it while it iterates.
        answered: those of them that gave an answer; all others may have somebody stand in.

    Once there is a draft, resting deployments are left in peace. So is one that has failed in
    this very run: it rests because of that.
    """
    tokens = run.expected_tokens
    for step in _chosen(run, answered):
        model = step.tier.model
        health.wanted(model, tokens)
        places = run.paths.get(model, ())
        ready = health.order(places, tokens)
        if queued(places) if ready else health.is_full(places, tokens):
            failed = len(run.failures)
            yield step, None
            if len(run.failures) == failed:
                continue  # it has answered, or was not worth the wait
            ready = health.order(places, tokens)
        for deployment in ready:
            if model in done:
                break
            if run.failed_at(deployment):
                continue
            # After a failure some time has passed since they were put in order.
            if not run.failures or (
                health.admits(deployment, tokens) and health.may_fail_over(deployment)
            ):
                yield step, deployment
    known = {candidate.model: candidate for candidate in run.decision.candidates}
    for step in by_plan(run.decision):
        model = step.tier.model
        for deployment in health.last_resorts(run.paths.get(model, ()), tokens):
            if run.has_draft:
                return
            if model in done:
                break
            if run.failed_at(deployment) or not _affordable(run, known.get(model)):
                continue
            if not run.failures or health.may_fail_over(deployment):
                yield step, deployment


def by_plan(decision: Decision) -> Iterator[Step]:
    """Tiers in order, then fallbacks."""
    tiers = decision.plan.tiers
    for number, tier in enumerate(tiers, start=1):
        yield _step(tier, number, tiers[number:])
    for number, model in enumerate(decision.plan.fallbacks, start=len(tiers) + 1):
        yield Step(Tier(model=model), number, False)


def _step(tier: Tier, number: int, behind: Sequence[Tier]) -> Step:
    """The step of a tier, or of who stands in for it, with these tiers behind it."""
    if not behind:
        return Step(tier, number, False)
    return Step(tier, number, bool(tier.gates), behind[0].model)


def _chosen(run: Run, answered: Collection[str]) -> Iterator[Step]:
    """Tiers, with somebody in the place of each that does not answer; or whom the answers so far
    call for, and nobody once one of them is good enough."""
    course = run.course
    if course is None:
        plan = run.decision.plan
        if len(plan.tiers) == 1 and not plan.fallbacks:
            yield Step(plan.tiers[0], 1, False)  # as most who name a model have it
        else:
            yield from _tiers(run, answered)
        return
    asked = 0
    for tier, judged in course.tiers():
        behind = run.decision.plan.tiers[asked + 1 :]
        asked += 1
        yield Step(tier, asked, judged, behind[0].model if behind else None)
    if not course.settled:
        for number, model in enumerate(run.decision.plan.fallbacks, start=asked + 1):
            yield Step(Tier(model=model), number, False)


def _tiers(run: Run, answered: Collection[str]) -> Iterator[Step]:
    plan = run.decision.plan
    tiers, tried = plan.tiers, set[str]()
    place = 0
    while place < len(tiers):
        tier, number = tiers[place], place + 1
        if tier.model in tried:
            place += 1
            continue
        while tier.model not in tried:
            tried.add(tier.model)
            yield _step(tier, number, tiers[place + 1 :])
            if tier.model in answered:
                break
            name = stand_in(run, tried)
            if name is None:
                return
            if name in plan.fallbacks:
                expected = _expected(run.decision, name) if tier.expected is not None else None
                tier = Tier(model=name, gates=tier.gates, accept=tier.accept, expected=expected)
                number = len(tiers) + 1 + plan.fallbacks.index(name)
            else:
                place = next(at for at, one in enumerate(tiers) if one.model == name)
                tier, number = tiers[place], place + 1
        place += 1


def stand_in(run: Run, tried: Collection[str]) -> str | None:
    """The model that is asked next if one of a plan does not answer; None if nobody is left.

    Those that the policy lists come first, in its order. Of the others, who is worth most on this
    task among those that are expected to answer before the deadline; what the request has cost so
    far and what it may cost leave out whoever is too dear.
    """
    plan = run.decision.plan
    names = [*plan.fallbacks, *(tier.model for tier in plan.tiers)]
    known = {candidate.model: candidate for candidate in run.decision.candidates}
    left = [name for name in names if name not in tried and _affordable(run, known.get(name))]
    listed = [name for name in plan.fallbacks[: plan.listed] if name in left]
    if listed:
        return listed[0]
    time = run.task.deadline - run.clock()
    return max(left, key=lambda name: _rank(known.get(name), plan.target, time), default=None)


def at_stake(run: Run, step: Step) -> float:
    """What the answer loses, in quality, if this model is passed over: to who would stand in for
    it, or to the best draft that there is. Infinite where there is neither."""
    if run.course is not None and step.gated:
        return run.course.at_stake
    known = {candidate.model: candidate for candidate in run.decision.candidates}
    otherwise = [one.p for one in run.attempts if one.outcome == "rejected" and one.p is not None]
    other = stand_in(run, {step.tier.model, *(one.model for one in run.attempts)})
    if other is not None:
        otherwise.append(_worth(known.get(other)))
    return _worth(known.get(step.tier.model)) - max(otherwise, default=-math.inf)


def _worth(candidate: Candidate | None) -> float:
    """What is expected of a model's answer, less what its use costs others."""
    if candidate is None or candidate.estimate is None:
        return 0.0
    if candidate.value is not None:
        return candidate.value
    return candidate.estimate.quality - candidate.scarcity


def _rank(candidate: Candidate | None, target: float, time: float) -> tuple[float, ...]:
    """Higher is better: in time, then of most value; by rules the cheapest of those that reach the
    target, else the best."""
    estimate = candidate.estimate if candidate is not None else None
    if candidate is None or estimate is None:
        return (0.0, 0.0, 0.0)
    in_time = float(estimate.latency_s <= time)
    if candidate.value is not None:
        return (in_time, candidate.value, 0.0)
    able = estimate.quality >= target
    return (in_time, float(able), -estimate.cost_usd if able else estimate.quality)


def _affordable(run: Run, candidate: Candidate | None) -> bool:
    """Whether the request's ceiling leaves room for one more call, as expected."""
    most = run.decision.plan.max_cost_usd
    if most is None or not run.cost_usd or candidate is None or candidate.estimate is None:
        return True
    return run.cost_usd + candidate.estimate.cost_usd <= most


def _expected(decision: Decision, model: str) -> float | None:
    """The quality that was predicted of a model."""
    for candidate in decision.candidates:
        if candidate.model == model and candidate.estimate is not None:
            return candidate.estimate.quality
    return None


def all_failed(run: Run, health: Health) -> TierwiseError:
    """The error for a client whom nobody could answer, with the reason of each path."""
    errors = [error for _, error in run.failures]
    if errors and all(isinstance(error, ContextTooLong) for error in errors):
        return errors[-1]
    everyone = everywhere(run)
    tried = {deployment.id for deployment, _ in run.failures}
    untried = [deployment for deployment in everyone if deployment.id not in tried]
    lines = list(run.reasons())
    lines += [f"{deployment.id}: {health.why_out(deployment)}" for deployment in untried]
    limited = all(isinstance(error, RateLimited) for error in errors) and all(
        health.rate_limited(d) for d in untried
    )
    return AllPathsFailed(
        lines or ["no deployment is permitted for it"],
        retry_after=health.next_return_s(everyone),
        rate_limited=limited and bool(lines),
    )


def everywhere(run: Run) -> list[Deployment]:
    """Every place that a request may go to."""
    steps = by_plan(run.decision)
    return [d for step in steps for d in run.paths.get(step.tier.model, ())]
