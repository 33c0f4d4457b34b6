"""What a caller is told whose request no permitted model can serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tierwise.errors import Unsatisfiable
from tierwise.routing.expressed import DOES_NOT_TAKE, NO_WORD, Unsaid
from tierwise.types import Candidate, Deployment, Estimate, Policy, Task
from tierwise.wire.features import Lack

UNSUPPORTED = "unsupported_parameter"
DROP_HEADER = "x-tierwise-drop-unsupported"
"""The header by which a request lets parameters be left out."""


def within_ceilings(task: Task, model: str, estimate: Estimate) -> None:
    """Raises `Unsatisfiable` where a model that was named would pass a ceiling."""
    most, longest = task.max_cost_usd, task.max_latency_s
    if most is not None and estimate.cost_p90_usd > most:
        raise Unsatisfiable(
            f"{model} may cost {estimate.cost_p90_usd:.6f} USD for this request, over "
            f"x-tierwise-max-cost-usd: {most:g}. Raise the ceiling, or let a "
            'policy choose with model "auto".',
            param="x-tierwise-max-cost-usd",
            code="over_max_cost",
        )
    if longest is not None and estimate.latency_s > longest:
        raise Unsatisfiable(
            f"{model} takes about {estimate.latency_s:.1f} s for this request, over "
            f"x-tierwise-max-latency-s: {longest:g}. Raise the ceiling, or let a "
            'policy choose with model "auto".',
            param="x-tierwise-max-latency-s",
            code="over_max_latency",
        )


def within_words(model: str, group: Sequence[Deployment], unsaid: Unsaid) -> None:
    """Raises `Unsatisfiable` where a model that was named cannot be told all that is asked."""
    why = unsaid.why(group)
    if why is None:
        return
    lacks = [lack for _, lack in unsaid.bars(group)]
    raise Unsatisfiable(
        f"{model} cannot be asked this: {why}. {_remedy(lacks)}, or let a policy choose with "
        'model "auto".',
        param=lacks[0].word,
        code=UNSUPPORTED,
    )


def unsatisfiable(
    policy: Policy, excluded: Mapping[str, Candidate], unsaid: Unsaid | None = None
) -> Unsatisfiable:
    """That nobody may serve a request: the reason of each candidate, and what can be done."""
    reasons = "; ".join(f"{name}: {one.why}" for name, one in sorted(excluded.items()))
    said = f"No model that policy {policy.name!r} may use can serve this request ({reasons}). "
    unasked = (NO_WORD, DOES_NOT_TAKE)
    if unsaid is not None and any(how in one.why for one in excluded.values() for how in unasked):
        lacks = unsaid.needed
        words = f"{said}{_remedy(lacks)}, or change the policy."
        return Unsatisfiable(words, param=lacks[0].word, code=UNSUPPORTED)
    return Unsatisfiable(
        f"{said}Change the request, the policy or the ceiling.",
        param="model",
    )


def _remedy(lacks: Sequence[Lack]) -> str:
    names = ", ".join(str(lack) for lack in lacks)
    if any(lack.is_content for lack in lacks):
        return f"Ask without {names}"
    return f"Leave {names} out, or have it left out with `{DROP_HEADER}: true`"
