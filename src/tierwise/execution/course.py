"""The course of one request through a cascade: who is asked next, by what the answers so far say.

The learned scorer reads every answer, alone and beside those that came before; the planner weighs
what the best of them is worth against one more. Everything that it goes by is in the decision (the
estimates, λ) and in the answers, so a course can be replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from tierwise.analysis.conversation import conversation
from tierwise.analysis.encoder import Encoder
from tierwise.analysis.reading import Reading
from tierwise.errors import ConfigError
from tierwise.execution.check import Checker
from tierwise.gates.closed_answer import Asked, asked
from tierwise.gates.combine import chance, log_odds, posterior
from tierwise.gates.evidence import FEATURES, Evidence, alike, read_answer
from tierwise.gates.scorer import Scorer, gathered
from tierwise.gates.token_confidence import confidence
from tierwise.routing.artifact import REBUILD
from tierwise.routing.cascade import Cascade
from tierwise.routing.planner import Ask, Plan, State, Stop, Vector
from tierwise.types import Completion, Decision, Task, Tier, Verdict

SCORER = "scorer"
"""The name under which the scorer's verdicts are told."""
_READ = frozenset({"arithmetic", "refusal", "token_confidence"})
"""Gates that look at what the scorer has learned to weigh: only their veto counts beside it."""
_SAME = 0.5


class Courses:
    """Starts courses with what one artifact has learned.

    Raises:
        ConfigError: the scorer was fitted to other features than this version of Tierwise reads.
    """

    def __init__(self, cascade: Cascade) -> None:
        if cascade.meta.features != list(FEATURES):
            raise ConfigError(
                "answers cannot be judged: the router was fitted to other features of them",
                field="router.artifact",
                remedy=REBUILD,
            )
        self.cascade = cascade
        self.scorer = Scorer(cascade.arrays)
        self.encoder = Encoder.builtin()

    def start(
        self, task: Task, decision: Decision, checker: Checker, reading: Reading | None = None
    ) -> Course | None:
        """The course of a request whose plan is adaptive; None for any other.

        Args:
            reading: the task's question, if somebody has read it already.
        """
        if not decision.plan.adaptive or decision.rate is None:
            return None
        plan = self.cascade.plan(decision.rate)
        known = {one.model: one.estimate for one in decision.candidates if one.estimate is not None}
        if plan is None or any(name not in known for name in self.cascade.models):
            return None
        scarce = {one.model: one.scarcity for one in decision.candidates if one.scarcity}
        start = self.cascade.start(known, decision.rate, scarce)
        return Course(self, task, decision, plan, start, checker, reading)


Judged = tuple[tuple[Verdict, ...], float, bool]
"""What is said of an answer: all verdicts, P(acceptable), and whether it is given out."""


