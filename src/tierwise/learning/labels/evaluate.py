"""Accuracy of kind, domain and language by cross-validation, beside the rules of the lexicon.

An example is only ever judged by heads that saw neither it nor a variant of it; for prompts with a
passage, no passage that they learned from either. Held-out prompts are judged by heads fitted to
all the rest. MMLU is held out twice: by prompt, and by whole
subject, which asks for domains in subjects never seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from tierwise.analysis.language import language_of
from tierwise.analysis.profile import analyse
from tierwise.learning.labels.examples import Example
from tierwise.learning.labels.fit import Features, Rows, fit_domains, fit_kinds
from tierwise.types import Message, Profile, Task


class Score(Struct, frozen=True, kw_only=True):
    """One measured accuracy: of how many, how many are right, and how many the rules get."""

    what: str
    count: int
    accuracy: float
    macro_recall: float
    rules: float | None = None
    by_class: dict[str, float] = {}


Scores = list[Score]


def evaluate(features: Features, held_out: Features, *, folds: int = 5, seed: int = 0) -> Scores:
    """All scores; takes a minute. `held_out` has the frame of `features`."""
    examples = features.examples
    rng = np.random.default_rng(seed)
    by_prompt = _assign([_prompt_of(n, e) for n, e in enumerate(examples)], folds, rng)
    by_subject = _assign([e.group for e in examples], folds, rng)
    kinds, domains = _predict(features, by_prompt, folds)
    _, unseen = _predict(features, by_subject, folds)
    own = [n for n, e in enumerate(examples) if e.source == "own"]
    passage = [n for n, e in enumerate(examples) if e.source == "passage"]
    mmlu = [n for n, e in enumerate(examples) if e.source == "mmlu"]
    foreign = [n for n in own if examples[n].language != "en"]
    all_held_out = list(range(len(held_out.examples)))
    kinds_held_out, domains_held_out = _fitted_to_all(features, held_out)
    return [
        _kinds("kind, our prompts", features, own, kinds),
        _kinds("kind, those that are not English", features, foreign, kinds),
        _kinds("kind, ours with a passage", features, passage, kinds),
        _kinds("kind, held-out prompts", held_out, all_held_out, kinds_held_out),
        _domains("domain, our prompts", features, own, domains),
        _domains("domain, held-out prompts", held_out, all_held_out, domains_held_out),
        _domains("domain, MMLU held out by prompt", features, mmlu, domains),
        _domains("domain, MMLU held out by subject", features, mmlu, unseen),
        _languages("language, our prompts", features, own),
    ]


def _prompt_of(number: int, example: Example) -> str:
    """What must stay together: the variants of one prompt of ours, else the example alone."""
    return example.group if example.source in ("own", "passage") else str(number)


def _predict(features: Features, assigned: Rows, folds: int) -> tuple[list[str], list[str]]:
    """Kind and domain of every example by classifiers that were fitted to the other folds."""
    examples = features.examples
    kinds, domains = [""] * len(examples), [""] * len(examples)
    has_kind = np.array([e.kind is not None for e in examples])
    has_domain = np.array([e.domain is not None for e in examples])
    passage = np.array([e.passage for e in examples])
    for fold in range(folds):
        test = np.flatnonzero(assigned == fold)
        # Passages of even number teach, those of odd number test.
        train = (assigned != fold) & ((passage < 0) | (passage % 2 == 0))
        by_kind = fit_kinds(features, np.flatnonzero(train & has_kind))
        by_domain = fit_domains(features, np.flatnonzero(train & has_domain))
        for row, kind, domain in zip(
            test,
            by_kind.predict(features.kinds[test]),
            by_domain.predict(features.domains[test]),
            strict=True,
        ):
            kinds[row], domains[row] = kind, domain
    return kinds, domains


def _fitted_to_all(features: Features, held_out: Features) -> tuple[list[str], list[str]]:
    examples = features.examples
    kinds = fit_kinds(features, np.flatnonzero([e.kind is not None for e in examples]))
    domains = fit_domains(features, np.flatnonzero([e.domain is not None for e in examples]))
    return kinds.predict(held_out.kinds), domains.predict(held_out.domains)


def _assign(groups: Sequence[str], folds: int, rng: np.random.Generator) -> Rows:
    """A fold for every example, the same for all of one group."""
    different = sorted(set(groups))
    fold_of = dict(zip(different, rng.permutation(len(different)) % folds, strict=True))
    return np.array([fold_of[group] for group in groups])


def _kinds(what: str, features: Features, rows: Sequence[int], found: Sequence[str]) -> Score:
    chosen = [features.examples[row] for row in rows]
    rules = [str(_by_rules(example.text).kind) for example in chosen]
    return _score(what, [str(e.kind) for e in chosen], [found[row] for row in rows], rules)


def _domains(what: str, features: Features, rows: Sequence[int], found: Sequence[str]) -> Score:
    chosen = [features.examples[row] for row in rows]
    rules = [str(_by_rules(example.text).domain) for example in chosen]
    return _score(what, [str(e.domain) for e in chosen], [found[row] for row in rows], rules)


def _languages(what: str, features: Features, rows: Sequence[int]) -> Score:
    chosen = [features.examples[row] for row in rows]
    return _score(what, [e.language for e in chosen], [language_of(e.text) for e in chosen])


def _score(
    what: str, truth: Sequence[str], found: Sequence[str], rules: Sequence[str] | None = None
) -> Score:
    names = np.array(truth)
    right = names == np.array(found)
    by_class = {str(name): float(right[names == name].mean()) for name in sorted(set(truth))}
    return Score(
        what=what,
        count=len(truth),
        accuracy=float(right.mean()),
        macro_recall=float(np.mean(list(by_class.values()))),
        rules=float((names == np.array(rules)).mean()) if rules is not None else None,
        by_class=by_class,
    )


def _by_rules(text: str) -> Profile:
    return analyse(Task(body=b"", model="auto", messages=[Message("user", text)]))
