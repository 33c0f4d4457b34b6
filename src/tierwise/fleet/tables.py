"""Reads recorded outcomes: `prompts.parquet` and `outcomes.parquet` of one source."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from msgspec import Struct

from tierwise.errors import ConfigError

SERVABLE = (
    "A source can be served if its outcomes have `response` and `score`: routerbench, cascades, "
    "zeroeval, bfcl and the GSM8K part of routellm can; paretobandit, llmrouter and routerdc have "
    "no answers."
)
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


class Tables(Struct, frozen=True):
    """Prompts in the order of the file, and outcomes by model and prompt id."""

    prompts: list[Prompt]
    outcomes: dict[str, dict[str, Outcome]]


def read_tables(folder: Path) -> Tables:
    """The two tables of a source.

    Raises:
        ConfigError: pyarrow is missing, or the data is bad; names file, column and row.
    """
    prompts = _Table(folder / "prompts.parquet", _PROMPT_COLUMNS)
    outcomes = _Table(folder / "outcomes.parquet", _OUTCOME_COLUMNS)
    return Tables(_prompts(prompts), _outcomes(outcomes))


class _Table:
    """One file as columns. Rows are counted from 0, as pyarrow and pandas do."""

    def __init__(self, file: Path, required: tuple[str, ...]) -> None:
        self._file = file
        self._columns = _read(file)
        for name in required:
            if name not in self._columns:
                raise ConfigError(
                    f"{file.name} has no column {name!r}",
                    file=str(file),
                    field=name,
                    remedy=SERVABLE,
                )
        self.rows = len(self._columns[required[0]])

    def texts(self, name: str, *, optional: bool = False) -> list[str | None]:
        """A column of text; in one that is not optional an id is never null."""
        values = self._columns.get(name) or [None] * self.rows
        for row, value in enumerate(values):
            if not isinstance(value, str) and not (optional and value is None):
                raise self._bad(name, row, value, "text")
        return values

    def numbers(self, name: str, most: float = math.inf) -> list[float | None]:
        """A column of numbers from 0 to `most`, or null."""
        values = self._columns.get(name) or [None] * self.rows
        for row, value in enumerate(values):
            if value is None:
                continue
            if not isinstance(value, (int, float)) or not 0 <= value <= most:
                wanted = "a number from 0" + (f" to {most:g}" if most < math.inf else " up")
                raise self._bad(name, row, value, wanted)
        return values

    def twice(self, row: int, what: str) -> ConfigError:
        """The error for a row that repeats another."""
        return ConfigError(
            f"row {row} repeats {what}",
            file=str(self._file),
            field="prompt_id",
            remedy="Keep one row for each.",
        )

    def _bad(self, column: str, row: int, value: object, wanted: str) -> ConfigError:
        return ConfigError(
            f"row {row} holds {value!r}, which is not {wanted}",
            file=str(self._file),
            field=column,
            remedy="Correct the value, or leave the row out.",
        )


def _read(file: Path) -> dict[str, list[Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigError(
            "recorded outcomes are Parquet files, and pyarrow is not installed",
            remedy="Install it with `pip install 'tierwise[outcomes]'`.",
        ) from None
    try:
        table = pq.read_table(file)
        return {name: table[name].to_pylist() for name in table.column_names}
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(
            f"cannot read it: {' '.join(str(error).split())[:200]}",
            file=str(file),
            remedy="Name a folder with prompts.parquet and outcomes.parquet.",
        ) from None


def _prompts(table: _Table) -> list[Prompt]:
    """Those that have a text."""
    ids = table.texts("prompt_id")
    texts = table.texts("prompt", optional=True)
    datasets = table.texts("dataset", optional=True)
    categories = table.texts("category", optional=True)
    seen: set[str] = set()
    prompts: list[Prompt] = []
    for row, (prompt_id, text) in enumerate(zip(ids, texts, strict=True)):
        assert prompt_id is not None  # noqa: S101 - `texts` has checked it
        if prompt_id in seen:
            raise table.twice(row, f"prompt {prompt_id!r}")
        seen.add(prompt_id)
        if text:
            prompts.append(Prompt(prompt_id, text, datasets[row] or "", categories[row] or ""))
    return prompts


def _outcomes(table: _Table) -> dict[str, dict[str, Outcome]]:
    ids = table.texts("prompt_id")
    models = table.texts("model")
    scores = table.numbers("score", most=1.0)
    responses = table.texts("response", optional=True)
    costs = table.numbers("cost_usd")
    sent = table.numbers("input_tokens")
    said = table.numbers("output_tokens")
    times = table.numbers("latency_s")
    found: dict[str, dict[str, Outcome]] = {}
    for row, (prompt_id, model) in enumerate(zip(ids, models, strict=True)):
        assert prompt_id is not None and model is not None  # noqa: S101, PT018 - checked above
        of_model = found.setdefault(model, {})
        if prompt_id in of_model:
            raise table.twice(row, f"the outcome of {model!r} on {prompt_id!r}")
        of_model[prompt_id] = Outcome(
            scores[row], responses[row], costs[row], _whole(sent[row]), _whole(said[row]),
            times[row],
        )  # fmt: skip
    return found


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
