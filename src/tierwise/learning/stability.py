"""Whether a prompt in slightly other words is sent to the same model: a share of decisions.

Decisions are made as `tierwise serve` makes them: the artifact is written and loaded, tasks are
analysed, estimates drawn towards priors, the rate is solved from the artifact's own sample and the
guard has its say. So this is not the λ of the curve, but what a policy of that quality does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.analysis.question import split_recorded_tools
from tierwise.learning import metrics
from tierwise.learning.data import Data
from tierwise.learning.figures import Tested
from tierwise.learning.result import Share, Stability
from tierwise.learning.reword import SORTS
from tierwise.learning.served import Server, offered
from tierwise.routing.learned import Learned
from tierwise.types import Decision

QUALITIES = (0.95, 0.98, 0.99)
"""Policies' fractions of the reference's quality that decisions are made for."""
MOST_PROMPTS = 400
"""So many prompts, in five rewordings each, tell the share to a point or so."""
NEAR = 0.01
"""Values this close are a tie to whoever asks: one answer more in a hundred that is right."""


class Compared(Struct, frozen=True):
    """Decisions on rewordings, (prompts, sorts, qualities): whether the model stayed the same, and
    whether one that did not was worth more than a tie less for the prompt as it was."""

    same: NDArray[np.bool_]
    beyond: NDArray[np.bool_]


def stability(tested: Sequence[Tested], data: Data, seed: int) -> Stability:
    """The share of decisions that rewording does not change, over the test rows of all splits."""
    random = np.random.default_rng(seed)
    share = MOST_PROMPTS // len(tested) + 1
    found: list[Compared] = []
    for one in tested:
        server = _server(one.learned, data)
        rows = random.permutation(one.split.test)[:share]
        found.append(_compare(server, [data.test.prompts[row].text for row in rows], random))
    return _report(
        Compared(
            np.concatenate([one.same for one in found]),
            np.concatenate([one.beyond for one in found]),
        ),
        random,
    )


def _compare(server: Server, texts: Sequence[str], random: np.random.Generator) -> Compared:
    """What becomes of prompts as they are and reworded."""
    shape = (len(texts), len(SORTS), len(QUALITIES))
    same, beyond = np.zeros(shape, bool), np.zeros(shape, bool)
    for at, text in enumerate(texts):
        asked, tools = split_recorded_tools(text)
        rest = text[len(asked) :] if tools is not None else ""
        before = server.decide(asked + rest, QUALITIES)
        for number, reword in enumerate(SORTS.values()):
            after = server.decide(reword(asked, random) + rest, QUALITIES)
            for place, (old, new) in enumerate(zip(before, after, strict=True)):
                (first, values), (other, _) = _worth(old), _worth(new)
                same[at, number, place] = first == other
                beyond[at, number, place] = values[first] - values[other] > NEAR
    return Compared(same, beyond)


def _server(learned: Learned, data: Data) -> Server:
    """A server that uses what was learned, with the models under the names it learned them by."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "router.npz"
        learned.artifact.save(file)
        return Server(str(file), offered(data), data.models[data.reference])


def _worth(decision: Decision) -> tuple[str, dict[str, float]]:
    """The model that goes first, and what each is worth."""
    values = {one.model: one.value for one in decision.candidates if one.value is not None}
    return decision.plan.tiers[0].model, values


def _report(found: Compared, random: np.random.Generator) -> Stability:
    """Shares with intervals: prompts are drawn, and with each all of its rewordings."""

    def share(same: NDArray[np.float64], beyond: NDArray[np.float64]) -> Share:
        # Rounded, because resamples of all the same add up to a hair more than 1.
        low, high = metrics.interval(metrics.weights(len(same), random) @ same)
        return Share(
            unchanged=round(float(same.mean()), 6),
            interval=(round(low, 6), round(high, 6)),
            beyond_tie=round(float(beyond.mean()), 6),
        )

    at = found.same.astype(np.float64), found.beyond.astype(np.float64)
    return Stability(
        prompts=len(found.same),
        at={
            str(quality): share(*(table[:, :, place].mean(axis=1) for table in at))
            for place, quality in enumerate(QUALITIES)
        },
        sorts={
            name: share(*(table[:, number].mean(axis=1) for table in at))
            for number, name in enumerate(SORTS)
        },
        all=share(*(table.mean(axis=(1, 2)) for table in at)),
    )
