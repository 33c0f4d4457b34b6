"""Sentences that are made up, all different: a text of them is no loop and deflates like prose."""

from __future__ import annotations

import random

_SUBJECTS = (
    "The harbour office", "A second reader", "The night shift", "Our oldest supplier",
    "The committee", "One of the drivers", "The new warehouse", "A careful clerk",
)  # fmt: skip
_VERBS = (
    "counts", "forwards", "repairs", "describes", "collects", "inspects", "returns", "measures",
)  # fmt: skip
_OBJECTS = (
    "crates of oranges", "signed letters", "copper valves", "train tickets", "winter coats",
    "open invoices", "broken lamps", "maps of the coast",
)  # fmt: skip
_WHEN = (
    "before the market opens", "on the second Tuesday", "whenever it rains", "without being asked",
    "after the long break", "in the smaller hall", "with some delay", "by the end of the week",
)  # fmt: skip
_SYLLABLES = ("ka", "ren", "dol", "mi", "sta", "ver", "lun", "to", "bri", "ane")


def sentence(dice: random.Random) -> str:
    """One of a few million, with a name in it that hardly comes twice."""
    name = "".join(dice.choice(_SYLLABLES) for _ in range(4)).capitalize()
    return (
        f"{dice.choice(_SUBJECTS)} {dice.choice(_VERBS)} {dice.randint(2, 900)} "
        f"{dice.choice(_OBJECTS)} for {name} {dice.choice(_WHEN)}."
    )


def text(dice: random.Random, characters: int) -> str:
    """Whole sentences, of about as many characters or a little more."""
    sentences: list[str] = []
    length = 0
    while length < characters:
        sentences.append(sentence(dice))
        length += len(sentences[-1]) + 1
    return " ".join(sentences)
