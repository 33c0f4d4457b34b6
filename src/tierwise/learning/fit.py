"""Fits the learners of `tierwise.routing.learned` to recorded outcomes."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.reading import STRUCTURE, Reading
from tierwise.errors import ConfigError
from tierwise.learning.kernel import Kernel, Solution, principal
from tierwise.learning.rasch import fit_rasch
from tierwise.learning.trees import Trees, flatten, grow
from tierwise.routing.artifact import Artifact, ArtifactMeta
from tierwise.routing.learned import (
    Layout,
    Learned,
    log_odds,
    membership,
    mixed,
    straightened,
    with_contrast,
)

FloatArray = NDArray[np.float32]
Matrix = NDArray[np.float64]

_COST_RIDGE = 3.0
"""Costs are far less noisy than outcomes: length follows from the prompt."""
_SAMPLE_ROWS = 2000
_SHARES = (0.25, 0.5, 0.75)
"""Of the kernel in the contrast. Which is best is itself a guess, so neither is left out."""
_FAMILIAR = (0.05, 0.1, 0.5)
"""Quantiles of membership that novelty is measured against."""


def require() -> None:
    """Asks for what fitting needs, before any work.

    Raises:
        ConfigError: scikit-learn or scipy is missing.
    """
    for name in ("sklearn", "scipy"):
        if importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"learning needs {name}, which is not installed",
                remedy="Install it with `pip install 'tierwise[train]'`.",
            )


class Settings(Struct, frozen=True, kw_only=True):
    """What fitting can be told.

    `ridge` None chooses it by leave-one-out error. `components` are the numbers of principal
    components of mean, stem and options that the forest reads. `weight_levels` rounds n-gram
    weights to so many steps between 0 and a head's largest, which lets a file be compressed; None
    keeps them.
    """

    landmarks: int = 1024
    ridge: float | None = None
    trees: Trees = Trees()
    contrast_trees: Trees = Trees(count=200, leaf=15, depth=24, features=0.4)
    components: tuple[int, int, int] = (40, 40, 30)
    weight_levels: int | None = None


class Fitted(Struct, frozen=True, kw_only=True):
    """An artifact, and what it would have said of each row it learned from without that row.

    `quality`, `disagreement` and `cost` are (n, m); `cost` is None without costs; `membership` is
    (n,). They are what λ, thresholds and calibration must be chosen on.
    """

    artifact: Artifact
    quality: FloatArray
    disagreement: FloatArray
    cost: FloatArray | None
    membership: FloatArray
    ridge: float


class About(Struct, frozen=True, kw_only=True):
    """Where the outcomes are from: for the description that an artifact carries.

    `priors` are the catalogue's qualities of those models that it knows. They link sources that
    have neither a model nor a prompt in common.
    """

    sources: Sequence[str] = ()
    notes: str = ""
    priors: Mapping[str, float] = {}


def fit(
    readings: Sequence[Reading],
    outcomes: Matrix,
    costs: Matrix | None,
    groups: Sequence[str] | None,
    models: Sequence[str],
    *,
    seed: int = 0,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    about: About = About(),  # noqa: B008 - frozen
) -> Fitted:
    """Learns from n prompts and m models.

    With two models the difference between them gets a head and a forest of its own, because only
    the difference decides (`with_contrast`).

    Args:
        readings: n prompts.
        outcomes: (n, m) in [0, 1], NaN where nothing was recorded: see `rasch`.
        costs: (n, m) in USD without gaps, or None.
        groups: what sort of prompt each is; n names, or None.
        models: m names.
        seed: of everything that is drawn.
        settings: how to fit.
        about: what to write into the artifact.
    """
    random = np.random.default_rng(seed)
    linked = len(about.sources) < 2
    rasch = fit_rasch(outcomes, groups, () if linked else [about.priors.get(m) for m in models])
    full = rasch.complete(outcomes)
    members, names = _memberships(groups, len(readings))
    targets, layout = _targets(full, members, costs)
    kernel = Kernel(readings, settings.landmarks, random)
    ridge = settings.ridge
    if ridge is None:
        ridge = kernel.choose_ridge(_differences(full), random)
    solution = kernel.solve(targets, ridge)
    paid = _cost_heads(kernel, costs)
    stage = _Stage(kernel, solution, layout, settings)
    forests, quality, apart = stage.forests(targets, full, seed)
    found = solution.left_out[:, layout.models : layout.models + layout.groups]
    familiar = membership(found, kernel.near_others())
    cost = None if paid is None or costs is None else _costs(paid, costs)
    arrays = {
        **stage.arrays(paid, costs),
        **forests,
        "membership_quantiles": np.quantile(familiar, _FAMILIAR).astype(np.float32),
        "level": _level(full, models, about.priors),
        **_sample(quality, full, cost, random),
    }
    return Fitted(
        artifact=Artifact(arrays, _meta(models, names, len(readings), about)),
        quality=quality,
        disagreement=apart,
        cost=cost,
        membership=familiar,
        ridge=ridge,
    )


class _Stage(Struct, frozen=True, dict=True):
    """The kernel solved: what the forests are grown on, and what of it an artifact keeps."""

    kernel: Kernel
    solution: Solution
    layout: Layout
    settings: Settings

    @cached_property
    def components(self) -> list[FloatArray]:
        """Principal directions of mean, stem and options."""
        dense, counts = self.kernel.dense, self.settings.components
        rows = (dense.mean, dense.stem, dense.options)
        return [principal(part, count) for part, count in zip(rows, counts, strict=True)]

    @cached_property
    def features(self) -> FloatArray:
        """What the forest reads of each row: the kernel's word is the one without that row."""
        heads = self.solution.left_out[:, : self.layout.stacked]
        return Learned.features(self.kernel.dense, heads, self.components)

    def forests(
        self, targets: FloatArray, full: Matrix, seed: int
    ) -> tuple[dict[str, NDArray[Any]], FloatArray, FloatArray]:
        """Arrays of all forests; quality and disagreement (n, m) of each row without itself."""
        models, trees = self.layout.models, self.settings.trees
        forest, unseen = grow(self.features, targets[:, :models], trees, seed, bagged=True)
        assert unseen is not None  # noqa: S101 - it is bagged
        arrays = flatten(forest, "forest_", trees.depth)
        left_out = self.solution.left_out[:, :models]
        quality = mixed(left_out, unseen, 0.5)
        arrays["quality_line"] = _lines(quality, full)
        quality = straightened(quality, arrays["quality_line"])
        if self.layout.contrast:
            extra, contrast = self._contrast(targets, full, seed)
            arrays |= extra
            quality = with_contrast(quality, contrast)
        return (
            arrays,
            np.clip(quality, np.float32(0.0), np.float32(1.0)),
            np.abs(left_out - unseen),
        )

    def _contrast(
        self, targets: FloatArray, full: Matrix, seed: int
    ) -> tuple[dict[str, NDArray[Any]], FloatArray]:
        """Arrays of the contrast's forest, and the contrast of each row without itself.

        The shares of kernel and forest are those that go best with the outcomes.
        """
        head = self.layout.models + self.layout.groups
        target, trees = targets[:, head : head + 1], self.settings.contrast_trees
        # Where sorts of prompts are told apart, the heads hold nearly all that the other features
        # say of the difference, and trees that are offered those too waste splits on their noise.
        start = self.features.shape[1] - self.layout.stacked if self.layout.groups else 0
        x = self.features[:, start:]
        _, unseen = grow(x, target, trees, seed, bagged=True)
        forest, _ = grow(x, target, trees, seed, bagged=False)
        assert unseen is not None  # noqa: S101 - it is bagged
        kernel = self.solution.left_out[:, head]
        gain = full[:, 1] - full[:, 0]
        fits = [_correlation(mixed(kernel, unseen[:, 0], share), gain) for share in _SHARES]
        share = _SHARES[int(np.argmax(fits))]
        arrays = flatten(forest, "contrast_", trees.depth)
        # What serves hands it all features, of which the heads come last.
        arrays["contrast_feature"] += np.int16(start)
        arrays["contrast_share"] = np.array(share, np.float32)
        raw = mixed(kernel, unseen[:, 0], share)
        line = _lines(raw[:, None], (1.0 + gain[:, None]) / 2)
        arrays["contrast_line"] = line
        return arrays, straightened(raw[:, None], line)[:, 0]

    def arrays(self, paid: Solution | None, costs: Matrix | None) -> dict[str, NDArray[Any]]:
        """Everything but the forests."""
        solutions = [self.solution] if paid is None else [self.solution, paid]
        kernel = self.kernel
        scaling = kernel.scaling
        arrays: dict[str, NDArray[Any]] = {
            name: getattr(scaling, name) for name in scaling.__struct_fields__
        }
        for part, matrix in zip(("mean", "stem", "options"), self.components, strict=True):
            arrays[f"{part}_components"] = matrix
        layout = self.layout
        return arrays | {
            "landmark_structure": kernel.landmarks.structure,
            "landmark_mean": kernel.landmarks.mean.astype(np.float16),
            "landmark_stem": kernel.landmarks.stem.astype(np.float16),
            "narrowness": np.array(kernel.narrowness, np.float32),
            "gram_weights": _rounded(
                np.hstack([s.gram_weights for s in solutions]), self.settings.weight_levels
            ).astype(np.float16),
            "landmark_weights": np.hstack([s.landmark_weights for s in solutions]),
            "bias": np.concatenate([s.bias for s in solutions]),
            "layout": np.array([getattr(layout, f) for f in layout.__struct_fields__], np.int32),
            "cost_mean": _mean_costs(costs) if costs is not None else np.zeros(layout.models),
        }


