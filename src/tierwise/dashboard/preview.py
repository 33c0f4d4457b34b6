"""What the requests of last week would have cost under another policy: an estimate.

The newest requests of the policy are decided again: the router is told what was expected of each
model then, so that it needs neither prompts nor models, and decides by the policy as edited. What
an answer costs is its billed tokens at the prices of the model; of a plan with several tiers each
one is asked as often as gates are expected to catch a mistake of those before it: they are taken to
catch the share of expected mistakes that they rejected in the recorded requests. The same is done
for the plan that was recorded, so that both are wrong in the same way, and the bill that was really
paid is scaled by their ratio.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from tierwise.catalog import cost
from tierwise.config import Setup
from tierwise.errors import TierwiseError
from tierwise.routing import Predictor, Router
from tierwise.routing.cascade import Cascade
from tierwise.routing.exchange import Exchange
from tierwise.routing.predict import Latency
from tierwise.types import CACHE, Decision, Estimate, Model, Policy, Profile, Record, Task, Usage

MOST = 1000
"""So many of the newest requests are decided again."""
PATIENCE_S = 4.0
"""After so long those that are left are left out."""
_ENOUGH = 1.0
"""So many expected mistakes tell how many of them gates catch."""
_Z = 1.959963984540054


class Preview(Struct, frozen=True, kw_only=True):
    """What came of it. Money in USD, for all `requests` of the week.

    `decided` were decided again, and `changed` of them would have begun elsewhere or be planned
    otherwise; `refused` no model would have been permitted for. `low` and `high` bound `would_usd`
    as far as it depends on which requests were decided (95 %). `caught` is the share of mistakes
    that gates are taken to catch.
    """

    requests: int
    decided: int
    changed: int
    refused: int
    paid_usd: float
    would_usd: float
    low_usd: float
    high_usd: float
    quality_then: float | None
    quality_now: float | None
    caught: float
    moved: tuple[tuple[str, str, int], ...]


class Remembered:
    """A predictor that says what was expected then, and what is expected now of any other model."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.name = predictor.name
        self.known: Mapping[str, Estimate] = {}

    @property
    def exchange(self) -> Exchange | None:
        """As the predictor's."""
        return self._predictor.exchange

    @property
    def cascade(self) -> Cascade | None:
        """As the predictor's."""
        return self._predictor.cascade

    def estimates(
        self,
        profile: Profile,
        reading: object,  # noqa: ARG002 - there is none any more
        models: Iterable[Model],
        latency: Mapping[str, Latency],
    ) -> dict[str, Estimate]:
        """See `Predictor`."""
        wanted = list(models)
        others = [model for model in wanted if model.id not in self.known]
        new = self._predictor.estimates(profile, None, others, latency) if others else {}
        return {m.id: self.known.get(m.id) or new[m.id] for m in wanted}


class _Reading:
    """Stands where the numbers of a prompt stood, which nothing of this looks at."""


def preview(
    policy: Policy, setup: Setup, predictor: Predictor, records: Sequence[Record], requests: int
) -> Preview:
    """The estimate for a policy.

    Args:
        policy: as edited; by its name the recorded requests were asked, or those of its original.
        records: the newest that were answered by a model under the policy.
        requests: how many there were in the week.
    """
    remembered = Remembered(predictor)
    policies = {**setup.policies, policy.name: policy}
    router = Router(setup.models, setup.deployments, policies, remembered)
    pairs: list[tuple[float, float, float]] = []
    qualities: list[tuple[float, float]] = []
    moved: dict[tuple[str, str], int] = {}
    changed = refused = 0
    caught = _caught(records)
    until = time.monotonic() + PATIENCE_S
    for record in records:
        if time.monotonic() > until:
            break
        known = {c.model: c.estimate for c in record.decision.candidates if c.estimate is not None}
        if record.status != "ok" or record.deployment == CACHE or not known:
            continue
        remembered.known = known
        try:
            decision = _again(router, policy.name, record)
        except TierwiseError:
            refused += 1
            continue
        then = _expected(record.decision, record.usage, setup.models, known, caught)
        now = _expected(decision, record.usage, setup.models, _estimates(decision), caught)
        if then is None or now is None:
            continue
        pairs.append((record.cost_usd, then[0], now[0]))
        qualities.append((then[1], now[1]))
        old, new = record.decision.plan.tiers, decision.plan.tiers
        if [t.model for t in old] != [t.model for t in new]:
            changed += 1
            step = (old[0].model, new[0].model)
            moved[step] = moved.get(step, 0) + 1
    return _summed(pairs, qualities, moved, requests, changed, refused, caught)


