"""Which verdicts each gate gives on recorded answers, and whether they tell good from bad."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.errors import ConfigError
from tierwise.gates import Gate
from tierwise.parquet import Table
from tierwise.types import Completion, Message, Task

Say = Callable[[str, float], None]
"""Called with what is being done, and with how much of the whole is done (0 to 1)."""

_REMEDY = (
    "prompts.parquet needs `prompt_id` and `prompt`; outcomes.parquet needs `prompt_id`, `score` "
    "and `response`."
)
_PASSES = 0.5
"""What a tier demands of an answer unless it says otherwise (`Tier.accept`)."""
_NEAR_2KB = (1500, 2500)
"""Characters of the answers that stand for one of 2 kB."""
_SMALLEST_GROUP = 20


class Recorded(Struct, frozen=True):
    """An answer that was recorded, and what it was worth (`score` in [0, 1])."""

    task: Task
    answer: Completion
    score: float
    dataset: str


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
    the mean of all.
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


class Measured(Struct, frozen=True, kw_only=True):
    """All gates on the same answers.

    `base` is the mean score of all answers; `microseconds_2kb` of CPU are what all gates together
    take for an answer of 1,500 to 2,500 characters, None where there is none.
    """

    sources: tuple[str, ...]
    answers: int
    base: float
    gates: tuple[GateQuality, ...]
    microseconds_2kb: float | None


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
    for number, (name, gate) in enumerate(gates.items()):
        tell(name, number / len(gates))
        p, micros = _judged(gate, rows)
        together += micros
        found.append(quality(name, p, scores, groups, float(micros.mean())))
    tell("done", 1.0)
    return Measured(
        sources=tuple(folder.resolve().name for folder in folders),
        answers=len(rows),
        base=float(scores.mean()),
        gates=tuple(found),
        microseconds_2kb=float(together[usual].mean()) if usual.any() else None,
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
        folder / "outcomes.parquet", ("prompt_id", "score", "response"), optional=(), remedy=_REMEDY
    )
    scores, responses = table.numbers("score", most=1.0), table.texts_or_none("response")
    for prompt_id, score, said in zip(table.texts("prompt_id"), scores, responses, strict=True):
        if prompt_id in tasks and score is not None and said is not None:
            task, dataset_name = tasks[prompt_id]
            yield Recorded(task, Completion(text=said), score, dataset_name)


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
    passed, failed = judged & (p >= _PASSES), judged & (p < _PASSES)
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


def auroc_within(
    p: NDArray[np.float64], scores: NDArray[np.float64], groups: NDArray[np.str_]
) -> float | None:
    """AUROC over the pairs whose two answers are of the same group; None without any pair.

    A gate must not look good because it fires on datasets that are hard anyway.
    """
    won = pairs = 0.0
    for group in np.unique(groups):
        here = groups == group
        if here.sum() < _SMALLEST_GROUP:
            continue
        good = scores[here] >= _PASSES
        values, at = np.unique(p[here], return_inverse=True)
        right = np.bincount(at[good], minlength=len(values)).astype(float)
        wrong = np.bincount(at[~good], minlength=len(values)).astype(float)
        below = np.cumsum(wrong) - wrong
        won += float((right * (below + wrong / 2)).sum())
        pairs += float(right.sum() * wrong.sum())
    return won / pairs if pairs else None


def _judged(
    gate: Gate, rows: Sequence[Recorded]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P(acceptable) of every answer, NaN for no verdict, and the CPU it took in microseconds."""
    p, micros = np.full(len(rows), np.nan), np.zeros(len(rows))
    for number, row in enumerate(rows):
        start = time.thread_time_ns()
        verdict = gate.judge(row.task, row.answer)
        micros[number] = (time.thread_time_ns() - start) / 1000
        if verdict is not None:
            p[number] = verdict.p
    return p, micros


def _mean(values: NDArray[np.float64], keep: NDArray[np.bool_]) -> float:
    return float(values[keep].mean())
