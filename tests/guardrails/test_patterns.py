"""Patterns of an operator's own, those among them that may take for ever."""

from __future__ import annotations

import asyncio

import pytest

from tierwise.errors import ConfigError
from tierwise.guardrails.patterns import Patterns
from tierwise.guardrails.plain import is_plain
from tierwise.guardrails.texts import Words

PLAIN = [
    r"sk-[a-z0-9]{20,}", r"\bpassword\s*[:=]\s*\S+", r"(?i)bluebird|redwing", r"[A-Z]{2}\d{6,9}",
    r"-----BEGIN [A-Z ]{1,30}PRIVATE KEY-----", r"(?:\d{4}[ -]?){3}\d{4}", r"(\w+\s)*end",
    r"(?>a+)b", r"a++b",
]  # fmt: skip
NOT_PLAIN = [r"(a+)+b", r"(a|a)*b", r"(?:a|ab)*c", r"(.*,)*x", r".*.*.*x", r"(\w+)*!", r"(a?){40}b"]


def texts(*said: str) -> list[Words]:
    return [Words([text], 0, text, "user") for text in said]


@pytest.mark.parametrize("pattern", PLAIN)
def test_plain_patterns_are_told(pattern: str) -> None:
    assert is_plain(pattern)


@pytest.mark.parametrize("pattern", NOT_PLAIN)
def test_patterns_that_may_take_for_ever_are_told(pattern: str) -> None:
    assert not is_plain(pattern)


@pytest.mark.parametrize("pattern", [r"sk-\w{3}", r"(?:s|s)*k-(\w+)*"])
async def test_both_sorts_find_the_same(pattern: str) -> None:
    found = await Patterns({"key": pattern}, ignore_case=True).look(
        texts("SK-abc", "none", "", "é sk-xyz")
    )
    assert [[(s.start, s.end, s.label) for s in one] for one in found] == [
        [(0, 6, "key")], [], [], [(2, 8, "key")],
    ]  # fmt: skip


async def test_case_counts_unless_it_is_told_not_to() -> None:
    assert await Patterns({"key": "abc"}, ignore_case=False).look(texts("ABC")) == [[]]


async def test_a_long_text_is_searched_whole() -> None:
    text = "x" * 100_000 + " sk-abc"
    found = await Patterns({"key": r"sk-\w+"}, ignore_case=False).look(texts(text))
    assert [(s.start, s.end) for s in found[0]] == [(100_001, len(text))]


async def test_a_search_without_end_is_ended_and_the_loop_goes_on_meanwhile() -> None:
    patterns = Patterns({"trap": r"(a+)+$"}, ignore_case=False, limit_s=0.5)
    looking = asyncio.create_task(patterns.look(texts("a" * 60 + "b")))
    turns = 0
    while not looking.done():
        await asyncio.sleep(0.01)
        turns += 1
    with pytest.raises(TimeoutError):
        await looking
    assert turns > 5


@pytest.mark.parametrize(("pattern", "words"), [("(", "is no regular"), ("a*", "nothing")])
def test_what_is_no_pattern_is_an_error_of_the_configuration(pattern: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        Patterns({"bad": pattern}, ignore_case=False)
    assert raised.value.field == "patterns.bad"
