"""Recorded outcomes as matrices: which model did how well on which prompt, and at what cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tierwise.errors import ConfigError
from tierwise.parquet import Table

_SMALLEST_GROUP = 8
_REMEDY = (
    "prompts.parquet needs `prompt_id` and `prompt`; outcomes.parquet needs `prompt_id`, `model` "
    "and `score`."
)


class Prompt(Struct, frozen=True):
    """A prompt that models were tried on.

    `source` is the folder it was read from; `part` is of the source's own split, if it has one.
    """

    id: str
    text: str
    dataset: str
    category: str
    source: str
    part: str = ""


class Outcomes(Struct, frozen=True):
    """n prompts, m models.

    `scores` (n, m) are in [0, 1] and `costs` (n, m) in USD; NaN where nothing was recorded.
    `notes` say what of the files was left unread.
    """

    prompts: list[Prompt]
    models: tuple[str, ...]
    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @property
    def sources(self) -> list[str]:
        """The folders the prompts are from, in order."""
        return list(dict.fromkeys(prompt.source for prompt in self.prompts))

    def rows(self, keep: NDArray[np.intp] | NDArray[np.bool_]) -> Outcomes:
        """Only these prompts."""
        index = np.arange(len(self.prompts))[keep]
        prompts = [self.prompts[i] for i in index]
        return replace(self, prompts=prompts, scores=self.scores[index], costs=self.costs[index])

    def only(self, models: Sequence[str]) -> Outcomes:
        """Only these models, in this order; a model that is not there has no scores."""
        shape = (len(self.prompts), len(models))
        scores, costs = np.full(shape, np.nan), np.full(shape, np.nan)
        at = {name: column for column, name in enumerate(self.models)}
        for column, name in enumerate(models):
            if name in at:
                scores[:, column] = self.scores[:, at[name]]
                costs[:, column] = self.costs[:, at[name]]
        return replace(self, models=tuple(models), scores=scores, costs=costs)


def read_outcomes(folders: Sequence[Path], datasets: Collection[str] = ()) -> Outcomes:
    """All prompts of these folders, and all models of any of them.

    Prompts without a text are left out with their outcomes, and `notes` count them.

    Args:
        folders: each with `prompts.parquet` and `outcomes.parquet`.
        datasets: keep only prompts of these datasets; empty keeps all.

    Raises:
        ConfigError: the data is bad, or there is no such dataset.
    """
    return _only_datasets(_joined([_read(folder) for folder in folders]), datasets, folders)


def groups(prompts: Sequence[Prompt]) -> list[str]:
    """What sort of question each prompt is: dataset and category where a category has enough."""
    fine = [f"{p.dataset}/{p.category}" if p.category else p.dataset for p in prompts]
    size: dict[str, int] = {}
    for name in fine:
        size[name] = size.get(name, 0) + 1
    return [
        name if size[name] >= _SMALLEST_GROUP else prompt.dataset
        for name, prompt in zip(fine, prompts, strict=True)
    ]


def choose_models(outcomes: Outcomes, wanted: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """The models to route between: `wanted`, or all that every folder has scores of.

    Raises:
        ConfigError: a wanted model is unknown, or no model is in every folder.
    """
    where = ", ".join(str(folder) for folder in folders)
    unknown = sorted(set(wanted) - set(outcomes.models))
    if unknown:
        raise ConfigError(
            f"no outcomes of {', '.join(unknown)}",
            file=where,
            field="model",
            remedy=f"There are: {', '.join(outcomes.models)}.",
        )
    if wanted:
        return list(dict.fromkeys(wanted))
    origin = np.array([prompt.source for prompt in outcomes.prompts])
    scored = ~np.isnan(outcomes.scores)
    everywhere = [
        name
        for column, name in enumerate(outcomes.models)
        if all(scored[origin == source, column].any() for source in outcomes.sources)
    ]
    if not everywhere:
        raise ConfigError(
            "no model has outcomes in every one of these folders",
            file=where,
            field="model",
            remedy="Name folders whose models overlap, or one at a time.",
        )
    return everywhere


def scored_rows(outcomes: Outcomes, folders: Sequence[Path]) -> tuple[Outcomes, str]:
    """The prompts that every model has a score of, and a note about those dropped ("" if none).

    Raises:
        ConfigError: nothing is left.
    """
    complete: NDArray[np.bool_] = np.asarray(~np.isnan(outcomes.scores).any(axis=1))
    if not complete.any():
        raise ConfigError(
            f"no prompt has a score of every one of {', '.join(outcomes.models)}",
            file=", ".join(str(folder / "outcomes.parquet") for folder in folders),
            field="score",
            remedy="Leave models out with --models.",
        )
    dropped = int((~complete).sum())
    missing = np.isnan(outcomes.scores).sum(axis=0)
    which = ", ".join(
        f"{name} {count:,}" for name, count in zip(outcomes.models, missing, strict=True) if count
    )
    note = f"{dropped:,} prompts dropped for missing scores ({which})" if dropped else ""
    return outcomes.rows(complete), note


def price_missing(outcomes: Outcomes, prices: Mapping[str, float]) -> tuple[Outcomes, str]:
    """Costs without gaps, and a note ("" if nothing was filled in).

    A missing cost is the price that was given for the model, else the mean of its recorded costs.

    Args:
        outcomes: what was recorded.
        prices: USD per request by model.

    Raises:
        ConfigError: a model has neither recorded costs nor a price.
    """
    costs = outcomes.costs.copy()
    filled: list[str] = []
    bare: list[str] = []
    for column, name in enumerate(outcomes.models):
        missing = np.isnan(costs[:, column])
        if not missing.any():
            continue
        if name in prices:
            costs[missing, column] = prices[name]
        elif missing.all():
            bare.append(name)
        else:
            costs[missing, column] = costs[~missing, column].mean()
            filled.append(f"{name} {int(missing.sum()):,}")
    if bare:
        raise ConfigError(
            f"no cost is recorded for {', '.join(bare)}",
            file=", ".join(f"{source}/outcomes.parquet" for source in outcomes.sources),
            field="cost_usd",
            remedy="Give USD per request with --price MODEL=USD, or leave them out with --models.",
        )
    note = f"missing costs taken as the model's mean ({', '.join(filled)})" if filled else ""
    return replace(outcomes, costs=costs), note


def _read(folder: Path) -> Outcomes:
    table = Table(
        folder / "prompts.parquet",
        ("prompt_id", "prompt"),
        optional=("dataset", "category", "split"),
        remedy=_REMEDY,
    )
    ids = table.texts("prompt_id")
    texts = table.texts_or_none("prompt")
    datasets = table.texts_or_none("dataset")
    categories = table.texts_or_none("category")
    parts = table.texts_or_none("split")
    source = folder.resolve().name
    known: dict[str, int] = {}
    prompts: list[Prompt] = []
    for row, (prompt_id, text) in enumerate(zip(ids, texts, strict=True)):
        if prompt_id in known:
            raise table.twice(row, f"prompt {prompt_id!r}")
        known[prompt_id] = len(prompts) if text else -1
        if text:
            dataset = datasets[row] or source
            prompts.append(
                Prompt(prompt_id, text, dataset, categories[row] or "", source, parts[row] or "")
            )
    if not prompts:
        raise ConfigError(
            "no row has a prompt", file=str(table.file), field="prompt", remedy=_REMEDY
        )
    bare = len(known) - len(prompts)
    note = f"{bare:,} prompts without a text left out of {source}/{table.file.name}"
    return replace(_outcomes(folder, prompts, known), notes=(note,) if bare else ())


def _outcomes(folder: Path, prompts: list[Prompt], known: Mapping[str, int]) -> Outcomes:
    """The matrices of one folder; `known` maps a prompt's id to its row, -1 without a text."""
    table = Table(
        folder / "outcomes.parquet",
        ("prompt_id", "model", "score"),
        optional=("cost_usd",),
        remedy=_REMEDY,
    )
    ids, names = table.texts("prompt_id"), table.texts("model")
    scores, costs = table.numbers("score", most=1.0), table.numbers("cost_usd")
    if all(score is None for score in scores):
        raise ConfigError("no row has a score", file=str(table.file), field="score", remedy=_REMEDY)
    models = tuple(sorted(set(names)))
    column = {name: at for at, name in enumerate(models)}
    shape = (len(prompts), len(models))
    score, cost = np.full(shape, np.nan), np.full(shape, np.nan)
    seen: set[tuple[str, str]] = set()
    for row, (prompt_id, name) in enumerate(zip(ids, names, strict=True)):
        if (prompt_id, name) in seen:
            raise table.twice(row, f"the outcome of {name!r} on {prompt_id!r}")
        seen.add((prompt_id, name))
        if prompt_id not in known:
            raise table.bad("prompt_id", row, prompt_id, "an id of prompts.parquet")
        at = known[prompt_id]
        if at < 0:
            continue
        if (value := scores[row]) is not None:
            score[at, column[name]] = value
        if (paid := costs[row]) is not None:
            cost[at, column[name]] = paid
    return Outcomes(prompts, models, score, cost)


def _joined(parts: Sequence[Outcomes]) -> Outcomes:
    if len(parts) == 1:
        return parts[0]
    models = sorted({name for part in parts for name in part.models})
    wide = [part.only(models) for part in parts]
    return Outcomes(
        [prompt for part in wide for prompt in part.prompts],
        tuple(models),
        np.vstack([part.scores for part in wide]),
        np.vstack([part.costs for part in wide]),
        tuple(note for part in wide for note in part.notes),
    )


def _only_datasets(
    outcomes: Outcomes, datasets: Collection[str], folders: Sequence[Path]
) -> Outcomes:
    if not datasets:
        return outcomes
    there = sorted({prompt.dataset for prompt in outcomes.prompts})
    unknown = sorted(set(datasets) - set(there))
    if unknown:
        raise ConfigError(
            f"no prompts of dataset {', '.join(unknown)}",
            file=", ".join(str(folder / "prompts.parquet") for folder in folders),
            field="dataset",
            remedy=f"There are: {', '.join(there)}.",
        )
    keep = np.array([prompt.dataset in datasets for prompt in outcomes.prompts])
    return outcomes.rows(keep)
