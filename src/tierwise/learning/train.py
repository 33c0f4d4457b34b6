"""From folders of recorded outcomes to one artifact."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tierwise.analysis.encoder import Encoder
from tierwise.catalog import Catalog
from tierwise.errors import ConfigError
from tierwise.learning.data import MOST_ROWS, family, priors, read_all
from tierwise.learning.fit import About, Fitted, Settings, fit, require
from tierwise.learning.metrics import calibration_error
from tierwise.learning.outcomes import Outcomes, groups, price_missing, read_outcomes
from tierwise.learning.overlap import standing_in, words
from tierwise.learning.size import Size
from tierwise.learning.train_cascade import with_cascade
from tierwise.learning.trees import Trees
from tierwise.routing.artifact import ArtifactMeta

Say = Callable[[str, float], None]


_SETTINGS = {
    Size.FULL: Settings(),
    Size.SMALL: Settings(landmarks=512, trees=Trees(count=60, leaf=24), weight_levels=64),
}


class Trained(Struct, frozen=True, kw_only=True):
    """What was written, and how good it is on rows it did not learn from.

    `cascade` are the models whose answers it can judge; none where no answers are recorded.
    """

    file: str
    megabytes: float
    models: list[str]
    sources: list[str]
    groups: int
    prompts: int
    merged: int
    ridge: float
    ece: float
    mean_squared_error: float
    notes: list[str]
    cascade: list[str]


def train(
    folders: Sequence[Path],
    file: Path,
    *,
    models: Sequence[str] = (),
    datasets: Sequence[str] = (),
    prompts: Collection[str] | None = None,
    reserved: Sequence[str] = (),
    most_rows: int = MOST_ROWS,
    size: Size = Size.FULL,
    reference: str | None = None,
    seed: int = 0,
    say: Say | None = None,
) -> Trained:
    """Learns from these folders and writes an artifact.

    Models that were not tried on all prompts are put on one scale by `rasch`. What links folders is
    one: a question that stands in several in the same words, with all its outcomes, and a model
    that each of them spells in its own way.

    Args:
        prompts: ids of the prompts to learn from; None takes all.
        reserved: texts that will be tested on: prompts that stand in them are not learned from.
        reference: the model that quality refers to where answers are judged; None for the best.

    Raises:
        ConfigError: the data is bad, or the file cannot be written.
    """
    tell = say or (lambda _what, _done: None)
    require()
    _writable(file)
    tell("reading", 0.0)
    wanted = _unreserved(_wanted(folders, models, datasets), prompts, reserved)
    outcomes, merged = _merged(_one_spelling(wanted))
    outcomes, note = _drawn(outcomes, most_rows, seed)
    costs, unpriced = _costs(outcomes)
    tell("reading prompts", 0.1)
    readings = read_all(Encoder.builtin(), outcomes.prompts)
    tell("fitting", 0.2)
    notes = [*outcomes.notes, *(text for text in (note, unpriced) if text)]
    fitted = fit(
        readings,
        outcomes.scores,
        costs,
        _sorts(outcomes, size),
        outcomes.models,
        seed=seed,
        settings=_SETTINGS[size],
        about=About(
            sources=outcomes.sources, notes="; ".join(notes), priors=priors(outcomes.models)
        ),
    )
    tell("reading answers", 0.6)
    artifact = with_cascade(folders, outcomes, readings, fitted, reference, seed)
    tell("writing", 0.95)
    try:
        artifact.save(file)
    except OSError as error:
        raise ConfigError(
            f"cannot write it: {error}",
            file=str(file),
            field="--out",
            remedy="Name a file in a folder that you may write to.",
        ) from None
    tell("done", 1.0)
    return _report(file, outcomes, fitted, artifact.meta, merged, notes)


def _writable(file: Path) -> None:
    """Asked before minutes of work, not after."""
    if not file.parent.is_dir():
        raise ConfigError(
            "its folder does not exist", file=str(file), field="--out", remedy="Create it first."
        )
    if file.is_dir():
        raise ConfigError(
            "it is a folder",
            file=str(file),
            field="--out",
            remedy="Name a file, such as router.npz.",
        )


def _wanted(folders: Sequence[Path], models: Sequence[str], datasets: Sequence[str]) -> Outcomes:
    found = read_outcomes(folders, datasets)
    unknown = sorted(set(models) - set(found.models))
    if unknown:
        raise ConfigError(
            f"no outcomes of {', '.join(unknown)}",
            file=", ".join(str(folder) for folder in folders),
            field="model",
            remedy=f"There are: {', '.join(found.models)}.",
        )
    if models:
        found = found.only(list(dict.fromkeys(models)))
    scored: NDArray[np.bool_] = np.asarray(~np.isnan(found.scores).all(axis=1))
    if not scored.any():
        raise ConfigError(
            "no prompt has a score",
            file=", ".join(str(folder / "outcomes.parquet") for folder in folders),
            field="score",
            remedy="Name more models or datasets, or other folders.",
        )
    return found.rows(scored)


def _unreserved(
    outcomes: Outcomes, prompts: Collection[str] | None, reserved: Sequence[str]
) -> Outcomes:
    if prompts is not None:
        outcomes = outcomes.rows(np.array([p.id in prompts for p in outcomes.prompts], bool))
    if reserved:
        same = standing_in([prompt.text for prompt in outcomes.prompts], reserved)
        outcomes = outcomes.rows(~same)
    if not outcomes.prompts:
        raise ConfigError("no prompt is left to learn from", remedy="Name more, or reserve fewer.")
    return outcomes


def _sorts(outcomes: Outcomes, size: Size) -> list[str]:
    """What sort each prompt is of: each sort costs a head."""
    if size is Size.SMALL:
        return [family(prompt) for prompt in outcomes.prompts]
    return groups(outcomes.prompts)


def _one_spelling(outcomes: Outcomes) -> Outcomes:
    """A model that several folders know by other names as one, under the catalogue's.

    Names that were tried on the same prompt stay apart: there they are versions, not spellings.
    """
    catalog = Catalog.builtin()
    spelt: dict[str, list[int]] = {}
    for column, name in enumerate(outcomes.models):
        known = catalog.resolve(name)
        spelt.setdefault(known.id if known is not None else name, []).append(column)
    seen = ~np.isnan(outcomes.scores)
    names, scores, costs = list(outcomes.models), outcomes.scores.copy(), outcomes.costs.copy()
    keep = np.ones(len(names), dtype=bool)
    for name, (first, *others) in spelt.items():
        columns = [first, *others]
        if not others or (seen[:, columns].sum(axis=1) > 1).any():
            continue
        for table in (scores, costs):
            for column in others:
                table[:, first] = np.where(seen[:, column], table[:, column], table[:, first])
        names[first] = name
        keep[others] = False
    kept = tuple(name for name, wanted in zip(names, keep, strict=True) if wanted)
    return replace(outcomes, models=kept, scores=scores[:, keep], costs=costs[:, keep])


def _merged(outcomes: Outcomes) -> tuple[Outcomes, int]:
    """Prompts of the same words as one, with all their outcomes; and how many went into others."""
    if len(outcomes.sources) < 2:
        return outcomes, 0
    first: dict[tuple[str, ...], int] = {}
    scores, costs = outcomes.scores.copy(), outcomes.costs.copy()
    keep = np.ones(len(outcomes.prompts), dtype=bool)
    for row, prompt in enumerate(outcomes.prompts):
        at = first.setdefault(tuple(words(prompt.text)), row)
        if at == row:
            continue
        keep[row] = False
        gaps = np.isnan(scores[at])
        scores[at, gaps] = scores[row, gaps]
        gaps = np.isnan(costs[at])
        costs[at, gaps] = costs[row, gaps]
    return replace(outcomes, scores=scores, costs=costs).rows(keep), int((~keep).sum())


def _drawn(outcomes: Outcomes, most: int, seed: int) -> tuple[Outcomes, str]:
    """At most so many prompts; small sources keep all of theirs."""
    if len(outcomes.prompts) <= most:
        return outcomes, ""
    random = np.random.default_rng(seed)
    origin = np.array([prompt.source for prompt in outcomes.prompts])
    kept: list[NDArray[np.intp]] = []
    sizes = {name: int((origin == name).sum()) for name in outcomes.sources}
    left, sources = most, sorted(sizes, key=lambda name: sizes[name])
    for number, name in enumerate(sources):
        share = min(sizes[name], left // (len(sources) - number))
        left -= share
        kept.append(random.permutation(np.flatnonzero(origin == name))[:share])
    rows = np.sort(np.concatenate(kept))
    return outcomes.rows(rows), f"{len(rows):,} of {len(origin):,} prompts drawn"


def _costs(outcomes: Outcomes) -> tuple[NDArray[np.float64] | None, str]:
    """Costs to learn from, or None where a model has none: then prices must say."""
    bare = np.isnan(outcomes.costs).all(axis=0)
    if bare.any():
        return None, "costs not learned: not recorded for every model" if not bare.all() else ""
    priced, note = price_missing(outcomes, {})
    return priced.costs, note


def _report(
    file: Path,
    outcomes: Outcomes,
    fitted: Fitted,
    meta: ArtifactMeta,
    merged: int,
    notes: list[str],
) -> Trained:
    seen = ~np.isnan(outcomes.scores)
    predicted, actual = fitted.quality[seen].astype(np.float64), outcomes.scores[seen]
    return Trained(
        file=str(file),
        megabytes=round(file.stat().st_size / 1e6, 2),
        models=meta.models,
        sources=meta.sources,
        groups=len(meta.groups),
        prompts=meta.rows,
        merged=merged,
        ridge=fitted.ridge,
        ece=calibration_error(predicted, actual),
        mean_squared_error=float(((predicted - actual) ** 2).mean()),
        notes=notes,
        cascade=list(meta.cascade.models) if meta.cascade is not None else [],
    )
