"""Recorded answers judged by cascadeflow's gates and by ours: `rival_gates.py --help`.

Both stand on the same prompts with the same reference, every call billed as it was recorded.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import cascadeflow_gates
import curves
import msgspec
import numpy as np
import show
import typer
from cascadeflow_gates import Draft, Routes
from curves import Curve, Gap, Point
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.errors import ConfigError
from tierwise.learning.data import Data, Options, Split, load, splits
from tierwise.learning.evaluate_cascade import CascadeBench, TestedCascade
from tierwise.parquet import Table

FRACTIONS = (0.95, 0.98, 0.99, 1.0)
THRESHOLDS = np.round(np.linspace(0.2, 1.0, 161), 3)
"""Its confidences lie between 0.3 and 0.98."""


class At(Struct, frozen=True):
    """At a fraction of the reference's quality: the best point in `hindsight`, and the one that
    training rows chose, as it came out (`chosen`)."""

    hindsight: Point
    chosen: Point


class Side(Struct, frozen=True):
    """One way to decide: its points at each fraction."""

    at: dict[str, At]
    curve: list[Point]


class Compared(Struct, frozen=True):
    """One comparison: Tierwise (`ours`), and cascadeflow in the ways of `Rival.curves`.

    `default` is cascadeflow untouched; `ahead` is how far ours is ahead of each of its ways.
    """

    name: str
    default: Point | None
    ours: Side
    theirs: dict[str, Side]
    ahead: dict[str, Gap | None]


class Result(Struct, frozen=True):
    """What a run prints as JSON."""

    cascadeflow: str
    outcomes: str
    reference: str
    prompts: int
    quality: float
    cost_usd: float
    direct_share: float
    compared: list[Compared]
    notes: list[str]


class Rival(Struct, frozen=True):
    """cascadeflow on all rows, those to learn from too: it learns nothing, so none is spoilt.

    `curves` are by its confidence threshold: `as shipped`, with nothing else changed; with `any
    setting` of those that were tried; and by its `blind confidence`, stated without the prompt and
    with no gate beside it. No agent of its has that setting. Where a log-probability was recorded,
    it is little but that.
    """

    default: Curve
    curves: dict[str, Curve]


def main(
    outcomes: Annotated[
        Path, typer.Option(help="Folder with prompts.parquet and outcomes.parquet.")
    ],
    reference: Annotated[str, typer.Option(help="The larger model, and what is saved against.")],
    small: Annotated[
        list[str] | None,
        typer.Option(help="A smaller model to draft; repeatable. Default: all that cost less."),
    ] = None,
    own_split: Annotated[
        bool, typer.Option("--own-split", help="Learn on the source's `train`, test on its `test`.")
    ] = False,
    folds: Annotated[int, typer.Option(help="Of the cross-validation otherwise.", min=2)] = 5,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw cost against quality.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure cascadeflow's gates and Tierwise's on the same recorded answers."""
    options = Options(
        test=(outcomes,), reference=reference, own_split=own_split, folds=folds, cascade=True,
        seed=seed,
    )  # fmt: skip
    try:
        data = load(options)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None
    unknown = sorted(set(small or ()) - set(data.models))
    if unknown:
        raise typer.BadParameter(
            f"no outcomes of {', '.join(unknown)}; there are: {', '.join(data.models)}",
            param_hint="--small",
        )
    result = _compare(options, data, small or [])
    if plot is not None:
        show.draw(result, plot)
    if as_json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        show.table(result)


def _smaller(data: Data, rows: NDArray[np.intp]) -> list[str]:
    cost = data.test.costs[rows].mean(axis=0)
    return [name for at, name in enumerate(data.models) if cost[at] < cost[data.reference]]


def _compare(options: Options, data: Data, small: Sequence[str]) -> Result:
    plan = splits(options, data)
    test = np.concatenate([split.test for split in plan])
    show.say("cascadeflow's routes")
    routes = cascadeflow_gates.route([prompt.text for prompt in data.test.prompts])
    compared: list[Compared] = []
    rivals: list[Rival] = []
    for name in small or _smaller(data, test):
        pair = _only(data, (name, options.reference))
        rivals.append(_rival(options, pair, name, routes))
        show.say(f"Tierwise, {name} and {options.reference}")
        compared.append(_compared(options, pair, name, rivals[-1], plan))
    show.say("Tierwise, all models")
    best = Rival(
        curves.joined([one.default for one in rivals]),
        {way: curves.joined([one.curves[way] for one in rivals]) for way in rivals[0].curves},
    )
    compared.append(_compared(options, data, "any of them", best, plan))
    at = data.reference
    return Result(
        cascadeflow_gates.VERSION,
        options.test[0].name,
        options.reference,
        len(test),
        float(data.test.scores[test, at].mean()),
        float(data.test.costs[test, at].mean()),
        float(routes.direct[test].mean()),
        compared,
        data.notes,
    )


def _only(data: Data, models: tuple[str, ...]) -> Data:
    """The same rows, whatever the models: a pair keeps what all have in common."""
    part = data.test.only(models)
    return Data(part, part, models, len(models) - 1, data.notes)


def _compared(
    options: Options, data: Data, name: str, rival: Rival, plan: Sequence[Split]
) -> Compared:
    bench = CascadeBench(options, data, lambda _done: None)
    tested = [bench.run(split) for split in plan]
    test = np.concatenate([split.test for split in plan])
    ours = _ours(tested, data.reference)
    theirs = {way: curve.rows(test) for way, curve in rival.curves.items()}
    default = rival.default.rows(test)
    return Compared(
        name,
        curves.point(default, 1) if len(default.labels) == 2 else None,
        _side(ours, _our_choice(tested, ours, data.reference)),
        {way: _side(curve, _chosen(rival.curves[way], plan)) for way, curve in theirs.items()},
        {way: curves.gap(ours, curve, options.seed) for way, curve in theirs.items()},
    )


