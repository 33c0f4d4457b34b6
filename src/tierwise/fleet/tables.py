"""Reads recorded outcomes: `prompts.parquet` and `outcomes.parquet` of one source."""

from __future__ import annotations

import math
from pathlib import Path

from msgspec import Struct

from tierwise.parquet import Table

SERVABLE = (
    "A source can be served if its outcomes have `response` and `score`: routerbench, cascades, "
    "zeroeval, bfcl and the GSM8K part of routellm can; paretobandit, llmrouter and routerdc have "
    "no answers."
)
_IMPOSSIBLE = -math.inf
_PROMPT_COLUMNS = ("prompt_id", "prompt")
_OUTCOME_COLUMNS = ("prompt_id", "model", "score", "response")


class Prompt(Struct, frozen=True):
    """A recorded prompt and where it is from."""

    id: str
    text: str
    dataset: str
    category: str


class Outcome(Struct, frozen=True):
    """What one model said to one prompt; None where it was not recorded."""

    score: float | None
    response: str | None
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    latency_s: float | None
    logprob: float | None = None


class Tables(Struct, frozen=True):
    """Prompts in the order of the file, and outcomes by model and prompt id."""

    prompts: list[Prompt]
    outcomes: dict[str, dict[str, Outcome]]


def read_tables(folder: Path) -> Tables:
    """The two tables of a source.

    Raises:
        ConfigError: pyarrow is missing, or the data is bad; names file, column and row.
    """
    prompts = Table(folder / "prompts.parquet", _PROMPT_COLUMNS, remedy=SERVABLE)
    outcomes = Table(folder / "outcomes.parquet", _OUTCOME_COLUMNS, remedy=SERVABLE)
    return Tables(_prompts(prompts), _outcomes(outcomes))


def _prompts(table: Table) -> list[Prompt]:
    """Those that have a text."""
    ids = table.texts("prompt_id")
    texts = table.texts_or_none("prompt")
    datasets = table.texts_or_none("dataset")
    categories = table.texts_or_none("category")
    seen: set[str] = set()
    prompts: list[Prompt] = []
    for row, (prompt_id, text) in enumerate(zip(ids, texts, strict=True)):
        if prompt_id in seen:
            raise table.twice(row, f"prompt {prompt_id!r}")
        seen.add(prompt_id)
        if text:
            prompts.append(Prompt(prompt_id, text, datasets[row] or "", categories[row] or ""))
    return prompts


def _outcomes(table: Table) -> dict[str, dict[str, Outcome]]:
    ids = table.texts("prompt_id")
    models = table.texts("model")
    scores = table.numbers("score", most=1.0)
    responses = table.texts_or_none("response")
    costs = table.numbers("cost_usd")
    sent = table.numbers("input_tokens")
    said = table.numbers("output_tokens")
    times = table.numbers("latency_s")
    sure = table.numbers("logprob", most=0.0, least=_IMPOSSIBLE)
    found: dict[str, dict[str, Outcome]] = {}
    for row, (prompt_id, model) in enumerate(zip(ids, models, strict=True)):
        of_model = found.setdefault(model, {})
        if prompt_id in of_model:
            raise table.twice(row, f"the outcome of {model!r} on {prompt_id!r}")
        of_model[prompt_id] = Outcome(
            scores[row], responses[row], costs[row], _whole(sent[row]), _whole(said[row]),
            times[row], sure[row],
        )  # fmt: skip
    return found


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
