"""Which verdicts each gate gives on recorded answers, and whether they tell good from bad."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.util import find_spec
from math import exp
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tierwise.errors import ConfigError
from tierwise.gates import Gate
from tierwise.gates.outside import OutsideGate
from tierwise.learning.contribution import PASSES, Together, auroc_within, contributions
from tierwise.learning.trials import LEAST_LOGPROB, TOKENS
from tierwise.parquet import Table
from tierwise.types import Completion, Message, Task, Verdict

Say = Callable[[str, float], None]
"""Called with what is being done, and with how much of the whole is done (0 to 1)."""

_REMEDY = (
    "prompts.parquet needs `prompt_id` and `prompt`; outcomes.parquet needs `prompt_id`, `score` "
    "and `response`."
)
_NEAR_2KB = (1500, 2500)
"""Characters of the answers that stand for one of 2 kB."""


class Recorded(Struct, frozen=True, kw_only=True):
    """An answer that was recorded, and what it was worth (`score` in [0, 1]).

    `logprob` stands in for what `token_confidence` would read, as in calibration.
    """

    task: Task
    answer: Completion
    score: float
    dataset: str
    logprob: float | None = None


class Patient:
    """A gate of somebody else's, asked about one answer after the other, within its limit.

    `broken` counts the answers over which it broke, and `why` says how it did so last.
    """

    def __init__(self, gate: OutsideGate) -> None:
        self.name = gate.name
        self.broken = 0
        self.why = ""
        self._gate = gate
        self._runner = asyncio.Runner()

    def judge(self, task: Task, answer: Completion) -> Verdict | None:
        """Its verdict; None if it has none or breaks, as while serving."""
        asked = self._gate.judge_slowly(task, answer)
        try:
            return self._runner.run(asyncio.wait_for(asked, self._gate.limit_s))
        except Exception as error:  # noqa: BLE001 - counted and told
            self.broken += 1
            self.why = f"{type(error).__name__}: {error or 'it took too long'}"
            return None


class Level(Struct, frozen=True):
    """All verdicts of one P(acceptable), rounded to two places; `score` is the mean under it."""

    p: float
    answers: int
    score: float


class GateQuality(Struct, frozen=True, kw_only=True):
    """What a gate's verdicts are worth.

    `verdicts` of `answers` were judged; the others gave None. `base` is the mean score of those
    judged, `passed_score` and `failed_score` the means where P(acceptable) reaches 0.5 and where it
    does not. `auroc` is the chance that of two judged answers of the same dataset, one acceptable
    and one not, the acceptable one has the higher P, ties halved: 0.5 says that the gate does not
    discriminate. None where there is nothing to compare. `microseconds` of CPU are for an answer,
    the mean of all; of a gate that runs in a thread of its own they are what asking it costs.
    `broken` answers made a gate of somebody else's break, `why` in the words of the last.
    """

    gate: str
    answers: int
    verdicts: int
    passed: int
    failed: int
    base: float | None
    passed_score: float | None
    failed_score: float | None
    auroc: float | None
    microseconds: float
    levels: tuple[Level, ...]
    broken: int = 0
    why: str = ""


class Measured(Struct, frozen=True, kw_only=True):
    """All gates on the same answers.

    `base` is the mean score of all answers; `microseconds_2kb` of CPU are what all gates together
    take for an answer of 1,500 to 2,500 characters, None where there is none. `together` says what
    each adds to the others; None where there is too little to fit to, or nothing to fit with.
    """

    sources: tuple[str, ...]
    answers: int
    base: float
    gates: tuple[GateQuality, ...]
    microseconds_2kb: float | None
    together: Together | None = None


def measure(
    folders: Sequence[Path],
    gates: dict[str, Gate],
    datasets: Collection[str] = (),
    say: Say | None = None,
) -> Measured:
    """Runs gates over every recorded answer of these folders that has a score.

    Raises:
        ConfigError: the data is bad, or no answer was recorded.
    """
    tell = say or (lambda _what, _done: None)
    tell("reading", 0.0)
    rows = [row for folder in folders for row in recorded(folder, datasets)]
    if not rows:
        raise ConfigError(
            "no answer is recorded there",
            file=", ".join(str(folder / "outcomes.parquet") for folder in folders),
            field="response",
            remedy=_REMEDY,
        )
    scores = np.array([row.score for row in rows])
    groups = [row.dataset for row in rows]
    lengths = np.array([len(row.answer.text) for row in rows])
    usual = (lengths >= _NEAR_2KB[0]) & (lengths <= _NEAR_2KB[1])
    together = np.zeros(len(rows))
    found: list[GateQuality] = []
    said = np.empty((len(rows), len(gates)))
    for number, (name, gate) in enumerate(gates.items()):
        tell(name, number / (len(gates) + 1))
        said[:, number], micros = _judged(name, gate, rows)
        together += micros
        worth = quality(name, said[:, number], scores, groups, float(micros.mean()))
        if isinstance(gate, Patient):
            worth = replace(worth, broken=gate.broken, why=gate.why)
        found.append(worth)
    tell("all together", len(gates) / (len(gates) + 1))
    joined = None
    if find_spec("sklearn") is not None:
        # Answers to the same prompt share their task.
        known: dict[int, int] = {}
        prompts = [known.setdefault(id(row.task), len(known)) for row in rows]
        joined = contributions(list(gates), said, scores, groups, prompts)
    tell("done", 1.0)
    return Measured(
        sources=tuple(folder.resolve().name for folder in folders),
        answers=len(rows),
        base=float(scores.mean()),
        gates=tuple(found),
        microseconds_2kb=float(together[usual].mean()) if usual.any() else None,
        together=joined,
    )


def recorded(folder: Path, datasets: Collection[str] = ()) -> Iterator[Recorded]:
    """The answers of one folder that were recorded with their prompt and a score.

    Raises:
        ConfigError: the data is bad.
    """
    about = Table(
        folder / "prompts.parquet", ("prompt_id", "prompt"), optional=("dataset",), remedy=_REMEDY
    )
    ids, texts = about.texts("prompt_id"), about.texts_or_none("prompt")
    named = about.texts_or_none("dataset")
    source = folder.resolve().name
    tasks: dict[str, tuple[Task, str]] = {}
    for prompt_id, text, dataset in zip(ids, texts, named, strict=True):
        if text and (not datasets or dataset in datasets):
            task = Task(body=b"{}", model="", messages=[Message("user", text)])
            tasks[prompt_id] = (task, dataset or source)
    table = Table(
        folder / "outcomes.parquet",
        ("prompt_id", "score", "response"),
        optional=("logprob",),
        remedy=_REMEDY,
    )
    scores, responses = table.numbers("score", most=1.0), table.texts_or_none("response")
    logprobs = table.numbers("logprob", most=0.0, least=LEAST_LOGPROB)
    for prompt_id, score, said, logprob in zip(
        table.texts("prompt_id"), scores, responses, logprobs, strict=True
    ):
        if prompt_id in tasks and score is not None and said is not None:
            task, named_so = tasks[prompt_id]
            yield Recorded(
                task=task,
                answer=Completion(text=said),
                score=score,
                dataset=named_so,
                logprob=logprob,
            )


def quality(
    name: str,
    p: NDArray[np.float64],
    scores: NDArray[np.float64],
    groups: Sequence[str],
    microseconds: float,
) -> GateQuality:
    """What verdicts are worth.

    Args:
        p: P(acceptable) of n answers, NaN where the gate had nothing to say.
        scores: what they were worth, in [0, 1].
        groups: the dataset of each; only answers of the same one are compared with each other.
    """
    judged = ~np.isnan(p)
    passed, failed = judged & (p >= PASSES), judged & (p < PASSES)
    rounded = np.round(p[judged], 2)
    levels = tuple(
        Level(float(value), int((rounded == value).sum()), _mean(scores[judged], rounded == value))
        for value in np.unique(rounded)
    )
    return GateQuality(
        gate=name,
        answers=len(p),
        verdicts=int(judged.sum()),
        passed=int(passed.sum()),
        failed=int(failed.sum()),
        base=_mean(scores, judged) if judged.any() else None,
        passed_score=_mean(scores, passed) if passed.any() else None,
        failed_score=_mean(scores, failed) if failed.any() else None,
        auroc=auroc_within(p[judged], scores[judged], np.array(groups)[judged]),
        microseconds=microseconds,
        levels=levels,
    )


def _judged(
    name: str, gate: Gate, rows: Sequence[Recorded]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P(acceptable) of every answer, NaN for no verdict, and the CPU it took in microseconds."""
    p, micros = np.full(len(rows), np.nan), np.zeros(len(rows))
    for number, row in enumerate(rows):
        start = time.thread_time_ns()
        verdict = gate.judge(row.task, row.answer)
        micros[number] = (time.thread_time_ns() - start) / 1000
        if verdict is not None:
            p[number] = verdict.p
        elif name == TOKENS and row.logprob is not None:
            p[number] = exp(row.logprob)
    return p, micros


def _mean(values: NDArray[np.float64], keep: NDArray[np.bool_]) -> float:
    return float(values[keep].mean())