def _side(curve: Curve, chosen: dict[float, Point]) -> Side:
    at = {
        str(fraction): At(curves.point(curve, curves.cheapest(curve, fraction)), chosen[fraction])
        for fraction in FRACTIONS
    }
    return Side(at, [curves.point(curve, place) for place in range(len(curve.labels))])


def _chosen(whole: Curve, plan: Sequence[Split]) -> dict[float, Point]:
    """What the points that training rows chose come to on the test rows, split by split."""
    test = np.concatenate([split.test for split in plan])
    found: dict[float, Point] = {}
    for fraction in FRACTIONS:
        picks = [curves.cheapest(whole.rows(split.train), fraction) for split in plan]
        score, cost, small = (
            np.concatenate([table[at, split.test] for at, split in zip(picks, plan, strict=True)])
            for table in (whole.score, whole.cost, whole.small)
        )
        label = ", ".join(dict.fromkeys(whole.labels[at] for at in picks))
        found[fraction] = curves.made(whole.rows(test), label, score, cost, small)
    return found


def _ours(tested: Sequence[TestedCascade], reference: int) -> Curve:
    """Our test curve: what each λ came to, over all splits."""
    points = range(len(tested[0].path))
    came = [[one.path[place] for one in tested] for place in points]
    return Curve(
        ["always", *("λ" for _ in points[1:])],
        np.stack([np.concatenate([one.score for one in walks]) for walks in came], dtype="f4"),
        np.stack([np.concatenate([one.cost_usd for one in walks]) for walks in came], dtype="f4"),
        np.stack([np.concatenate([~one.asked[:, reference] for one in walks]) for walks in came]),
    )


def _our_choice(tested: Sequence[TestedCascade], ours: Curve, reference: int) -> dict[float, Point]:
    found: dict[float, Point] = {}
    for fraction in FRACTIONS:
        picks = [one.picks[str(fraction)] for one in tested]
        found[fraction] = curves.made(
            ours, "λ",
            np.concatenate([came.score for came in picks]),
            np.concatenate([came.cost_usd for came in picks]),
            np.concatenate([~came.asked[:, reference] for came in picks]),
        )  # fmt: skip
    return found


def _rival(options: Options, pair: Data, name: str, routes: Routes) -> Rival:
    drafts = _drafts(options.test[0], pair, name)
    judged = cascadeflow_gates.judge(drafts, routes, lambda done: show.say(f"{name} {done:.0%}"))
    drafted, always = ~routes.direct, np.ones(len(drafts), bool)
    shipped = _by_threshold(pair, drafted, judged.gates, f"{name}: as shipped")
    settings = [
        shipped,
        _by_threshold(pair, always, judged.gates, f"{name}: all drafted"),
        _by_threshold(pair, always, judged.short, f"{name}: short answers"),
        _by_threshold(pair, always, judged.confidence, f"{name}: confidence alone"),
    ]
    return Rival(
        _accepted(pair, drafted, judged.shipped[None], [f"{name}: default"]),
        {
            "as shipped": shipped,
            "any setting": curves.joined(settings),
            "blind confidence": _by_threshold(pair, always, judged.blind, f"{name}: blind"),
        },
    )


def _by_threshold(
    pair: Data, drafted: NDArray[np.bool_], limit: NDArray[np.float64], label: str
) -> Curve:
    accepted = limit >= THRESHOLDS[:, None]
    # Thresholds between the same two limits decide alike.
    _, first = np.unique(accepted.sum(axis=1), return_index=True)
    return _accepted(pair, drafted, accepted[first], [f"{label} {t:g}" for t in THRESHOLDS[first]])


def _accepted(
    pair: Data, drafted: NDArray[np.bool_], accepted: NDArray[np.bool_], labels: list[str]
) -> Curve:
    """The curve of these decisions (p, n): a draft is billed where it is made, the reference
    wherever no draft is accepted."""
    small, large = 0, 1
    score, cost = pair.test.scores, pair.test.costs
    done = np.vstack([np.zeros_like(drafted), accepted & drafted])
    made = np.vstack([np.zeros_like(drafted), np.broadcast_to(drafted, accepted.shape)])
    return Curve(
        ["always", *labels],
        np.where(done, score[:, small], score[:, large]).astype("f4"),
        (made * cost[:, small] + ~done * cost[:, large]).astype("f4"),
        done,
    )


def _drafts(folder: Path, pair: Data, name: str) -> list[Draft]:
    """The recorded answers of a model; one that is missing is empty, as it would be served."""
    table = Table(
        folder / "outcomes.parquet", ("prompt_id", "model"), optional=("response", "logprob"),
        remedy="outcomes.parquet needs a `response` column.",
    )  # fmt: skip
    said = {
        prompt: (text or "", logprob)
        for prompt, model, text, logprob in zip(
            table.texts("prompt_id"), table.texts("model"), table.texts_or_none("response"),
            table.numbers("logprob", most=0.0, least=-np.inf), strict=True,
        )
        if model == name
    }  # fmt: skip
    return [Draft(p.text, *said.get(p.id, ("", None))) for p in pair.test.prompts]


if __name__ == "__main__":
    typer.run(main)
