"""How alike prompts must be to mean the same, measured on prompts."""

from __future__ import annotations

import pytest

from tierwise.errors import ConfigError
from tierwise.learning.likeness import THRESHOLDS, likeness

TOPICS = (
    "bees", "bread", "bridges", "clocks", "coffee", "comets", "deserts", "eclipses", "ferries",
    "glaciers", "harps", "islands", "jazz", "kites", "lenses", "magnets", "novels", "opera",
    "pottery", "quilts", "rivers", "salt", "tides", "umbrellas",
)  # fmt: skip
DIFFERENT = [
    f"{verb} {topic} {rest}"
    for topic, verb, rest in zip(
        TOPICS,
        ["Explain how", "Write a poem about", "List three facts on", "Compare old and new"] * 6,
        ["to a child of six", "in the style of a ballad", "that surprise people", "ways of work"]
        * 6,
        strict=True,
    )
]


def test_a_higher_threshold_takes_fewer_for_another_and_finds_fewer_again() -> None:
    measured = likeness(DIFFERENT, 0)
    assert [one.threshold for one in measured.at] == list(THRESHOLDS)
    for shares in ([one.false for one in measured.at], [one.found for one in measured.at]):
        assert shares == sorted(shares, reverse=True)
    assert measured.prompts == len(DIFFERENT)
    assert measured.at[0].found > 0.5


def test_prompts_that_hardly_differ_cannot_be_kept_apart() -> None:
    near = [f"{text}, briefly put" for text in DIFFERENT] + [
        f"{text}, put briefly" for text in DIFFERENT
    ]
    measured = likeness(near, 0)
    assert measured.recommended is None
    assert measured.at[-1].false > 0.5
    assert {text.replace(", put briefly", ", briefly put") for text in measured.closest} & set(near)


def test_the_same_prompt_counts_once() -> None:
    assert likeness([*DIFFERENT, *DIFFERENT], 0) == likeness(DIFFERENT, 0)


def test_too_few_prompts_are_refused() -> None:
    with pytest.raises(ConfigError, match="too few"):
        likeness(DIFFERENT[:5], 0)
