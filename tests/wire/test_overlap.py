"""What a continuation repeats of the text before it is taken off, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tierwise.errors import Diverged
from tierwise.wire.overlap import LONG, WINDOW, Overlap, Replay, Trimmer

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
REPETITIVE = st.text("ab0, \n", max_size=60)
ANY = st.one_of(TEXTS, REPETITIVE)


def chunked(text: str, cuts: Sequence[int]) -> list[str]:
    """The text in pieces that end at these places."""
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(places)]


CUTS = st.lists(st.integers(0, 200), max_size=12)


def trimmed(trim: Trimmer, pieces: Sequence[str]) -> str:
    return "".join([trim.feed(piece) for piece in pieces]) + trim.close()


def joined(said: str, continuation: str, cuts: Sequence[int] = (), *, strict: bool = False) -> str:
    return said + trimmed(Overlap(said, strict=strict), chunked(continuation, cuts))


@st.composite
def prose(draw: st.DrawFn) -> str:
    """Words of which none comes twice, with white space and punctuation between them."""
    words = draw(st.lists(st.text("abcdefghijkläß", min_size=2, max_size=9), unique=True,
                          min_size=2, max_size=40))  # fmt: skip
    # No word begins with another, so that only a repetition can look like one.
    words = [f"{chr(0x4E00 + i)}{word}" for i, word in enumerate(words)]
    gaps = draw(st.lists(st.sampled_from([" ", ", ", ".\n\n", "\n", " (", ") ", "  "]),
                         min_size=len(words), max_size=len(words)))  # fmt: skip
    return "".join(word + gap for word, gap in zip(words, gaps, strict=True))


@given(prose(), st.data(), st.integers(0, 12), CUTS)
def test_words_that_are_repeated_appear_once_wherever_the_text_was_cut(
    text: str, data: st.DataObject, words: int, cuts: list[int]
) -> None:
    cut = data.draw(st.integers(1, len(text)), "cut")
    said = text[:cut]
    core = said.rstrip()
    begins = [i for i in range(len(core)) if not i or core[i - 1].isspace() or core[i - 1] == "("]
    begins = [i for i in begins if not core[i].isspace()]
    at = begins[-words] if words and words <= len(begins) else len(core)
    assume(at == len(core) or len(core[at:].strip("(),. \n")) > 1)
    assert joined(said, text[at:], cuts) == text


@given(prose(), prose(), st.data(), CUTS, st.booleans())
def test_a_long_repetition_may_begin_within_a_word(
    before: str, after: str, data: st.DataObject, cuts: list[int], strict: bool
) -> None:
    said = before + "and so it goes on"
    begins = [i for i in range(len(said) - LONG + 1) if is_long(said[i:])]
    at = data.draw(st.sampled_from(begins), "at")
    assert joined(said, said[at:] + after, cuts, strict=strict) == said + after


def is_long(same: str) -> bool:
    return len(" ".join(same.split())) >= LONG and not same[0].isspace()


@given(prose(), st.data(), CUTS)
def test_an_answer_that_begins_from_the_beginning_appears_once(
    text: str, data: st.DataObject, cuts: list[int]
) -> None:
    cut = data.draw(st.integers(2, len(text)), "cut")
    assert joined(text[:cut], text, cuts) == text


@given(prose(), st.data(), CUTS, st.booleans())
def test_a_continuation_that_repeats_nothing_stays_as_it_is(
    text: str, data: st.DataObject, cuts: list[int], strict: bool
) -> None:
    cut = data.draw(st.integers(0, len(text)), "cut")
    assert joined(text[:cut], text[len(text[:cut].rstrip()) :], cuts, strict=strict) == text


@given(ANY, ANY, CUTS, st.booleans())
def test_of_any_continuation_only_what_was_said_already_is_taken_off(
    said: str, continuation: str, cuts: list[int], strict: bool
) -> None:
    left = trimmed(Overlap(said, strict=strict), chunked(continuation, cuts))
    assert continuation.endswith(left)
    gone = continuation[: len(continuation) - len(left)]
    assert "".join(said.split()).endswith("".join(gone.split()))


@given(ANY, ANY, CUTS, st.booleans())
def test_how_a_continuation_comes_in_pieces_makes_no_difference(
    said: str, continuation: str, cuts: list[int], strict: bool
) -> None:
    assert joined(said, continuation, cuts, strict=strict) == joined(
        said, continuation, strict=strict
    )


@given(ANY, ANY, CUTS)
@example("0\r00000\r0000", "", [])
def test_for_any_text_and_repetition_the_result_is_the_text_where_only_one_can_be_meant(
    text: str, more: str, cuts: list[int]
) -> None:
    core = text.rstrip()
    for at in range(len(core)):
        same = core[at:]
        if same[0].isspace() or not is_clear(core, at, same + more):
            continue
        assert joined(core, same + more, cuts) == core + more


def is_clear(core: str, at: int, continuation: str) -> bool:
    """Whether nothing but this repetition of many words can be meant, looked for by brute force."""
    flat, comes = " ".join(core.split()), " ".join(continuation.split())
    same = " ".join(core[at:].split())
    if len(same) < LONG or len(set(same.split())) < 3 or flat.count(same) > 1:
        return False
    ends = [flat[i:] for i in range(len(flat)) if comes.startswith(flat[i:])]
    if max(ends, key=len) != same:
        return False
    # A text that is found in two of itself, with or without a space between, may go on like that.
    return all(one not in (one + one)[1:-1] for one in (same, same + " "))


@given(ANY, st.data(), CUTS)
def test_a_replay_goes_on_after_all_that_was_said(
    text: str, data: st.DataObject, cuts: list[int]
) -> None:
    cut = data.draw(st.integers(0, len(text)), "cut")
    assert text[:cut] + trimmed(Replay(text[:cut]), chunked(text, cuts)) == text


@given(TEXTS, TEXTS, CUTS)
def test_a_replay_that_says_something_else_shows_nothing_of_it(
    said: str, other: str, cuts: list[int]
) -> None:
    assume(not other.startswith(said))
    shown: list[str] = []
    with pytest.raises(Diverged):
        replayed(said, chunked(other, cuts), shown)
    assert "".join(shown) == ""


def replayed(said: str, pieces: Sequence[str], shown: list[str]) -> None:
    replay = Replay(said)
    shown.extend(replay.feed(piece) for piece in pieces)
    replay.close()


@pytest.mark.parametrize(
    ("said", "continuation", "whole"),
    [
        ("The cat sat on the", "sat on the mat.", "The cat sat on the mat."),
        ("The cat sat on the", " mat.", "The cat sat on the mat."),
        ("The cat sat on the ", " mat.", "The cat sat on the mat."),
        ("The cat sat on the ", "mat.", "The cat sat on the mat."),
        ("The ca", "cat sat.", "The cat sat."),
        ("The ca", "t sat.", "The cat sat."),
        ("The cat\nsat on", "The cat sat on the mat.", "The cat\nsat on the mat."),
        ("The cat sat on the", "\n\nThe cat sat on the mat.", "The cat sat on the mat."),
        ("def f():\n    ", "\n        return 1", "def f():\n        return 1"),
        ("one\n", "\n\ntwo", "one\n\ntwo"),
        ("[0, ", "0, 1]", "[0, 0, 1]"),
        ("[0, 0, 0", ", 0, 0]", "[0, 0, 0, 0, 0]"),
        ("10, 10, ", "10, 10, 10", "10, 10, 10, 10, 10"),
        ("ban", "ana", "banana"),
        ("I like a", "ardvarks", "I like aardvarks"),
        ("He had", " had enough", "He had had enough"),
        ("0 00000 0000", "0 00000 0000", "0 00000 00000 00000 0000"),
        ("", "Anything", "Anything"),
        ("Done.", "", "Done."),
    ],
)
def test_a_text_and_its_continuation_make_one(said: str, continuation: str, whole: str) -> None:
    assert joined(said, continuation) == whole
    assert joined(said, continuation, range(len(continuation))) == whole


def test_no_more_is_held_back_than_can_still_be_a_repetition() -> None:
    trim = Overlap("It was the best of times, it was the worst")
    assert trim.feed("it was") == ""
    assert trim.feed(" the age") == "it was the age"
    assert trim.feed(" of wisdom") == " of wisdom"


def test_a_repetition_is_let_go_of_as_soon_as_it_is_complete() -> None:
    trim = Overlap("It was the best of times")
    assert trim.feed("the best of times") == ""
    assert trim.feed(",") == ","


def test_of_a_long_text_only_its_end_can_be_repeated() -> None:
    said = " ".join(f"word{i}" for i in range(WINDOW))
    assert joined(said, said[-300:] + " more") == said + " more"
    assert joined(said, said[:300]) == said + said[:300]


def test_white_space_alone_is_not_held_back_for_ever() -> None:
    trim = Overlap("one two three")
    shown = "".join(trim.feed(" " * 1000) for _ in range(40))
    assert len(shown) > 20_000