def _rounded(weights: FloatArray, levels: int | None) -> FloatArray:
    """Weights (buckets, heads) in so many steps of each head's largest."""
    if levels is None:
        return weights
    step = np.maximum(np.abs(weights).max(axis=0), 1e-12) / np.float32(levels)
    rounded: FloatArray = np.round(weights / step) * step
    return rounded


def _memberships(groups: Sequence[str] | None, rows: int) -> tuple[FloatArray, list[str]]:
    """One column a group, 1 where the row belongs to it; none if there is only one group."""
    names = sorted(set(groups or ()))
    if groups is None or len(names) < 2:
        return np.zeros((rows, 0), np.float32), names
    column = {name: at for at, name in enumerate(names)}
    found = np.zeros((rows, len(names)), np.float32)
    found[np.arange(rows), [column[name] for name in groups]] = 1.0
    return found, names


def _targets(full: Matrix, members: FloatArray, costs: Matrix | None) -> tuple[FloatArray, Layout]:
    """All targets of the kernel but costs, in the order of `Layout`."""
    parts: list[NDArray[Any]] = [full, members]
    if full.shape[1] == 2:
        parts.append((1.0 + full[:, 1:] - full[:, :1]) / 2)
    layout = Layout(
        models=full.shape[1],
        groups=members.shape[1],
        contrast=int(full.shape[1] == 2),
        costs=0 if costs is None else full.shape[1],
    )
    return np.hstack(parts).astype(np.float32), layout


