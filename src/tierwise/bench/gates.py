"""How much CPU it takes to judge an answer of 2 kB: each gate, all of them, and the scorer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from tierwise.analysis.analyst import Analyst
from tierwise.bench import unlearned
from tierwise.bench.exams import Exam, exams
from tierwise.bench.spread import percentile
from tierwise.gates import Gate, load_gates
from tierwise.gates.base import BUILTIN

_Value = TypeVar("_Value")
Say = Callable[[str], None]


class Options(Struct, frozen=True):
    """`answers` of each kind are judged, after as many others that only warm up."""

    answers: int = 300

    @property
    def steps(self) -> int:
        """How often `run` says what it does."""
        return 2


class Cost(Struct, frozen=True):
    """CPU time of judging one answer, in microseconds."""

    p50_us: float
    p99_us: float


class Judging(Struct, frozen=True, kw_only=True):
    """What judging answers of about 2 kB costs.

    `gates` has each gate over the answers that it had something to say about; `together` has for
    each kind of answer all gates one after the other, and `scored` those and the learned scorer's
    judgement of a first answer. Calls of tools are not scored. The answers are made up.
    """

    simulated: bool
    answers: int
    gates: dict[str, Cost]
    scorer: dict[str, Cost]
    together: dict[str, Cost]
    scored: dict[str, Cost]


class _Judged(Struct, frozen=True):
    """One answer: microseconds of each gate that had a verdict, of all gates, of the scorer."""

    kind: str
    gates: dict[str, float]
    together: float
    scorer: float | None


def run(options: Options, say: Say = lambda _: None) -> Judging:
    """Measures in this process. Gates that wait for something, such as a process, are left out."""
    loaded = load_gates(BUILTIN)
    gates = {name: gate for name, gate in loaded.items() if isinstance(gate, Gate)}
    analyst = Analyst.builtin()
    say("warming up")
    for exam in exams(options.answers, seed=1):
        _judge(exam, gates, analyst)
    say("judging")
    judged = [_judge(exam, gates, analyst) for exam in exams(options.answers, seed=2)]
    kinds = list(dict.fromkeys(one.kind for one in judged))
    scored = [one for one in judged if one.scorer is not None]
    return Judging(
        simulated=True,
        answers=len(judged),
        gates={
            name: _cost([one.gates[name] for one in judged if name in one.gates]) for name in gates
        },
        scorer=_by_kind(scored, kinds, lambda one: one.scorer or 0.0),
        together=_by_kind(judged, kinds, lambda one: one.together),
        scored=_by_kind(scored, kinds, lambda one: one.together + (one.scorer or 0.0)),
    )


def _judge(exam: Exam, gates: Mapping[str, Gate], analyst: Analyst) -> _Judged:
    spoken: dict[str, float] = {}
    together = 0.0
    for name, gate in gates.items():
        verdict, took = _timed(lambda gate=gate: gate.judge(exam.task, exam.answer))  # type: ignore[misc]
        together += took
        if verdict is not None:
            spoken[name] = took
    if exam.answer.tool_calls:
        return _Judged(exam.kind, spoken, together, None)
    # Analysis has read the prompt by the time that an answer is here, and the planner has begun.
    course = unlearned.course(exam.task, analyst.analyse(exam.task).reading)
    next(course.tiers())
    _, scorer = _timed(lambda: course.heard(unlearned.tier(0), exam.answer, ()))
    return _Judged(exam.kind, spoken, together, scorer)


def _timed(act: Callable[[], _Value]) -> tuple[_Value, float]:
    """What comes of it, and the microseconds of CPU that it took."""
    began = time.thread_time_ns()
    value = act()
    return value, (time.thread_time_ns() - began) / 1000


def _by_kind(
    judged: Sequence[_Judged], kinds: Sequence[str], figure: Callable[[_Judged], float]
) -> dict[str, Cost]:
    found = {kind: [figure(one) for one in judged if one.kind == kind] for kind in kinds}
    return {kind: _cost(values) for kind, values in found.items() if values}


def _cost(values: Sequence[float]) -> Cost:
    return Cost(round(percentile(values, 50), 1), round(percentile(values, 99), 1))
