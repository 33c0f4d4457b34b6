"""Questions whose answer stands in the text above them, directly or over one corner."""

from __future__ import annotations

import random

from tierwise.fleet.tasks.base import Task, ask, person
from tierwise.types import Domain

_PLACES: dict[Domain, tuple[str, str, tuple[str, ...]]] = {
    "general": ("works in", "room", ("the mill", "the archive", "the bakery", "the depot")),
    "legal": (
        "represents the plaintiff before",
        "court file",
        ("the county court", "the labour court", "the patent court", "the appeal court"),
    ),
    "medical": (
        "treats patients in",
        "ward code",
        ("the renal clinic", "the burns unit", "the cardiac ward", "the eye clinic"),
    ),
    "finance": (
        "audits the accounts of",
        "ledger code",
        ("the pension fund", "the savings bank", "the bond desk", "the tax office"),
    ),
}


def make(rng: random.Random, number: int) -> Task:
    """The more people are named the harder; asked for the code, two facts must be joined."""
    domain = list(_PLACES)[number % len(_PLACES)]
    verb, code, places = _PLACES[domain]
    who: list[str] = []
    count = rng.randint(2, 4)
    while len(who) < count:
        name = person(rng)
        if name not in who:
            who.append(name)
    where = rng.sample(places, count)
    codes = rng.sample(range(1000, 9999), count)
    sentences = [f"{name} {verb} {place}." for name, place in zip(who, where, strict=True)]
    sentences += [
        f"The {code} of {place} is {value}." for place, value in zip(where, codes, strict=True)
    ]
    rng.shuffle(sentences)
    asked = rng.randrange(count)
    two_steps = rng.random() < 0.5
    others = [i for i in range(count) if i != asked]
    if two_steps:
        question = f"What is the {code} of the place that {who[asked]} {verb}?"
        right, wrong = str(codes[asked]), tuple(str(codes[i]) for i in others)
    else:
        question = f"Which place is it that {who[asked]} {verb}?"
        right, wrong = where[asked], tuple(where[i] for i in others)
    return Task(
        request=ask(f"Note {number}. {' '.join(sentences)}\n\n{question}"),
        kind="qa",
        domain=domain,
        difficulty=0.05 + 0.1 * (count - 2) + 0.3 * two_steps + rng.uniform(0, 0.2),
        right=f"According to note {number}, it is {right}.",
        wrong=(*(f"According to note {number}, it is {one}." for one in wrong), "It is not said."),
        check=lambda answer: float(
            right in answer and not any(one in answer for one in wrong if one not in right)
        ),
    )
