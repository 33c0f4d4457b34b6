"""In which order the paths of a request are tried.

First the deployments of each tier's model, then those of the fallback models, then deployments
that are resting after failures: better a long shot than none.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from tierwise.errors import AllPathsFailed, ContextTooLong, RateLimited, TierwiseError
from tierwise.execution.run import Run
from tierwise.state.health import Health
from tierwise.types import Decision, Deployment, Tier


class Step(Struct, frozen=True):
    """One step of the walk along a plan. `number` counts tiers from 1; fallbacks come after.

    `gated` says that its answer is checked: the last tier has nobody to escalate to.
    """

    tier: Tier
    number: int
    gated: bool


def steps(decision: Decision) -> Iterator[Step]:
    """Tiers in order, then fallbacks."""
    tiers = decision.plan.tiers
    for number, tier in enumerate(tiers, start=1):
        yield Step(tier, number, bool(tier.gates) and number < len(tiers))
    for number, model in enumerate(decision.plan.fallbacks, start=len(tiers) + 1):
        yield Step(Tier(model=model), number, False)


def _chosen(run: Run) -> Iterator[Step]:
    """As `steps`, or whom the answers so far call for; nobody once one of them is good enough."""
    course = run.course
    if course is None:
        yield from steps(run.decision)
        return
    asked = 0
    for tier, judged in course.tiers():
        asked += 1
        yield Step(tier, asked, judged)
    if not course.settled:
        for number, model in enumerate(run.decision.plan.fallbacks, start=asked + 1):
            yield Step(Tier(model=model), number, False)


def in_order(run: Run, health: Health, done: set[str]) -> Iterator[tuple[Step, Deployment]]:
    """The paths to try, one after the other.

    Args:
        done: models that need no further try; the caller adds to it while it iterates.

    Once there is a draft, resting deployments are left in peace. So is one that has failed in
    this very run: it rests because of that.
    """
    for step in _chosen(run):
        model = step.tier.model
        for deployment in health.order(run.paths.get(model, ())):
            if model in done:
                break
            yield step, deployment
    for step in steps(run.decision):
        model = step.tier.model
        for deployment in health.last_resorts(run.paths.get(model, ())):
            if run.has_draft:
                return
            if model in done:
                break
            if not run.failed_at(deployment):
                yield step, deployment


def all_failed(run: Run, health: Health) -> TierwiseError:
    """The error for a client whom nobody could answer, with the reason of each path."""
    errors = [error for _, error in run.failures]
    if errors and all(isinstance(error, ContextTooLong) for error in errors):
        return errors[-1]
    everyone = [d for step in steps(run.decision) for d in run.paths.get(step.tier.model, ())]
    tried = {deployment.id for deployment, _ in run.failures}
    untried = [deployment for deployment in everyone if deployment.id not in tried]
    lines = list(run.reasons())
    for deployment in untried:
        state = health.states[deployment.id]
        wait = health.next_return_s([deployment])
        lines.append(f"{deployment.id}: resting for {wait:.0f} s ({state.resting_because})")
    limited = all(isinstance(error, RateLimited) for error in errors) and all(
        health.rate_limited(d) for d in untried
    )
    return AllPathsFailed(
        lines or ["no deployment is permitted for it"],
        retry_after=health.next_return_s(everyone),
        rate_limited=limited and bool(lines),
    )
