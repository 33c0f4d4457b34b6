"""The learned scorer: P(right) of every model's answer, given the answers seen so far.

Two stages, both logistic, so that each reason can be read off a weight. The first judges an answer
by itself: what was expected of its model on this prompt, how sure it was, what it looks like. The
second lets the answers vote: how much speaks for an answer, how much for another, who agrees with
whom. Of models that were not asked yet it says what they would do, now that others have answered.

All state is in arrays that `tierwise.learning.cascade` fits; numpy is all it takes to serve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tierwise.gates.evidence import KINDS, Evidence, alike

Matrix = NDArray[np.float64]

_VOTE = 0.5
"""Log-odds at which an answer's vote begins to count in proportion to them."""
_MOST_ODDS = 5.0
_CLOSED_KINDS = 4
"""Of the kinds of answers the first four are told apart; the others count as one."""


class Answers(Struct, frozen=True):
    """Answers of m models to n prompts, as numbers.

    `features` (n, m, F), `alike` (n, m, m) and `kind` (n, m) are of each answer; where a model was
    not asked they are zeros, and nobody looks.
    """

    features: NDArray[np.float32]
    alike: NDArray[np.float32]
    kind: NDArray[np.int8]

    def rows(self, keep: NDArray[Any]) -> Answers:
        """Only these prompts."""
        return Answers(self.features[keep], self.alike[keep], self.kind[keep])

    def only(self, models: Sequence[int]) -> Answers:
        """Only these models, in this order."""
        at = list(models)
        return Answers(self.features[:, at], self.alike[:, at][:, :, at], self.kind[:, at])


def gathered(seen: Mapping[int, Evidence], models: int) -> Answers:
    """The answers to one prompt; `seen` are those of the models that were asked."""
    first = next(iter(seen.values()))
    features = np.zeros((1, models, len(first.features)), np.float32)
    likeness = np.zeros((1, models, models), np.float32)
    kind = np.zeros((1, models), np.int8)
    for model, one in seen.items():
        features[0, model], kind[0, model] = one.features, one.kind
        for other, their in seen.items():
            likeness[0, model, other] = 1.0 if other == model else alike(one, their)
    return Answers(features, likeness, kind)


class Scorer:
    """Judges answers by fitted weights. Immutable, safe to share between threads.

    Args:
        arrays: `own` (m, F + 2, 3) and `heads` (2, m, G, 3), see `linear`.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._own = arrays["scorer_own"].astype(np.float64)
        self._heads = arrays["scorer_heads"].astype(np.float64)

    def own(self, answers: Answers, quality: Matrix) -> Matrix:
        """Log-odds that each answer is right, judged by itself, (n, m)."""
        return np.column_stack(
            [
                linear(own_features(answers, quality, model), weights)
                for model, weights in enumerate(self._own)
            ]
        )

    def posterior(self, answers: Answers, quality: Matrix, seen: Sequence[int]) -> Matrix:
        """P(right) of every model's answer, (n, m), once those of `seen` are known.

        Args:
            answers: of which only those of `seen` are looked at.
            quality: what was predicted from the prompts, (n, m).
            seen: models whose answers are known; at least one.
        """
        own = np.zeros_like(quality)
        prior = log_odds(quality)
        for model in seen:
            own[:, model] = linear(_own_features(answers, prior, model), self._own[model])
        return self.combined(answers, quality, own, seen)

    def combined(
        self, answers: Answers, quality: Matrix, own: Matrix, seen: Sequence[int]
    ) -> Matrix:
        """As `posterior`, where the answers have been judged by themselves already."""
        odds = np.empty_like(quality)
        ballot = _ballot(answers, quality, own, seen)
        rows, models = quality.shape
        # For one prompt the calls are what costs, so all models go through them together; for
        # thousands it is memory.
        together = [list(range(models))] if rows == 1 else [[model] for model in range(models)]
        for group in together:
            features = ballot.features(group)
            for place, model in enumerate(group):
                weights = self._heads[0 if model in seen else 1, model]
                odds[:, model] = linear(features[:, place], weights)
        known: Matrix = 1.0 / (1.0 + np.exp(-np.clip(odds, -20, 20)))
        return known


def linear(features: Matrix, weights: Matrix) -> NDArray[np.float64]:
    """Log-odds (n,) of features (n, G).

    `weights` (G + 1, 3): mean, spread and weight of each feature; the last weight is the bias.
    """
    scaled = (features - weights[:-1, 0]) / weights[:-1, 1]
    odds: NDArray[np.float64] = scaled @ weights[:-1, 2] + weights[-1, 2]
    return odds


def log_odds(p: Matrix) -> Matrix:
    """Of probabilities, bounded at 2% and 98%: nothing is surer from a prompt alone."""
    bounded = np.clip(p, 0.02, 0.98)
    odds: Matrix = np.log(bounded / (1.0 - bounded))
    return odds


def own_features(answers: Answers, quality: Matrix, model: int) -> Matrix:
    """What one model's answer is judged by alone, (n, F + 3)."""
    return _own_features(answers, log_odds(quality), model)


