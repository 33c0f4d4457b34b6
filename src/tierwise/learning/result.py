"""What `tierwise evaluate` found out. The field names are the keys of its JSON."""

from __future__ import annotations

from msgspec import Struct

FRACTIONS = (0.95, 0.98, 0.99, 0.995, 0.998, 1.0)
"""Fractions of the reference's quality that savings are reported at."""

Interval = tuple[float, float]


class Point(Struct, frozen=True, kw_only=True):
    """An operating point, each figure with its 95% bootstrap interval over the test prompts.

    `quality` and `cost_usd` are means over the test prompts, `quality_rel` and `saving` are
    relative to the reference's, and `small_share` is the share of prompts not sent to it.
    """

    quality: float
    quality_rel: float
    cost_usd: float
    saving: float
    small_share: float
    quality_interval: Interval
    quality_rel_interval: Interval
    cost_usd_interval: Interval
    saving_interval: Interval
    small_share_interval: Interval


class Model(Point, frozen=True, kw_only=True):
    """One model for everything."""

    model: str


class At(Point, frozen=True, kw_only=True):
    """The largest saving on the test curve at a fraction of the reference's quality.

    Its intervals are of the best point, which is found anew in each resample.

    Beside it stand points that training rows alone chose, as they turned out on the test prompts.
    `chosen` just reached the fraction there; `served` reached it with the caution that serving
    keeps, a standard error to spare. `served` is None where not every model was tried on the
    training prompts: serving then has a sample made up from priors. `constant` is the cheapest
    single model that reaches the fraction on the test, if one does.
    """

    chosen: Point
    served: Point | None = None
    constant: Model | None


class LeftOut(Struct, frozen=True, kw_only=True):
    """One dataset on a router that never saw it, at the λ chosen for `fraction`.

    `quality` and `cost_usd` are the router's. `base` is the one model that the training rows
    hold for best at this λ. `loss` is how far the router stays below it, when it is not cheaper
    (0 if it is). `constant` is the model that was best in training of those that cost no more than
    the router, and `below_constant` how far the router stays below it. `best_model` is the best in
    hindsight that costs no more than the router, and `regret` how far the router stays below that
    one: its interval is of the best of each resample. `foreign` is the share of prompts that look
    like nothing that was learned from. Intervals are 95% bootstrap intervals over the prompts of
    the dataset, the choices being what they are.
    """

    dataset: str
    prompts: int
    fraction: float
    quality: float
    cost_usd: float
    base: str
    base_quality: float
    base_cost_usd: float
    loss: float
    constant: str
    constant_quality: float
    below_constant: float
    best_model: str
    regret: float
    foreign: float
    quality_interval: Interval
    cost_usd_interval: Interval
    base_quality_interval: Interval
    base_cost_usd_interval: Interval
    loss_interval: Interval
    constant_quality_interval: Interval
    below_constant_interval: Interval
    regret_interval: Interval
    foreign_interval: Interval


class Micros(Struct, frozen=True):
    """Microseconds for reading a prompt and deciding, one core."""

    p50: float
    p99: float


class Share(Struct, frozen=True):
    """The share of decisions that rewording leaves `unchanged`.

    `beyond_tie` is the share that it changes to a model that was worth less for the prompt as it
    was by more than a hundredth of a right answer.
    """

    unchanged: float
    interval: Interval
    beyond_tie: float


class Stability(Struct, frozen=True, kw_only=True):
    """Whether test prompts in slightly other words go to the same model, as served.

    `at` is by the policy's fraction of the reference's quality, `sorts` by the sort of rewording,
    `all` over both. Intervals are over `prompts`, each with all of its rewordings.
    See `tierwise.learning.reword` for the sorts.
    """

    prompts: int
    all: Share
    at: dict[str, Share]
    sorts: dict[str, Share]


class Judged(Struct, frozen=True, kw_only=True):
    """What judging answers is worth: mean squared errors of P(right).

    `prompt` from the prompt alone, `answer` with each answer judged by itself, `answers` with all
    that were seen, on states of two answers and more.
    """

    prompt: float
    answer: float
    answers: float


class CascadeReport(Struct, frozen=True, kw_only=True):
    """What only a cascade has: the `line_up` of each split, `calls` a request at the point chosen
    for each fraction, and what judging was worth."""

    line_up: list[list[str]]
    calls: dict[str, float]
    squared_error: Judged


class Evaluation(Struct, frozen=True, kw_only=True):
    """All figures are on test prompts. `apgr`, `cpt50` and `cpt80` (percent) need two models.

    With a `cascade` all calls are billed, `small_share` is the share finished without the
    reference, `ece` is of P(right) of the answers in hand, and the ranking is by what was known
    once the weak model's answer was read.
    """

    apgr: float | None
    cpt50: float | None
    cpt80: float | None
    curve: list[Point]
    at: dict[str, At | None]
    best_constant: Model
    oracle: Model
    reference: Model
    constants: list[Model]
    ece: float
    decision_us: Micros
    intervals: dict[str, Interval]
    left_out: list[LeftOut]
    prompts: int
    trained_on: int
    datasets: dict[str, int]
    conclusion: str
    notes: list[str]
    stability: Stability | None = None
    cascade: CascadeReport | None = None
