"""Buys probes: has models asked about an answer, where what they may say is worth what it costs.

Nothing here can break a request. A probe that fails, or whose time is over, gives no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tierwise.catalog import cost
from tierwise.execution.asking import Addressed, Asker, Inquiry
from tierwise.execution.check import Checker
from tierwise.execution.paths import Step
from tierwise.execution.run import Run
from tierwise.gates import load_gates
from tierwise.gates.agreement import SAMPLING_TEMPERATURE
from tierwise.gates.base import PROBES
from tierwise.gates.combine import BASE, posterior
from tierwise.gates.judge import JudgeProbe
from tierwise.gates.probe import LooksTwice, Probe, Question
from tierwise.gates.worth import Stake, gain_usd, implied_rate
from tierwise.state.health import Health
from tierwise.state.spending import Spending
from tierwise.types import Attempt, Completion, Decision, Policy, Usage, Verdict

_SHARE_OF_TIME = 0.5
"""A probe may take this share of the time that is left: the rest is for the next tier."""

SAYS_NOTHING = "its reply says nothing of the answer"


class Offer(Struct, frozen=True):
    """A probe with all its questions. `price` is what it is expected to cost, `gain` what buying
    it is expected to gain, both in USD."""

    probe: Probe
    questions: tuple[Addressed, ...]
    price: float
    gain: float


class Probing:
    """The probes of each policy, and who asks their questions."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        asker: Asker,
        checker: Checker,
        health: Health,
        spending: Spending,
    ) -> None:
        self._probes = {name: _probes_of(policy) for name, policy in policies.items()}
        self._asker = asker
        self._checker = checker
        self._health = health
        self._spending = spending

    async def more(
        self,
        step: Step,
        run: Run,
        answer: Completion,
        verdicts: tuple[Verdict, ...],
        calls: list[Attempt],
    ) -> tuple[Verdict, ...]:
        """The verdicts of the step's gates, and of those of its probes that were worth buying.

        The probe that gains most is bought first; the others are weighed again with what it said.
        So is a second look of the same probe, of those that have one: it gains something only where
        the first left the answer near what its tier demands.

        Args:
            verdicts: those of the gates.
            calls: the calls that are made are appended.
        """
        policy = run.decision.policy or ""
        probes = dict(self._probes.get(policy, {}))
        left = [name for name in step.tier.gates if name in probes]
        found = verdicts
        while left:
            inquiry = Inquiry("", step.number, run, _until(run), [])
            if inquiry.until <= run.clock():
                break
            offers = {name: self._offer(probes[name], step, run, answer, found) for name in left}
            worth = {name: one for name, one in offers.items() if one is not None and one.gain > 0}
            if not worth:
                break
            name = max(worth, key=lambda name: (worth[name].gain, -worth[name].price))
            left.remove(name)
            offer = worth[name]
            if not self._spending.reserve(policy, run.decision.plan.probe_share, offer.price):
                continue
            verdict: Verdict | None = None
            try:
                verdict = await self._buy(offer, replace(inquiry, gate=name), answer)
            finally:
                calls += _told(inquiry.calls, verdict)
                spent = sum(call.cost_usd for call in inquiry.calls)
                self._spending.settle(policy, offer.price, spent)
            if verdict is None:
                continue
            found = (*(one for one in found if one.gate != name), verdict)
            if isinstance(offer.probe, LooksTwice):
                probes[name] = offer.probe.second_look(verdict)
                left.append(name)
        return found

    async def _buy(self, offer: Offer, inquiry: Inquiry, answer: Completion) -> Verdict | None:
        replies = await self._asker.ask(offer.questions, inquiry)
        for reply in replies:
            if isinstance(reply, BaseException):
                self._checker.left_out(inquiry.gate, reply)
        known = [None if isinstance(reply, BaseException) else reply for reply in replies]
        try:
            return offer.probe.conclude(inquiry.run.judged, answer, known)
        except Exception as error:  # noqa: BLE001 - counted and told
            self._checker.left_out(inquiry.gate, error)
            return None

    def _offer(
        self, probe: Probe, step: Step, run: Run, answer: Completion, verdicts: Sequence[Verdict]
    ) -> Offer | None:
        """What the probe would ask and gain; None where it cannot, or has nothing to ask."""
        try:
            asked = probe.ask(run.judged, answer)
            power = probe.power(run.judged, answer)
        except Exception as error:  # noqa: BLE001 - counted and told
            self._checker.left_out(probe.name, error)
            return None
        questions = tuple(self._addressed(question, step, run) for question in asked)
        if not questions or not all(one.places for one in questions):
            return None
        price = sum(_price(one, run.decision) for one in questions)
        # Gates that find nothing let an answer pass where nothing was expected of it (`posterior`),
        # but they do not make it certain, and a probe may look further.
        expected = BASE if step.tier.expected is None else step.tier.expected
        p = posterior(verdicts, expected=expected)
        gain = gain_usd(p, power, price, _stake(run.decision, step))
        return Offer(probe, questions, price, gain)

    def _addressed(self, question: Question, step: Step, run: Run) -> Addressed:
        tier = step.tier
        model = tier.model
        if question.who == "judge":
            model = run.decision.plan.judge or ""
        elif question.who == "other":
            model = tier.second or model
            if model == tier.model:  # a second sample, which must not be the same again
                question = replace(question, temperature=SAMPLING_TEMPERATURE)
        places = self._health.order(run.paths.get(model, ()))
        return Addressed(question, model, tuple(places))


def _told(calls: Sequence[Attempt], verdict: Verdict | None) -> list[Attempt]:
    """The calls of a probe; those that were answered, and of no use, say so."""
    if verdict is not None:
        return list(calls)
    return [replace(call, error=SAYS_NOTHING) if call.error is None else call for call in calls]


def _probes_of(policy: Policy) -> dict[str, Probe]:
    """The probes that a policy names, the judge with the policy's own rubric."""
    loaded = load_gates(policy.gate_names & PROBES.keys())
    found = {name: probe for name, probe in loaded.items() if isinstance(probe, Probe)}
    if policy.rubric and "judge" in found:
        found["judge"] = JudgeProbe(policy.rubric)
    return found


def _until(run: Run) -> float:
    """The point of the clock that the next probe must not pass."""
    now = run.clock()
    until = now + _SHARE_OF_TIME * (run.task.deadline - now)
    return min(until, run.started + run.decision.plan.hold_s) if run.task.stream else until


def _price(one: Addressed, decision: Decision) -> float:
    """What a question is expected to cost at the place that is asked first, in USD."""
    profile, question = decision.profile, one.question
    usage = Usage(
        input_tokens=question.input_tokens if question.messages else profile.input_tokens,
        output_tokens=question.max_tokens or profile.output_tokens,
    )
    return cost(usage, one.places[0].prices)


def _stake(decision: Decision, step: Step) -> Stake:
    """What the next tier is worth and costs, and the rate at which the two were weighed."""
    accept = step.tier.accept
    following = next((one for one in decision.candidates if one.model == step.following), None)
    if following is None or following.estimate is None:
        return Stake(accept, 0.0, None)
    estimate, value = following.estimate, following.value
    # The decision's own rate is of the sample that it was solved on; the value has it as it is
    # for this task.
    rate = implied_rate(accept if value is None else value, estimate.quality, estimate.cost_usd)
    return Stake(accept, estimate.cost_usd, rate)