def _again(router: Router, name: str, record: Record) -> Decision:
    before = record.decision
    needs = before.profile.requires
    task = Task(
        body=b"",
        model=name,
        policy=name,
        messages=[],
        stream=record.stream,
        tools="tools" in needs,
        json_mode="json_mode" in needs,
        choices=before.profile.choices,
    )
    return router.decide(
        task,
        before.profile,
        decision_id=before.id,
        now=before.at,
        latency={},
        reading=_Reading(),  # type: ignore[arg-type]
    )


def _estimates(decision: Decision) -> dict[str, Estimate]:
    return {c.model: c.estimate for c in decision.candidates if c.estimate is not None}


def _caught(records: Sequence[Record]) -> float:
    """The share of expected mistakes that gates rejected, of first tiers that have another behind
    them; a half where too few mistakes were expected to tell."""
    rejected, expected = 0, 0.0
    for record in records:
        tiers = record.decision.plan.tiers
        if len(tiers) < 2 or not tiers[0].gates or not record.attempts:
            continue
        known = _estimates(record.decision).get(tiers[0].model)
        if known is not None:
            expected += 1.0 - known.quality
            rejected += record.attempts[0].outcome in ("rejected", "abandoned")
    return min(1.0, rejected / expected) if expected >= _ENOUGH else 0.5


def _expected(
    decision: Decision,
    usage: Usage,
    models: Mapping[str, Model],
    known: Mapping[str, Estimate],
    caught: float,
) -> tuple[float, float] | None:
    """What a plan costs on an answer of so many tokens, and how good its answer is."""
    total, quality, reached = 0.0, 0.0, 1.0
    billed = msgspec.structs.replace(usage, cost_usd=None)
    for tier in decision.plan.tiers:
        model, estimate = models.get(tier.model), known.get(tier.model)
        if model is None or estimate is None:
            return None
        total += reached * cost(billed, model.prices)
        quality += reached * estimate.quality
        reached *= caught * (1.0 - estimate.quality) if tier.gates else 0.0
    return total, min(1.0, quality)


def _summed(
    pairs: Sequence[tuple[float, float, float]],
    qualities: Sequence[tuple[float, float]],
    moved: Mapping[tuple[str, str], int],
    requests: int,
    changed: int,
    refused: int,
    caught: float,
) -> Preview:
    count = len(pairs)
    paid, then, now = (sum(pair[n] for pair in pairs) for n in range(3))
    scale = requests / count if count else 0.0
    ratio = now / then if then else 1.0
    # The ratio of two sums, by the delta method: only which requests came is left to chance.
    spread = sum((pair[2] - ratio * pair[1]) ** 2 for pair in pairs)
    half = _Z * math.sqrt(spread) / then if then else 0.0
    would = paid * ratio * scale
    steps = sorted(moved.items(), key=lambda item: -item[1])
    return Preview(
        requests=requests,
        decided=count,
        changed=changed,
        refused=refused,
        paid_usd=paid * scale,
        would_usd=would,
        low_usd=max(0.0, paid * scale * (ratio - half)),
        high_usd=paid * scale * (ratio + half),
        quality_then=sum(q[0] for q in qualities) / count if count else None,
        quality_now=sum(q[1] for q in qualities) / count if count else None,
        caught=caught,
        moved=tuple((old, new, n) for (old, new), n in steps[:6]),
    )
