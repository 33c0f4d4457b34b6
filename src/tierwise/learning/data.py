"""The prompts of an evaluation, and how they are split into training and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.encoder import Encoder
from tierwise.analysis.question import split_recorded_tools
from tierwise.analysis.reading import Reading
from tierwise.catalog import Catalog
from tierwise.errors import ConfigError
from tierwise.learning.outcomes import (
    Outcomes,
    Prompt,
    choose_models,
    price_missing,
    read_outcomes,
    scored_rows,
)
from tierwise.learning.overlap import standing_in

Rows = NDArray[np.intp]

SMALLEST_DATASET = 50
"""A left-out dataset of fewer prompts says nothing."""


MOST_ROWS = 12_000
"""Rows to learn from at most: the Gram matrix of more would not fit into a small machine."""


class Options(Struct, frozen=True, kw_only=True):
    """What to evaluate; see `tierwise evaluate --help`."""

    test: tuple[Path, ...]
    reference: str
    train: tuple[Path, ...] = ()
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    labels: int | None = None
    folds: int = 5
    leave_out: bool = False
    own_split: bool = False
    cascade: bool = False
    seed: int = 0
    prices: Mapping[str, float] = {}
    reword: bool = False


class Split(Struct, frozen=True):
    """Rows to learn from and rows to test on."""

    name: str
    train: Rows
    test: Rows


class Data(Struct, frozen=True):
    """Test prompts with `models` to route between, and prompts to learn from.

    Without training folders `train` is `test`, and splits keep them apart.
    """

    test: Outcomes
    train: Outcomes
    models: tuple[str, ...]
    reference: int
    notes: list[str]


def load(options: Options) -> Data:
    """Reads and checks everything an evaluation needs.

    Raises:
        ConfigError: the data is bad, or the options do not fit it.
    """
    found = read_outcomes(options.test, options.datasets)
    notes = list(found.notes)
    models = choose_models(found, options.models, options.test)
    missing = sorted(set(found.models) - set(models)) if not options.models else []
    if missing:
        notes.append(f"models without a score in every folder left out: {', '.join(missing)}")
    unknown = sorted(set(options.prices) - set(found.models))
    if unknown:
        raise ConfigError(
            f"no outcomes of {', '.join(unknown)}",
            field="--price",
            remedy=f"There are: {', '.join(found.models)}.",
        )
    if options.reference not in models:
        raise ConfigError(
            f"{options.reference} is not among the models",
            field="--reference",
            remedy=f"Choose one of: {', '.join(models)}.",
        )
    test, note = scored_rows(found.only(models), options.test)
    test, filled = price_missing(test, options.prices)
    notes += [text for text in (note, filled) if text]
    train = test
    if options.train:
        train, dropped = _training(options, test)
        notes += [text for text in train.notes if text not in notes]
        notes.append(f"{dropped:,} training prompts dropped because they stand in the test")
    return Data(test, train, tuple(models), models.index(options.reference), notes)


def _training(options: Options, test: Outcomes) -> tuple[Outcomes, int]:
    """What the training folders hold, without the test's prompts; costs may have gaps."""
    found = read_outcomes(options.train)
    wanted = found.only(test.models)
    # Rows on which all wanted models were tried need no completion by others.
    complete: NDArray[np.bool_] = np.asarray(~np.isnan(wanted.scores).any(axis=1))
    scored: NDArray[np.bool_] = np.asarray(~np.isnan(found.scores).all(axis=1))
    train = wanted if complete.all() else found.rows(scored)
    same = standing_in([p.text for p in train.prompts], [p.text for p in test.prompts])
    if same.all():
        raise ConfigError(
            "every training prompt stands in the test",
            file=", ".join(str(folder) for folder in options.train),
            remedy="Name other folders with --train.",
        )
    return train.rows(~same), int(same.sum())


def drawn(rows: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """As many of these rows as can be learned from, drawn from all of them, in order."""
    if len(rows) <= MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])


