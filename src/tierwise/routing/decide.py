"""Task and profile -> Decision: filter, estimate, plan, and say why."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from tierwise.errors import UnknownModel, Unsatisfiable
from tierwise.routing import exclude
from tierwise.routing.plan import make_plan
from tierwise.routing.predict import Latency, Predictor
from tierwise.routing.weigh import weigh
from tierwise.types import (
    Candidate,
    Decision,
    Deployment,
    Estimate,
    Held,
    Model,
    Plan,
    Policy,
    Profile,
    Streams,
    Task,
    Tier,
)

if TYPE_CHECKING:
    from tierwise.analysis.reading import Reading


class Router:
    """Chooses plans. Holds what is configured; everything that changes is passed in."""

    def __init__(
        self,
        models: Mapping[str, Model],
        deployments: Mapping[str, Sequence[Deployment]],
        policies: Mapping[str, Policy],
        predictor: Predictor,
    ) -> None:
        self._models = models
        self._deployments = deployments
        self._policies = policies
        self._predictor = predictor
        self._best = max(models.values(), key=lambda m: (m.quality, m.prices.output)).id
        # What callers who name a model are compared with: the yardstick of everybody else.
        self._reference = policies["auto"].reference or self._best

    def explicit(self, task: Task) -> bool:
        """Whether the caller names a model and no ceiling, so that there is nothing to weigh."""
        return self._names_model(task) and task.max_cost_usd is None

    def decide(
        self,
        task: Task,
        profile: Profile,
        *,
        decision_id: str,
        now: float,
        latency: Mapping[str, Latency],
        reading: Reading | None = None,
        foreign: bool = False,
        held: Held | None = None,
    ) -> Decision:
        """The plan for a task and everything it was chosen from.

        Args:
            now: Unix time, in seconds, that the decision is stamped with.
            latency: what was observed of each deployment, by deployment id.
            reading: the task as numbers, where the predictor has learned to read them.
            foreign: whether the traffic of late is unlike what the predictor has learned from.
            held: the model whose provider holds this conversation in its cache.

        Raises:
            UnknownModel: the requested name is neither model nor policy.
            Unsatisfiable: no configured model can do what is asked.
        """
        if self._names_model(task):
            return self._explicit(task, profile, decision_id, now)
        policy = self._policy_for(task)
        if task.quality is not None or task.max_cost_usd is not None:
            policy = msgspec.structs.replace(
                policy,
                quality=policy.quality if task.quality is None else task.quality,
                max_cost_usd=(
                    policy.max_cost_usd if task.max_cost_usd is None else task.max_cost_usd
                ),
            )
        estimates, excluded = self._candidates(policy, profile, latency, reading)
        if not estimates:
            raise _unsatisfiable(policy, excluded)
        estimates = self._with_cache(estimates, profile, held)
        reference = policy.reference or self._best
        expected = estimates.get(reference) or self._one(profile, reading, reference)
        weighed = terms = None
        exchange = self._predictor.exchange
        if exchange is not None and reading is not None and not policy.tiers:
            terms = exchange.terms(tuple(estimates), reference, policy.quality)
            weighed = weigh(estimates, terms, expected.cost_usd, foreign)
        plan, reason = make_plan(
            policy, profile, self._models, estimates, reference, expected.quality, weighed
        )
        if task.stream:
            plan = _for_stream(plan, task.streams or policy.streams, policy.hold_s)
        return Decision(
            id=decision_id,
            at=now,
            requested=task.model,
            policy=policy.name,
            reference=reference,
            profile=profile,
            plan=plan,
            candidates=_listed(plan, estimates, excluded, weighed.values if weighed else {}),
            reason=reason,
            rate=terms.rate.per_usd if terms is not None else None,
            guard=weighed.guard if weighed is not None else "",
        )

    def paths(self, decision: Decision) -> Mapping[str, Sequence[Deployment]]:
        """The deployments that a decision may use, by model."""
        if decision.pinned is not None:
            model = decision.plan.tiers[0].model
            return {model: [d for d in self._deployments[model] if d.id == decision.pinned]}
        policy = self._policies[decision.policy] if decision.policy is not None else None
        if policy is None or not (policy.allow or policy.deny or policy.regions):
            return self._deployments
        return {
            model: exclude.permitted_deployments(policy, group)
            for model, group in self._deployments.items()
        }

    def _names_model(self, task: Task) -> bool:
        return task.policy is None and task.quality is None and task.model not in self._policies

    def _policy_for(self, task: Task) -> Policy:
        """The policy that a task asks for.

        A policy header wins over `model`. A model together with a quality header means "as good
        as this model, in that fraction".
        """
        if task.policy is not None:
            return self._named_policy(task.policy, "x-tierwise-policy")
        policy = self._policies.get(task.model)
        if policy is not None:
            return policy
        model, _ = self.model_named(task.model)
        return msgspec.structs.replace(self._policies["auto"], reference=model)

    def _explicit(self, task: Task, profile: Profile, decision_id: str, now: float) -> Decision:
        """The caller named a model: it gets that model, from whoever serves it, or an error."""
        model, pinned = self.model_named(task.model)
        if task.max_cost_usd is not None:
            estimate = self._one(profile, None, model)
            if estimate.cost_p90_usd > task.max_cost_usd:
                raise Unsatisfiable(
                    f"{model} may cost {estimate.cost_p90_usd:.6f} USD for this request, over "
                    f"x-tierwise-max-cost-usd: {task.max_cost_usd:g}. Raise the ceiling, or let a "
                    'policy choose with model "auto".',
                    param="x-tierwise-max-cost-usd",
                    code="over_max_cost",
                )
        return Decision(
            id=decision_id,
            at=now,
            requested=task.model,
            policy=None,
            reference=self._reference,
            profile=profile,
            plan=Plan(tiers=(Tier(model=model),)),
            candidates=(),
            reason="named by the caller",
            pinned=pinned,
        )

    def _candidates(
        self,
        policy: Policy,
        profile: Profile,
        latency: Mapping[str, Latency],
        reading: Reading | None,
    ) -> tuple[dict[str, Estimate], dict[str, str]]:
        """The estimate of every model that may be asked, and why the others may not."""
        able: list[Model] = []
        excluded: dict[str, str] = {}
        for name, model in self._models.items():
            why = exclude.by_policy(
                policy, model, self._deployments[name]
            ) or exclude.by_capability(profile, model)
            if why is None:
                able.append(model)
            else:
                excluded[name] = why
        seen = {m.id: latency[d] for m in able if (d := self._deployments[m.id][0].id) in latency}
        estimates = self._predictor.estimates(profile, reading, able, seen)
        for name, estimate in list(estimates.items()):
            why = exclude.by_ceiling(policy, estimate)
            if why is not None:
                excluded[name] = why
                del estimates[name]
        return estimates, excluded

    def _one(self, profile: Profile, reading: Reading | None, model: str) -> Estimate:
        return self._predictor.estimates(profile, reading, [self._models[model]], {})[model]

    def _with_cache(
        self, estimates: dict[str, Estimate], profile: Profile, held: Held | None
    ) -> dict[str, Estimate]:
        """Staying with a model costs less: its provider has read the conversation before."""
        if held is None or held.model not in estimates:
            return estimates
        prices = self._models[held.model].prices
        if prices.cached_input is None:
            return estimates
        tokens = min(held.tokens, profile.input_tokens)
        saved = tokens * (prices.input - prices.cached_input) * 1e-6
        estimate = estimates[held.model]
        cheaper = msgspec.structs.replace(estimate, cost_usd=max(0.0, estimate.cost_usd - saved))
        return {**estimates, held.model: cheaper}

    def _named_policy(self, name: str, param: str) -> Policy:
        policy = self._policies.get(name)
        if policy is None:
            raise UnknownModel(
                f"{param} names no policy: {name!r}. Use one of: "
                f"{', '.join(sorted(self._policies))}.",
                param=param,
                code="policy_not_found",
            )
        return policy

    def model_named(self, name: str) -> tuple[str, str | None]:
        """The model that a name stands for and, where it names one, the deployment's id.

        That is a catalogue model, or `provider/model` (by our name of the model or the provider's).

        Raises:
            UnknownModel: it is neither.
        """
        if name in self._models:
            return name, None
        provider, slash, rest = name.partition("/")
        if slash:
            for group in self._deployments.values():
                for deployment in group:
                    if deployment.provider == provider and rest in (
                        deployment.model,
                        deployment.upstream_model,
                    ):
                        return deployment.model, deployment.id
        places = (d.id for group in self._deployments.values() for d in group) if slash else ()
        known = [*self._policies, *self._models, *places]
        near = difflib.get_close_matches(name, known, n=3) or sorted(self._policies)
        raise UnknownModel(
            f"`model` {name!r} is neither a configured model nor a policy. Did you mean "
            f"{' or '.join(near)}? GET /v1/models lists all.",
            param="model",
        )


def _for_stream(plan: Plan, streams: Streams, hold_s: float) -> Plan:
    """The plan for a stream. If nobody may hold it back, its first tier answers."""
    if streams == "unchecked":
        behind = tuple(tier.model for tier in plan.tiers[1:])
        return Plan(tiers=plan.tiers[:1], fallbacks=behind + plan.fallbacks, streams=streams)
    return msgspec.structs.replace(plan, streams=streams, hold_s=hold_s)


def _listed(
    plan: Plan,
    estimates: Mapping[str, Estimate],
    excluded: Mapping[str, str],
    values: Mapping[str, float],
) -> tuple[Candidate, ...]:
    """Every candidate with its part in the plan."""
    tiers = {tier.model: index for index, tier in enumerate(plan.tiers)}
    listed: list[Candidate] = []
    for name, estimate in estimates.items():
        role: Literal["tier", "fallback"] = "tier" if name in tiers else "fallback"
        why = (
            f"tier {tiers[name] + 1}"
            if name in tiers
            else f"stands in as {plan.fallbacks.index(name) + 1}"
        )
        listed.append(
            Candidate(model=name, role=role, why=why, estimate=estimate, value=values.get(name))
        )
    listed.extend(Candidate(model=n, role="excluded", why=why) for n, why in excluded.items())
    return tuple(listed)


def _unsatisfiable(policy: Policy, excluded: Mapping[str, str]) -> Unsatisfiable:
    reasons = "; ".join(f"{name}: {why}" for name, why in sorted(excluded.items()))
    return Unsatisfiable(
        f"No model that policy {policy.name!r} may use can serve this request ({reasons}). "
        "Change the request, the policy or the ceiling.",
        param="model",
    )
