"""The answers that were recorded, read: only where they are asked for, because they are large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tierwise.analysis.encoder import Encoder
from tierwise.analysis.question import split_recorded_tools
from tierwise.analysis.reading import Reading
from tierwise.errors import ConfigError
from tierwise.gates.closed_answer import asked
from tierwise.gates.evidence import read_answer
from tierwise.gates.scorer import Answers, gathered
from tierwise.learning.outcomes import Outcomes
from tierwise.parquet import Table

_REMEDY = "outcomes.parquet needs a `response` column; `logprob` is read too if it is there."


def read_answers(
    folders: Sequence[Path],
    outcomes: Outcomes,
    readings: Sequence[Reading],
    encoder: Encoder,
    say: Callable[[float], None] = lambda _done: None,
) -> Answers:
    """The answers of these outcomes' models to their prompts, as numbers.

    Args:
        folders: those the outcomes are from.
        outcomes: n prompts, m models.
        readings: of the prompts.
        encoder: reads the answers.
        say: told what share is done.

    Raises:
        ConfigError: a folder has no answers of these models.
    """
    texts, logprobs = _recorded(folders, outcomes)
    found: list[Answers] = []
    for row, prompt in enumerate(outcomes.prompts):
        question = split_recorded_tools(prompt.text)[0]
        wanted = asked(question)
        seen = {
            model: read_answer(question, wanted, readings[row], text or "", logprob, encoder.embed)
            for model, (text, logprob) in enumerate(zip(texts[row], logprobs[row], strict=True))
        }
        found.append(gathered(seen, len(outcomes.models)))
        if row % 200 == 0:
            say(row / len(outcomes.prompts))
    names = Answers.__struct_fields__
    return Answers(*(np.concatenate([getattr(one, name) for one in found]) for name in names))


def answering(folders: Sequence[Path]) -> list[Path]:
    """Those of these folders that record any answers."""
    return [folder for folder in folders if any(_table(folder).texts_or_none("response"))]


def answered(folders: Sequence[Path], outcomes: Outcomes) -> NDArray[np.bool_]:
    """Where these folders, all of which record answers, record one, (n, m)."""
    texts, _ = _recorded(folders, outcomes)
    return np.array([[text is not None for text in row] for row in texts], bool)


def _recorded(
    folders: Sequence[Path], outcomes: Outcomes
) -> tuple[list[list[str | None]], list[list[float | None]]]:
    """Text and log-probability of each answer, None where it is missing."""
    row = {(prompt.source, prompt.id): at for at, prompt in enumerate(outcomes.prompts)}
    column = {name: at for at, name in enumerate(outcomes.models)}
    shape = range(len(outcomes.prompts))
    texts: list[list[str | None]] = [[None] * len(column) for _ in shape]
    logprobs: list[list[float | None]] = [[None] * len(column) for _ in shape]
    for folder in folders:
        table = _table(folder)
        source = folder.resolve().name
        responses = table.texts_or_none("response")
        if not any(responses):
            raise ConfigError(
                "no answers are recorded",
                file=str(table.file),
                field="response",
                remedy=_REMEDY,
            )
        known = table.numbers("logprob", most=0.0, least=-np.inf)
        ids, names = table.texts("prompt_id"), table.texts("model")
        for prompt_id, name, text, logprob in zip(ids, names, responses, known, strict=True):
            at = row.get((source, prompt_id))
            if at is not None and name in column:
                texts[at][column[name]] = text
                logprobs[at][column[name]] = logprob
    return texts, logprobs


def _table(folder: Path) -> Table:
    return Table(
        folder / "outcomes.parquet",
        ("prompt_id", "model"),
        optional=("response", "logprob"),
        remedy=_REMEDY,
    )