def splits(options: Options, data: Data) -> list[Split]:
    """How the options want the rows split.

    Raises:
        ConfigError: a fold, or the training part, would be empty.
    """
    if options.leave_out:
        return _by_dataset(options, data)
    if options.own_split:
        return [_own_split(options, data)]
    if options.labels is not None and options.labels < 1:
        raise ConfigError(
            "no labels leave nothing to learn from", field="--labels", remedy="Name more."
        )
    if options.folds < 2:
        raise ConfigError(
            "one fold alone leaves nothing to learn from",
            field="--folds",
            remedy="Take two or more.",
        )
    random = np.random.default_rng(options.seed)
    rows = len(data.test.prompts)
    order = random.permutation(rows)
    if options.train:
        there = len(data.train.prompts)
        if options.labels is not None and options.labels > there:
            raise ConfigError(
                f"{options.labels} labels are more than the {there} prompts to learn from",
                field="--labels",
                remedy=f"Name at most {there}.",
            )
        train = random.permutation(there)
        return [Split("test", train[: options.labels or len(train)], np.arange(rows))]
    if options.labels is not None:
        if options.labels >= rows:
            raise ConfigError(
                f"{options.labels} labels leave none of {rows} prompts to test on",
                field="--labels",
                remedy="Name fewer.",
            )
        train, test = order[: options.labels], order[options.labels :]
        return [Split("labels", _disjoint(data, train, test), test)]
    if options.folds > rows:
        raise ConfigError(
            f"{rows} prompts make no {options.folds} folds: some would be empty",
            field="--folds",
            remedy=f"Take at most {rows}, or more prompts.",
        )
    fold = np.empty(rows, np.intp)
    fold[order] = np.arange(rows) % options.folds
    return [
        Split(
            f"fold {number + 1}",
            _disjoint(data, np.flatnonzero(fold != number), np.flatnonzero(fold == number)),
            np.flatnonzero(fold == number),
        )
        for number in range(options.folds)
    ]


def _by_dataset(options: Options, data: Data) -> list[Split]:
    """One split for each dataset: learn from the others (and from training folders)."""
    names = np.array([family(prompt) for prompt in data.test.prompts])
    others = np.array([family(prompt) for prompt in data.train.prompts])
    found: list[Split] = []
    for name in sorted(set(names)):
        test = np.flatnonzero(names == name)
        train = np.flatnonzero(others != name)
        if len(test) >= SMALLEST_DATASET and len(train):
            kept = train if options.train else _disjoint(data, train, test)
            found.append(Split(str(name), kept, test))
    if not found:
        raise ConfigError(
            f"no dataset of {SMALLEST_DATASET} prompts or more can be left out",
            field="--leave-out",
            remedy="Name folders with several datasets.",
        )
    return found


def _own_split(options: Options, data: Data) -> Split:
    """The part that the sources call `train` to learn from, `test` to test on."""
    parts = np.array([prompt.part for prompt in data.test.prompts])
    train, test = np.flatnonzero(parts == "train"), np.flatnonzero(parts == "test")
    if options.train or not len(train) or not len(test):
        raise ConfigError(
            "there is no split into `train` and `test` to go by",
            field="--own-split",
            remedy="Leave it out, or name one folder whose prompts have both parts.",
        )
    return Split("own split", _disjoint(data, train, test), test)


def family(prompt: Prompt) -> str:
    """A dataset without its part: `bbh/snarks` is of `bbh`."""
    return prompt.dataset.split("/")[0]


def _disjoint(data: Data, train: Rows, test: Rows) -> Rows:
    """Training rows without prompts that stand in the test by way of another source."""
    if len(data.test.sources) < 2:
        return train
    prompts = data.test.prompts
    same = standing_in([prompts[i].text for i in train], [prompts[i].text for i in test])
    if same.all():
        raise ConfigError(
            "nothing is left to learn from: every prompt stands in the test too",
            remedy="Name other folders, or fewer folds.",
        )
    return train[~same]


def read_all(encoder: Encoder, prompts: Sequence[Prompt]) -> list[Reading]:
    """All prompts, read."""
    return [read(encoder, prompt.text) for prompt in prompts]


def read(encoder: Encoder, text: str) -> Reading:
    """A recorded prompt, read; recordings append the tools to the prompt under a mark."""
    asked, tools = split_recorded_tools(text)
    return encoder.read(asked, tools=tools)


def priors(models: Sequence[str]) -> dict[str, float]:
    """The catalogue's qualities of those models that it knows."""
    catalog = Catalog.builtin()
    found = {name: catalog.resolve(name) for name in models}
    return {name: model.quality for name, model in found.items() if model is not None}