def _differences(outcomes: Matrix) -> FloatArray:
    """What routing depends on: how each model differs from the mean model. One column if alone."""
    if outcomes.shape[1] == 1:
        return outcomes.astype(np.float32)
    found: FloatArray = (outcomes - outcomes.mean(axis=1, keepdims=True)).astype(np.float32)
    return found


def _cost_heads(kernel: Kernel, costs: Matrix | None) -> Solution | None:
    """Heads for costs, in units of each model's mean cost."""
    if costs is None:
        return None
    targets = (costs / _mean_costs(costs)).astype(np.float32)
    if float(np.ptp(targets, axis=0).max()) < 1e-6:
        return kernel.constant(targets)
    return kernel.solve(targets, _COST_RIDGE)


def _mean_costs(costs: Matrix) -> FloatArray:
    found: FloatArray = np.maximum(costs.mean(axis=0), 1e-12).astype(np.float32)
    return found


def _costs(paid: Solution, costs: Matrix) -> FloatArray:
    found: FloatArray = np.maximum(paid.left_out, 0.05) * _mean_costs(costs)
    return found


def _correlation(one: FloatArray, other: Matrix) -> float:
    if float(one.std()) < 1e-9 or float(other.std()) < 1e-9:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _lines(predicted: FloatArray, outcomes: Matrix) -> FloatArray:
    """Start and slope, (2, m), of outcomes over what was predicted of them without them.

    Regression shrinks, and a mean of two learners is flatter than either:
    the line undoes that. Its slope is drawn towards 1, as if a hundred rows of the spread at hand
    had it, and kept within reason where there is hardly any signal.
    """
    middle, goal = predicted.mean(axis=0), outcomes.mean(axis=0)
    spread = predicted - middle
    square, prior = (spread**2).sum(axis=0), 100.0 * (spread**2).mean(axis=0)
    slope = ((spread * (outcomes - goal)).sum(axis=0) + prior) / np.maximum(square + prior, 1e-9)
    slope = np.clip(slope, 0.5, 2.0)
    return np.stack([goal - slope * middle, slope]).astype(np.float32)


def _level(full: Matrix, models: Sequence[str], priors: Mapping[str, float]) -> FloatArray:
    """How many log-odds better these prompts are done than everyday ones, by what is known of the
    models; 0 if nothing is. Models that were not tried on them are moved by as much."""
    odds = log_odds(full.mean(axis=0))
    known = [odds[at] - log_odds(priors[name]) for at, name in enumerate(models) if name in priors]
    return np.array(np.mean(known) if known else 0.0, np.float32)


def _sample(
    quality: FloatArray, full: Matrix, cost: FloatArray | None, random: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Rows on which a serving side can set λ: predicted without the row, and what came out.

    Rows with gaps are drawn too, or there would be none where each source tried other models. In
    a gap stands what Rasch expects of the model on that row by what others made of it. That cannot
    flatter a choice: it is not the prediction that chooses, it knows the row only through recorded
    outcomes, and it has none of the luck by which the best of many looks better than it is.
    """
    rows = np.sort(random.permutation(len(full))[:_SAMPLE_ROWS])
    arrays: dict[str, NDArray[Any]] = {
        "sample_predicted": quality[rows].astype(np.float16),
        "sample_outcome": full[rows].astype(np.float16),
    }
    if cost is not None:
        arrays["sample_cost"] = cost[rows].astype(np.float32)
    return arrays


def _meta(models: Sequence[str], groups: list[str], rows: int, about: About) -> ArtifactMeta:
    return ArtifactMeta(
        models=list(models),
        groups=groups,
        sources=list(about.sources),
        rows=rows,
        notes=about.notes,
        structure=list(STRUCTURE),
    )