class Course:
    """One request on its way. `p` is P(acceptable) of every answer in hand, by model."""

    def __init__(
        self,
        courses: Courses,
        task: Task,
        decision: Decision,
        plan: Plan,
        start: State,
        checker: Checker,
        reading: Reading | None,
    ) -> None:
        self.p: dict[str, float] = {}
        self._courses = courses
        self._task = task
        self._plan = plan
        self._state = start
        self._checker = checker
        self._models = courses.cascade.models
        self._tiers = {tier.model: tier for tier in decision.plan.tiers}
        self._seen: dict[int, Evidence] = {}
        self._against: dict[int, float] = {}
        self._settled: str | None = None
        self._reading = reading
        self._question: tuple[str, Asked, Reading] | None = None
        self._move: tuple[State, Stop | Ask] | None = None

    @property
    def wants_logprobs(self) -> bool:
        """Whether the scorer has learned to read how likely an answer's tokens were."""
        return self._courses.cascade.meta.logprobs

    @property
    def settled(self) -> bool:
        """Whether one of the answers in hand is to be given out."""
        return self._settled is not None

    @property
    def best(self) -> str:
        """The model whose answer is the one to give out, of those in hand; empty without any."""
        return self._settled or max(self.p, key=lambda name: self.p[name], default="")

    @property
    def at_stake(self) -> float:
        """What would be lost, in quality, if the model whose turn it is could not be asked."""
        move = self._next()
        return move.lead if isinstance(move, Ask) else 0.0

    def tiers(self) -> Iterator[tuple[Tier, bool]]:
        """Whom to ask, one after the other, and whether the answer is to be judged.

        A model that has not answered by the time the next is wanted is not asked again.
        """
        while self._state.asked or len(self._state.barred) < len(self._models):
            move = self._next()
            if isinstance(move, Stop):
                self._settled = self._models[move.model]
                return
            model = self._models[move.model]
            yield self._tiers[model], self._is_judged(move.model)
            if self.settled:
                return
            if model not in self.p:
                self._bar(move.model)

    def heard(self, tier: Tier, answer: Completion, verdicts: Sequence[Verdict]) -> Judged:
        """Judges an answer beside those before it. A scorer that breaks is left out."""
        place = self._models.index(tier.model)
        said = tuple(verdicts)
        if all(verdict.p > 0 for verdict in said):
            try:
                return self._scored(place, answer, said)
            except Exception as error:  # noqa: BLE001 - counted and told, as with any gate
                self._checker.left_out(SCORER, error)
        # Cut answers and broken ones speak neither for themselves nor for or against others.
        self._seen.pop(place, None)
        self._bar(place)
        p = self.p[tier.model] = posterior(said, expected=tier.expected)
        return said, p, p >= tier.accept

    def _scored(self, place: int, answer: Completion, verdicts: tuple[Verdict, ...]) -> Judged:
        self._seen[place] = self._read(answer)
        others = [verdict for verdict in verdicts if verdict.gate not in _READ]
        moved = posterior(others, expected=0.5) if others else 0.5
        self._against[place] = log_odds(moved)
        known = self._known()
        asked_now = (*self._state.asked, place)
        self._state = replace(self._state, asked=asked_now, posterior=known)
        self.p.update({self._models[one]: float(known[one]) for one in asked_now})
        move = self._next()
        accepted = isinstance(move, Stop) and move.model == place
        if isinstance(move, Stop):
            self._settled = self._models[move.model]
        p = float(known[place])
        verdict = Verdict(gate=SCORER, p=p, reason=self._reason(place, move))
        return (*verdicts, verdict), p, accepted

    def _next(self) -> Stop | Ask:
        """The planner's move; asked for twice in the same state it is not looked for again."""
        if self._move is None or self._move[0] is not self._state:
            self._move = self._state, self._plan.next(self._state)
        return self._move[1]

    def _known(self) -> Vector:
        """P(right) of every model's answer, given those that were read, (m,)."""
        answers = gathered(self._seen, len(self._models))
        seen = sorted(self._seen)
        quality = self._state.quality[None]
        known: Vector = self._courses.scorer.posterior(answers, quality, seen)[0]
        for place, shift in self._against.items():
            if shift and place in self._seen:
                known[place] = chance(log_odds(float(known[place])) + shift)
        return known

    def _read(self, answer: Completion) -> Evidence:
        if self._question is None:
            text = conversation(self._task).question
            reading = self._reading
            if reading is None:
                reading = self._courses.encoder.read(text)
            self._question = text, asked(text), reading
        text, wanted, reading = self._question
        sure = confidence(answer.logprobs) if self.wants_logprobs else None
        logprob = sure.mean if sure is not None else None
        return read_answer(text, wanted, reading, answer.text, logprob, self._courses.encoder.embed)

    def _is_judged(self, place: int) -> bool:
        """Once enough answers were weighed one more is taken as it is.

        Nor is a stream of the reference held back: next to nobody is asked after it.
        """
        if len(self._state.asked) >= self._plan.depth:
            return False
        return not (self._task.stream and place == self._plan.reference)

    def _bar(self, place: int) -> None:
        self._state = replace(self._state, barred=self._state.barred | {place})

    def _reason(self, place: int, move: Stop | Ask) -> str:
        others = [one for one in sorted(self._seen) if one != place]
        mine = self._seen[place]
        agree = [one for one in others if alike(mine, self._seen[one]) > _SAME]
        parts = []
        for what, which in (("agrees with", agree), ("differs from", others)):
            named = [self._models[one] for one in which if what[0] == "a" or one not in agree]
            if named:
                parts.append(f"{what} {' and '.join(named)}")
        if isinstance(move, Ask):
            parts.append(f"asking {self._models[move.model]} is worth {move.gain:.3f} more")
        elif move.model == place:
            parts.append("nobody else is worth asking")
        else:
            parts.append(f"the answer of {self._models[move.model]} is more likely right")
        return ", ".join(parts)
