"""The same question is known again in other clothes."""

from __future__ import annotations

import pytest

from tierwise.learning.overlap import standing_in, words

QUESTION = (
    "Which of these planets of the solar system has the shortest period of rotation about its axis"
)


def test_option_letters_punctuation_case_and_space_do_not_count():
    assert words("Pick ONE:\n(A) red,  B. blue") == words("pick one a) Red b) blue") == [
        "pick", "one", "red", "blue"
    ]  # fmt: skip


def test_chinese_is_read_character_by_character():
    assert words("太陽 B. x") == ["太", "陽", "x"]


@pytest.mark.parametrize(
    "other",
    [
        QUESTION.upper() + "?",
        f"Answer the question.\n\nQuestion: {QUESTION}?\nA. Venus\nB. Jupiter\nAnswer:",
        QUESTION.replace("solar system", "solar neighbourhood"),
    ],
)
def test_a_question_is_the_same_in_another_wrapping(other):
    assert standing_in([other], ["What is the capital of Peru?", QUESTION]).tolist() == [True]


def test_a_template_that_many_prompts_share_makes_none_the_same():
    wrap = "Think step by step and give the final answer after four hash marks at the end. {}"
    left = [wrap.format(f"What comes {i} days after the {i} of May?") for i in range(60)]
    right = [wrap.format(f"Which town has {i} bridges over {i} rivers?") for i in range(60)]
    assert not standing_in(left, right).any()


def test_short_texts_are_the_same_only_word_for_word():
    same = standing_in(["two plus two", "two plus three"], ["Two plus two!"])
    assert same.tolist() == [True, False]


def test_nothing_stands_in_nothing():
    assert standing_in(["a question"], []).tolist() == [False]
