"""Light rewordings of a prompt: capitals, typing mistakes, punctuation, courtesy, other words.

None of them changes what is asked, so none should change who is asked. What is changed is drawn
from a generator that is passed in. Only words of prose are touched: code, numbers, letters that
mark options and words with digits or capitals in the middle stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from numpy.random import Generator

_WORD = re.compile(r"(?<![\w\\$`_.{(=])[A-Za-z]{3,}(?![\w(`_={])")
_TYPO_WORD = re.compile(r"(?<![\w\\$`_.{(=])[A-Za-z]?[a-z]{4,}(?![\w(`_={])")
_SENTENCE_END = re.compile(r"(?<=[a-z])([.?!])(?=\s|$)")
_TYPO_SHARE, _MOST_TYPOS = 0.04, 4
_CAPITAL_SHARE, _MOST_CAPITALS = 0.05, 4
_MOST_SWAPS = 4

_BEFORE = (
    "Please help me with this: ",
    "Hi! ",
    "Hello, ",
    "Could you answer this for me? ",
    "I would like to know the following. ",
    "Quick question: ",
    "Please, ",
)
_AFTER = (
    "\n\nThank you!",
    " Thanks in advance.",
    "\n\nThanks",
    " Many thanks for your help!",
    " I appreciate it.",
)
_SAME = {
    "do not": "don't", "does not": "doesn't", "is not": "isn't", "are not": "aren't",
    "cannot": "can't", "it is": "it's", "what is": "what's", "that is": "that's",
    "will not": "won't", "did not": "didn't", "would not": "wouldn't", "how many": "what number of",
    "find": "determine", "determine": "find", "write": "create", "calculate": "compute",
    "compute": "calculate", "which of the following": "which one of these",
    "the following": "these", "choose": "pick", "select": "pick", "correct": "right",
    "given": "provided", "each": "every", "also": "additionally", "but": "yet",
    "because": "since", "many": "numerous", "about": "regarding", "begin": "start",
    "start": "begin", "buy": "purchase", "buys": "purchases", "gets": "receives",
    "get": "obtain", "big": "large", "large": "big", "small": "little", "quick": "fast",
    "show": "display", "show that": "demonstrate that", "use": "employ", "used": "employed",
    "need": "require", "needs": "requires", "only": "just", "answer": "reply",
    "usually": "normally", "total": "overall", "most likely": "most probably",
    "most": "the majority of", "person": "individual", "people": "persons", "best": "most suitable",
    "describes": "characterises", "explain": "clarify", "function": "procedure",
    "true": "correct", "false": "incorrect", "statement": "claim", "question": "query",
    "complete": "finish", "a few": "several", "several": "a few",
}  # fmt: skip
_PHRASES = re.compile(
    r"(?<![\w'\\$`_.{(=])("
    + "|".join(sorted(map(re.escape, _SAME), key=len, reverse=True))
    + r")(?![\w'(`_={])",
    re.IGNORECASE,
)


def capitals(text: str, random: Generator) -> str:
    """All small letters, a small first letter, or a few words in capitals."""
    way = int(random.integers(3))
    if way == 0:
        return text.lower()
    if way == 1:
        return text[:1].lower() + text[1:]
    return _some(text, _WORD, _CAPITAL_SHARE, _MOST_CAPITALS, random, lambda word: word.upper())


def typos(text: str, random: Generator) -> str:
    """Two letters swapped, one left out or one doubled: in one word in 25, four at most."""

    def mistyped(word: str) -> str:
        at = int(random.integers(1, len(word) - 1))
        way = int(random.integers(3))
        if way == 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return word[:at] + word[at + 1 :] if way == 1 else word[:at] + word[at] + word[at:]

    return _some(text, _TYPO_WORD, _TYPO_SHARE, _MOST_TYPOS, random, mistyped)


def punctuation(text: str, random: Generator) -> str:
    """The last mark gone or doubled, blanks around and between sentences, a comma less."""
    way = int(random.integers(4))
    if way == 0:
        found = list(_SENTENCE_END.finditer(text))
        if found:
            at = found[-1].start()
            return text[:at] + text[at + 1 :]
        return text + "."
    if way == 1:
        found = list(_SENTENCE_END.finditer(text))
        if found:
            at = found[-1].start()
            return text[:at] + text[at] * 2 + text[at + 1 :]
        return text + " "
    if way == 2:
        spread = _SENTENCE_END.sub(r"\1 ", text)
        return f"  {spread}\n"
    return text.replace(", ", " ", 1) if ", " in text else f"{text}\n"


def courtesy(text: str, random: Generator) -> str:
    """A greeting before, thanks behind, or both."""
    way = int(random.integers(3))
    before = _BEFORE[int(random.integers(len(_BEFORE)))] if way != 1 else ""
    after = _AFTER[int(random.integers(len(_AFTER)))] if way != 0 else ""
    return f"{before}{text}{after}"


def other_words(text: str, random: Generator) -> str:
    """Up to four words or phrases changed for others of the same meaning."""

    def swapped(phrase: str) -> str:
        other = _SAME[phrase.lower()]
        return other[:1].upper() + other[1:] if phrase[0].isupper() else other

    return _some(text, _PHRASES, 1.0, _MOST_SWAPS, random, swapped)


SORTS: dict[str, Callable[[str, Generator], str]] = {
    "case": capitals,
    "typos": typos,
    "punctuation": punctuation,
    "courtesy": courtesy,
    "paraphrase": other_words,
}
"""Every sort of rewording by its name."""


def _some(
    text: str,
    pattern: re.Pattern[str],
    share: float,
    most: int,
    random: Generator,
    change: Callable[[str], str],
) -> str:
    """The text with some of what a pattern finds changed: a share of it, one at least."""
    found = list(pattern.finditer(text))
    if not found:
        return text
    count = min(most, max(1, round(share * len(found))))
    drawn = sorted(int(place) for place in random.choice(len(found), min(count, len(found)), False))
    for place in reversed(drawn):
        match = found[place]
        text = text[: match.start()] + change(match.group()) + text[match.end() :]
    return text
