"""Task and profile -> Decision: filter, estimate, plan, and say why."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from tierwise.config.certified import Certified
from tierwise.errors import UnknownModel
from tierwise.routing import exclude
from tierwise.routing.asked import with_asked
from tierwise.routing.certified import CertifiedPlan, certified_plan
from tierwise.routing.explain import listed
from tierwise.routing.expressed import NO_LACKS, Tongues, Unsaid
from tierwise.routing.permitted import narrowed, permitted_models
from tierwise.routing.plan import make_plan
from tierwise.routing.predict import Latency, Predictor, PriorPredictor
from tierwise.routing.refuse import unsatisfiable, within_ceilings, within_words
from tierwise.routing.thinking import Unthinking
from tierwise.routing.weigh import NOTHING, weigh
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
    Task,
    Tier,
)

if TYPE_CHECKING:
    from tierwise.analysis.reading import Reading
    from tierwise.routing.exchange import Terms

NOTHING_SAID: Mapping[str, str] = {}
_EVERYDAY_ODDS = math.log(PriorPredictor.EVERYDAY / (1.0 - PriorPredictor.EVERYDAY))


class Router:
    """Chooses plans. Holds what is configured; everything that changes is passed in."""

    def __init__(
        self,
        models: Mapping[str, Model],
        deployments: Mapping[str, Sequence[Deployment]],
        policies: Mapping[str, Policy],
        predictor: Predictor,
        speaks: Mapping[str, str] = NOTHING_SAID,
        lacks: Mapping[str, frozenset[str]] = NO_LACKS,
        embeds: Collection[str] = (),
    ) -> None:
        """See `Tongues` for `speaks` and `lacks`; `embeds` are models that answer nothing."""
        self._models = models
        self._embeds = embeds
        self._deployments = deployments
        self._policies = policies
        self._predictor = predictor
        self._tongues = Tongues(deployments, speaks, lacks)
        self._unthinking = Unthinking(models, deployments, self._tongues.speaks)
        # What a request says for itself changes a policy's targets and ceilings, never its lists.
        self._permitted = {
            name: permitted_models(policy, models, deployments) for name, policy in policies.items()
        }
        self._best = max(models.values(), key=lambda m: (m.quality, m.prices.output)).id
        # What callers who name a model are compared with: the yardstick of everybody else.
        self._reference = policies["auto"].reference or self._best

    @property
    def predictor(self) -> Predictor:
        """What it expects of models by."""
        return self._predictor

    def foresee(self) -> None:
        """Settles what usual requests will ask for, so that none of them has to wait for it."""
        exchange = self._predictor.exchange
        if exchange is None:
            return
        for name, policy in self._policies.items():
            able = tuple(one.model.id for one in self._permitted[name] if one.why is None)
            if len(able) > 1 and not policy.tiers:
                exchange.terms(able, policy.reference or self._best, policy.quality)

    def explicit(self, task: Task) -> bool:
        """Whether the caller names a model and no ceiling, so that there is nothing to weigh."""
        return self._names_model(task) and task.max_cost_usd is None and task.max_latency_s is None

    def unsaid(self, task: Task) -> Unsaid | None:
        """What of a task those who may answer cannot be asked.

        Raises:
            UnknownModel: the requested name is neither model nor policy.
            InvalidRequest: the body is wrong.
        """
        differ = self._tongues.differ(task)
        if not (differ or task.reasoning):
            return None
        named = self._names_model(task)
        model = self.model_named(task.model)[0] if named else None
        differ = self._tongues.differ(task, model)
        if not (differ or task.reasoning):
            return None
        drops = task.drop_unsupported
        if drops is None:
            drops = (self._policies["auto"] if named else self._policy_for(task)).drop_unsupported
        unsaid = self._tongues.unsaid(task, model, drops=drops) if differ else None
        return self._unthinking.told(task, unsaid, model, drops=drops)

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
        certificates: Mapping[str, Certified] | None = None,
        scarce: Mapping[str, float] = NOTHING,
        unsaid: Unsaid | None = None,
    ) -> Decision:
        """The plan for a task and everything it was chosen from.

        Args:
            now: Unix time, in seconds, that the decision is stamped with.
            latency: what was observed of each deployment, by deployment id.
            reading: the task as numbers, where the predictor has learned to read them.
            foreign: whether the traffic of late is unlike what the predictor has learned from.
            held: the model that answered last in this conversation, and what its provider's cache
                still holds of it.
            certificates: those of policies that have one, as they stand, by policy.
            scarce: what the use of a model costs others who want it, in quality; only models that
                are wanted more than they can take.
            unsaid: what of the task some deployments cannot be asked.

        Raises:
            UnknownModel: the requested name is neither model nor policy.
            Unsatisfiable: no configured model can do what is asked.
        """
        if self._names_model(task):
            return self._explicit(task, profile, decision_id, now, latency, unsaid)
        policy = _overridden(self._policy_for(task), task)
        estimates, excluded = self._candidates(
            policy, profile, latency, reading, unsaid, task.allowed
        )
        if not estimates:
            raise unsatisfiable(policy, excluded, unsaid)
        estimates = self._with_cache(estimates, profile, held)
        reference = policy.reference or self._best
        expected = estimates.get(reference) or self._one(profile, reading, reference)
        profile = _as_learned(profile, expected)
        holder = held.model if held is not None and held.model in estimates else None
        weighed = terms = None
        exchange = self._predictor.exchange
        if exchange is not None and reading is not None and not policy.tiers:
            terms = exchange.terms(tuple(estimates), reference, policy.quality)
            weighed = weigh(
                estimates, terms, expected.cost_usd, foreign, policy.weights, holder,
                self._specialists(profile, estimates), scarce,
            )  # fmt: skip
        under: CertifiedPlan | None = None
        if certificates and policy.name in certificates:
            under = certified_plan(
                certificates[policy.name], policy, task, profile, estimates, reference
            )
        plan, reason = make_plan(
            policy if under is None else msgspec.structs.replace(policy, tiers=under.tiers),
            profile,
            self._models,
            estimates,
            reference,
            expected.quality,
            weighed,
            holder,
            scarce,
        )
        rate = weighed.per_usd if weighed is not None else None
        if terms is not None and not foreign and holder is None and under is None:
            led = self._led(task, policy, estimates, reference, plan, terms, scarce)
            if led is not None:
                plan, rate, reason = led
        plan = with_asked(plan, policy, estimates)
        if task.stream:
            plan = _for_stream(plan, task, policy)
        plan = _on_failure(plan, policy, policy.quality * expected.quality)
        return Decision(
            id=decision_id,
            at=now,
            requested=task.model,
            policy=policy.name,
            reference=reference,
            profile=profile,
            plan=plan,
            candidates=listed(
                plan, estimates, excluded, policy.quality * expected.quality, weighed, scarce
            ),
            reason=reason if under is None else under.reason,
            router=self._predictor.name,
            certificate=under.certificate if under is not None else None,
            promised=under is not None and under.promised,
            rate=rate,
            guard=weighed.guard if weighed is not None else "",
        )

    def paths(
        self, decision: Decision, unsaid: Unsaid | None = None
    ) -> Mapping[str, Sequence[Deployment]]:
        """The deployments that a decision may use, by model, those of its probes included."""
        paths = self._permitted_paths(decision)
        if unsaid is None:
            return paths
        # A judge is asked a question of our own, whatever it could be told of the task.
        judge = decision.plan.judge
        return {
            model: unsaid.places(group) or (group if model == judge else ())
            for model, group in paths.items()
        }

    def _permitted_paths(self, decision: Decision) -> Mapping[str, Sequence[Deployment]]:
        if decision.pinned is not None:
            model = decision.plan.tiers[0].model
            return {model: [d for d in self._deployments[model] if d.id == decision.pinned]}
        policy = self._policies[decision.policy] if decision.policy is not None else None
        if policy is None or not (policy.allow or policy.deny or policy.regions):
            return self._deployments
        paths = {
            model: exclude.permitted_deployments(policy, group)
            for model, group in self._deployments.items()
        }
        # To name a model for probes is to allow it, but not in a place that is denied.
        anyone = msgspec.structs.replace(policy, allow=())
        for named in (policy.judge, policy.second):
            if named is not None and not paths[named]:
                paths[named] = exclude.permitted_deployments(anyone, self._deployments[named])
        return paths

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

    def _explicit(
        self,
        task: Task,
        profile: Profile,
        decision_id: str,
        now: float,
        latency: Mapping[str, Latency],
        unsaid: Unsaid | None,
    ) -> Decision:
        """The caller named a model: it gets that model, from whoever serves it, or an error."""
        model, pinned = self.model_named(task.model)
        if unsaid is not None:
            group = [d for d in self._deployments[model] if pinned in (None, d.id)]
            within_words(task.model, group, unsaid)
        usual = self._policies["auto"]
        if task.max_cost_usd is not None or task.max_latency_s is not None:
            seen = latency.get(pinned or self._deployments[model][0].id)
            known = {} if seen is None else {model: seen}
            named = [self._models[model]]
            within_ceilings(
                task, model, self._predictor.estimates(profile, None, named, known)[model]
            )
        return Decision(
            id=decision_id,
            at=now,
            requested=task.model,
            policy=None,
            reference=self._reference,
            profile=profile,
            plan=Plan(
                tiers=(Tier(model=model),),
                wait_s=usual.wait_s,
                hedge=usual.hedge,
                max_cost_usd=task.max_cost_usd,
                on_stream_break=task.on_stream_break or usual.on_stream_break,
            ),
            candidates=(),
            reason="named by the caller",
            pinned=pinned,
        )

    def _specialists(self, profile: Profile, estimates: Mapping[str, Estimate]) -> list[str]:
        """Candidates in whose field the task lies."""
        fields = {profile.domain, *profile.also}
        return [name for name in estimates if fields & self._models[name].specialises]

    def _candidates(
        self,
        policy: Policy,
        profile: Profile,
        latency: Mapping[str, Latency],
        reading: Reading | None,
        unsaid: Unsaid | None,
        allowed: frozenset[str],
    ) -> tuple[dict[str, Estimate], dict[str, Candidate]]:
        """The estimate of every model that may be asked, and why the others may not."""
        able: list[Model] = []
        seen: dict[str, Latency] = {}
        excluded: dict[str, Candidate] = {}
        for one in self._permitted[policy.name]:
            name = one.model.id
            if unsaid is not None and one.why is None:
                one = narrowed(one, policy, self._deployments[name], unsaid)
            spared = unsaid is not None and any(
                unsaid.spares(d.id) for d in self._deployments[name]
            )
            why = (
                one.why
                or exclude.by_caller(allowed, one.model)
                or exclude.by_capability(profile, one.model, spared=spared)
            )
            if why is not None:
                excluded[name] = Candidate(model=name, role="excluded", why=why)
                continue
            able.append(one.model)
            if one.seen_at in latency:
                seen[name] = latency[one.seen_at]
        estimates = self._predictor.estimates(profile, reading, able, seen)
        for name, estimate in list(estimates.items()):
            why = exclude.by_ceiling(policy, estimate)
            if why is not None:
                excluded[name] = Candidate(model=name, role="excluded", why=why, estimate=estimate)
                del estimates[name]
        return estimates, excluded

    def _led(
        self,
        task: Task,
        policy: Policy,
        estimates: Mapping[str, Estimate],
        reference: str,
        static: Plan,
        terms: Terms,
        scarce: Mapping[str, float],
    ) -> tuple[Plan, float, str] | None:
        """The plan that goes by answers, its λ and the reason, where that was learned and saves
        more than to choose by the prompt."""
        cascade = self._predictor.cascade
        if cascade is None or cascade.reference != reference or not _is_plain(task, policy):
            return None
        # Imported only here: most routers learned no cascade, and it brings numpy.
        from tierwise.routing.cascade import cascaded

        return cascaded(cascade, policy, estimates, static, terms.rate, scarce)

    def _one(self, profile: Profile, reading: Reading | None, model: str) -> Estimate:
        return self._predictor.estimates(profile, reading, [self._models[model]], {})[model]

    def _with_cache(
        self, estimates: dict[str, Estimate], profile: Profile, held: Held | None
    ) -> dict[str, Estimate]:
        """Staying with a model costs less: its provider has read the conversation before."""
        if held is None or not held.tokens or held.model not in estimates:
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
        if name in self._embeds or rest in self._embeds:
            raise UnknownModel(
                f"`model` {name!r} is a model for embeddings, and answers nothing. Name another, "
                "or ask it at /v1/embeddings.",
                param="model",
            )
        places = (d.id for group in self._deployments.values() for d in group) if slash else ()
        known = [*self._policies, *self._models, *places]
        near = difflib.get_close_matches(name, known, n=3) or sorted(self._policies)
        raise UnknownModel(
            f"`model` {name!r} is neither a configured model nor a policy. Did you mean "
            f"{' or '.join(near)}? GET /v1/models lists all.",
            param="model",
        )


def _is_plain(task: Task, policy: Policy) -> bool:
    """Whether a task wants one text, whole or held back: what answers were recorded of."""
    held = not task.stream or (task.streams or policy.streams) == "held"
    return held and not task.tools and task.choices == 1


def _for_stream(plan: Plan, task: Task, policy: Policy) -> Plan:
    """The plan for a stream. If nobody may hold it back, its first tier answers."""
    streams = task.streams or policy.streams
    on_break = task.on_stream_break or policy.on_stream_break
    if streams == "unchecked":
        behind = tuple(tier.model for tier in plan.tiers[1:])
        plan = Plan(tiers=plan.tiers[:1], fallbacks=behind + plan.fallbacks)
    hold_s = policy.hold_s
    return msgspec.structs.replace(plan, streams=streams, hold_s=hold_s, on_stream_break=on_break)


def _on_failure(plan: Plan, policy: Policy, target: float) -> Plan:
    """The plan with what it takes to choose whoever stands in when a path fails."""
    named = policy.fallbacks
    return msgspec.structs.replace(
        plan,
        target=target,
        listed=sum(name in named for name in plan.fallbacks) if named else 0,
        max_cost_usd=policy.max_cost_usd,
        wait_s=policy.wait_s,
        hedge=policy.hedge,
    )


def _overridden(policy: Policy, task: Task) -> Policy:
    """The policy with what a request says for itself."""
    said: dict[str, float] = {}
    if task.quality is not None:
        said["quality"] = task.quality
    if task.max_cost_usd is not None:
        said["max_cost_usd"] = task.max_cost_usd
    if task.max_latency_s is not None:
        said["max_latency_s"] = task.max_latency_s
    return msgspec.structs.replace(policy, **said) if said else policy


def _as_learned(profile: Profile, expected: Estimate) -> Profile:
    """The profile with the difficulty that was learned, as far as the task is a familiar one.

    The mean task that was learned from stands where an everyday task does; the rest of [0, 1]
    follows in log-odds.
    """
    if expected.difficulty is None:
        return profile
    learned = 1.0 / (1.0 + math.exp(-(_EVERYDAY_ODDS + expected.difficulty)))
    difficulty = learned + expected.novelty * (profile.difficulty - learned)
    return msgspec.structs.replace(profile, difficulty=difficulty)
