"""Rewordings change how a prompt is written, and not what it asks."""

from __future__ import annotations

import numpy as np
import pytest

from tierwise.analysis.question import folded
from tierwise.learning.reword import SORTS

PROMPT = (
    "Ada has 17 shells and buys 25 more, but gives away 4. How many shells are there in all?\n"
    "(a) 38 (b) 42 (c) 17\nAnswer:"
)
CODE = "Write a function `total(xs)` that returns the sum.\n\ndef total(xs):\n    ..."


def reworded(sort: str, text: str = PROMPT) -> set[str]:
    return {SORTS[sort](text, np.random.default_rng(seed)) for seed in range(20)}


@pytest.mark.parametrize("sort", SORTS)
def test_the_same_seed_gives_the_same_rewording(sort: str) -> None:
    one, other = (SORTS[sort](PROMPT, np.random.default_rng(3)) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("sort", SORTS)
def test_every_sort_changes_the_text_and_leaves_numbers_and_options_alone(sort: str) -> None:
    for text in reworded(sort):
        assert text != PROMPT
        for kept in ("17", "25", "(a) 38", "(b) 42", "(c) 17"):
            assert kept in text.lower()


def test_capitals_are_all_that_differs_in_other_capitals() -> None:
    assert {folded(text) for text in reworded("case")} == {folded(PROMPT)}


def test_typing_mistakes_are_few_and_keep_first_letters() -> None:
    before = PROMPT.split()
    for text in reworded("typos"):
        after = text.split()
        wrong = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert 1 <= len(wrong) <= 4
        assert all(a[0] == b[0] for a, b in wrong)


def test_courtesy_leaves_the_prompt_whole() -> None:
    assert all(PROMPT in text for text in reworded("courtesy"))


@pytest.mark.parametrize("sort", ["typos", "paraphrase"])
def test_names_in_code_stay(sort: str) -> None:
    for text in reworded(sort, CODE):
        assert "`total(xs)`" in text
        assert "def total(xs):" in text


@pytest.mark.parametrize("text", ["", " ", "42", "今天天气怎么样"])
@pytest.mark.parametrize("sort", SORTS)
def test_a_text_without_words_is_reworded_all_the_same(sort: str, text: str) -> None:
    assert text.strip() in SORTS[sort](text, np.random.default_rng(0))
