"""A prompt is taken apart into what leads up to it, the question, and its options."""

from __future__ import annotations

import pytest

from tierwise.analysis.question import folded, split, split_recorded_tools, uncourteous


def test_a_plain_prompt_is_all_question() -> None:
    question = split("why is the sky blue?")
    assert (question.lead, question.stem, question.options) == ("", "why is the sky blue?", ())


@pytest.mark.parametrize(
    "options",
    [
        "a. red\nb. green\nc. blue",
        "a) red\nb) green\nc) blue",
        "(a) red (b) green (c) blue",
        "1. red\n2. green\n3. blue",
        "1) red, 2) green, 3) blue",
        "option 1: red\noption 2: green\noption 3: blue",
    ],
)
def test_options_are_found_however_they_are_marked(options: str) -> None:
    question = split(f"which colour is it?\n{options}\nanswer:")
    assert question.stem == "which colour is it?"
    assert question.options == ("red", "green", "blue")


@pytest.mark.parametrize(
    "text",
    [
        "see plan b. it is better",
        "a. only one",
        "c. three\nd. four",
        "the value of f(a) and g(b) is known",
        "i bought 1. apples 3. pears",
    ],
)
def test_what_is_not_a_list_in_order_is_no_option(text: str) -> None:
    assert split(text).options == ()


def test_a_bracketed_letter_in_an_option_does_not_begin_a_new_list() -> None:
    question = split("then?\na. p(b) is 1\nb. p(a) = p(a) p(b)\nc. neither")
    assert question.options == ("p(b) is 1", "p(a) = p(a) p(b)", "neither")


def test_solved_examples_are_parted_from_the_last_question() -> None:
    question = split("q: 1+1?\nanswer: 2\n\nq: 2+2?\na. 3\nb. 4\nanswer:")
    assert question.lead == "q: 1+1?\nanswer: 2"
    assert question.stem.strip() == "q: 2+2?"
    assert question.options == ("3", "4")


def test_folding_leaves_lines_but_neither_capitals_nor_runs_of_blanks() -> None:
    assert folded("Hello  \t World\n\n  Again") == "hello world\n\n again"


def test_recorded_tools_are_taken_off_the_prompt() -> None:
    assert split_recorded_tools('Book it.\n\n[FUNCTIONS]\n{"name": "f"}') == (
        "Book it.",
        b'{"name": "f"}',
    )
    assert split_recorded_tools("Book it.") == ("Book it.", None)


def test_a_long_run_of_blanks_costs_no_more_than_its_length() -> None:
    # With a pattern that backtracks this would not come to an end.
    assert split("a." + " " * 300_000 + "b. x").options == ("", "x")


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Hi there! What is 2+2?", "what is 2+2?"),
        ("Please, what is 2+2? Many thanks.", "what is 2+2?"),
        ("Could you please add 2 and 2?\n\nThank you so much!", "add 2 and 2?"),
        ("Could you help me with this? What is 2+2?", "what is 2+2?"),
        ("what is 2+2?\nanswer:\n\nThanks", "what is 2+2?\nanswer:"),
        ("Translate this to German, please.", "translate this to german"),
    ],
)
def test_courtesies_are_not_read(said: str, asked: str) -> None:
    assert uncourteous(folded(said)) == asked


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "thank you",
        "hi-tech firms, which are best?",
        "write an email saying thanks to my boss",
        "who wrote 'please please me'?",
        "can you help me?",
        "",
    ],
)
def test_what_only_looks_like_a_courtesy_is_read(text: str) -> None:
    assert uncourteous(text) == text