def _own_features(answers: Answers, prior: Matrix, model: int) -> Matrix:
    return np.column_stack(
        [prior[:, model], prior.mean(axis=1), prior.max(axis=1), answers.features[:, model]]
    )


def state_features(
    answers: Answers, quality: Matrix, own: Matrix, seen: Sequence[int], model: int
) -> Matrix:
    """What a model's answer is judged by, once those of `seen` are known, (n, G).

    For a model that was not asked, the answer that most speaks for stands in the place of its own.
    """
    return _ballot(answers, quality, own, seen).features([model])[:, 0]


class _Ballot(Struct, frozen=True):
    """The answers of `seen` models, and what is the same whichever model is judged by them.

    `prior` (n, m) are log-odds by the prompts; `odds`, `vote` and `support` (n, k) of the k answers
    by themselves, what each says and how much speaks for it; `likeness` is (n, k, k), `mean` and
    `most` are of the prior, (n,).
    """

    seen: list[int]
    prior: Matrix
    odds: Matrix
    vote: Matrix
    likeness: NDArray[np.float32]
    support: Matrix
    likeliest: NDArray[np.intp]
    kinds: Matrix
    known: Matrix
    mean: NDArray[np.float64]
    most: NDArray[np.float64]

    def features(self, models: Sequence[int]) -> Matrix:
        """What each of k models is judged by, (n, k, G); see `state_features`."""
        at, vote = self.seen, self.vote[:, None]
        every = np.arange(len(self.prior))[:, None]
        place = np.array([at.index(m) if m in at else -1 for m in models])
        place = np.where(place < 0, self.likeliest[:, None], place)
        mine, likely = self.likeness[every, place], self.odds[every, place]
        prior, odds = self.prior[:, models], self.odds[:, None]
        same = mine > 0.5
        others = np.where(same, -4.0, odds).max(axis=2)
        divided = (~same.all(axis=2)).astype(np.float64)
        united = (1.0 - divided) * float(len(at) > 1)
        rival = np.where(same, 0.0, self.support[:, None]).max(axis=2)
        others = np.where(divided > 0, others, -1.0)
        parts = (
            likely, prior, np.where(same, vote, 0.0).sum(axis=2) - self.vote[every, place],
            np.where(same, 0.0, vote).sum(axis=2), rival, others,
            np.where(same, odds, -4.0).max(axis=2), self.mean[:, None], self.most[:, None],
            same.sum(axis=2) - 1.0, (~same).sum(axis=2), united, divided,
            united * likely, divided * likely, united * prior,
            divided * prior, np.minimum(likely, 0.0), np.maximum(likely - 2.0, 0.0),
            divided * others, divided * rival,
        )  # fmt: skip
        kinds = self.kinds[:, None]
        signs, votes = self._ballots(models, mine)
        blocks = (
            kinds, kinds * united[..., None], kinds * divided[..., None], kinds * likely[..., None],
            signs, votes, self.known[:, None],
        )  # fmt: skip
        width = len(parts) + sum(block.shape[2] for block in blocks)
        found = np.empty((*likely.shape, width))
        for column, part in enumerate(parts):
            found[..., column] = part
        start = len(parts)
        for block in blocks:
            found[..., start : start + block.shape[2]] = block
            start += block.shape[2]
        return found

    def _ballots(self, models: Sequence[int], mine: NDArray[np.float32]) -> tuple[Matrix, Matrix]:
        """Who says the same as each of k models (1) or not (-1), and how loudly, (n, k, m)."""
        shape = (len(self.prior), len(models), self.prior.shape[1])
        signs, votes = np.zeros(shape), np.zeros(shape)
        signs[..., self.seen] = 2.0 * mine - 1.0
        for place, model in enumerate(models):
            signs[:, place, model] = 0.0
        votes[..., self.seen] = signs[..., self.seen] * self.vote[:, None]
        return signs, votes


def _ballot(answers: Answers, quality: Matrix, own: Matrix, seen: Sequence[int]) -> _Ballot:
    at = list(seen)
    prior = log_odds(quality)
    odds = np.clip(own[:, at], -4.0, _MOST_ODDS)
    vote = np.logaddexp(0.0, odds + _VOTE)
    likeness = answers.alike[:, at][:, :, at]
    support = np.einsum("nab,nb->na", likeness, vote)
    known = np.zeros(quality.shape)
    known[:, at] = 1.0
    return _Ballot(
        seen=at,
        prior=prior,
        odds=odds,
        vote=vote,
        likeness=likeness,
        support=support,
        likeliest=support.argmax(axis=1),
        kinds=_kinds(answers.kind[:, at[0]]),
        known=known,
        mean=prior.mean(axis=1),
        most=prior.max(axis=1),
    )


def _kinds(kind: NDArray[np.int8]) -> Matrix:
    """One column a kind of answer, (n, 5)."""
    last = min(_CLOSED_KINDS, len(KINDS) - 1)
    found: Matrix = (np.minimum(kind, last)[:, None] == np.arange(last + 1)).astype(np.float64)
    return found
