"""Takes a prompt apart: what leads up to the question, the question itself, its options.

A benchmark item, an exam question or a form carries its options with it, and how close they lie to
each other says much about how hard the choice is. Few-shot prompts put solved examples in front of
the one question that is to be answered. Plain prompts are all question.

Text is read in lower case, with single blanks (`folded`) and without courtesies (`uncourteous`):
neither capitals nor spacing nor good manners may change a decision.
"""

from __future__ import annotations

import re

from msgspec import Struct

_ENDINGS = ("answer:", "答案：")
# The pattern starts with what is rare in a text, so that `re` runs over the rest at the speed of a
# string search; what stands before it is checked afterwards.
_MARK = re.compile(r"[).:]\s+")
_SIGNS = {sign: number for signs in ("abcdefghij", "1234") for number, sign in enumerate(signs)}
_FIRST_MARKS = tuple(sign + end for sign in "a1" for end in ").:")
_BEFORE_A_MARK = frozenset(" \n\r,")
_DECLARED = "[FUNCTIONS]"
_GREETING = re.compile(
    r"\s*(?:(?:hi|hello|hey|greetings|good (?:morning|afternoon|evening|day))(?: [a-z]+){0,2}"
    r"(?:[,.!:]+\s+|\n+)"
    r"|dear(?: [a-z.]+){1,3}[,:!]+\s+"
    r"|(?:please|kindly)\b[,:]?\s+"
    r"|(?:could|can|would|will) you (?:please|kindly)\s+"
    r"|(?:a )?quick question\s?[:,.-]+\s*"
    r"|(?:i have a question|here is my question|i need (?:your )?help)[^,.!?:\n]{0,30}[,.:!]+\s+"
    r"|help me (?:out )?with (?:this|it|the following)[^,.!?:\n]{0,30}[,.:!]+\s+"
    r"|(?:could|can|would|will) you (?:help|answer|solve)(?: me)?(?: (?:with|out))* (?:this|it|me)"
    r"(?: [a-z]+){0,3}[?.:!]+\s+)"
)
_THANKS = re.compile(
    r"(?:(?:(?:[\n.!?,;)]|answer:)\s*|^)(?:many thanks|thanks|thank you|thx|cheers|i am grateful"
    r"|i(?:'d| would)? (?:really |greatly )?appreciate)\b[^?:\n]{0,50}|,? please[.!]*)$"
)
_THANKS_CHARS, _MOST_COURTESIES = 70, 3
_THANKED = ("thank", "thx", "appreciate", "please", "cheers", "grateful")


class Question(Struct, frozen=True):
    """The parts of a prompt; `lead` may be empty and `options` are either none or at least two."""

    lead: str
    stem: str
    options: tuple[str, ...] = ()


def folded(text: str) -> str:
    """The text in lower case, every run of blanks as one; line breaks stay."""
    lower = text.lower().replace("\t", " ").replace("\xa0", " ")
    while "  " in lower:  # halves every run, at a third of what a pattern would cost
        lower = lower.replace("  ", " ")
    return lower


def uncourteous(text: str) -> str:
    """A folded text without greetings before it and thanks behind it, which ask for nothing.

    Nothing is taken from a text that says nothing else.
    """
    start = 0
    for _ in range(_MOST_COURTESIES):
        greeting = _GREETING.match(text, start)
        if greeting is None:
            break
        start = greeting.end()
    kept = text[start:]
    for _ in range(_MOST_COURTESIES):
        bare = kept.rstrip()
        ending = bare[-_THANKS_CHARS:]
        if not any(word in ending for word in _THANKED):
            break
        thanks = _THANKS.search(ending)
        if thanks is None:
            break
        kept = _without(bare, len(bare) - len(ending) + thanks.start())
    return kept if kept.strip() else text


def _without(text: str, end: int) -> str:
    """The text up to there, with the mark that the thanks came after."""
    if text.startswith("answer:", end):
        return text[: end + len("answer:")]
    return text[: end + (text[end] in ".!?;)")].rstrip()


def split(text: str) -> Question:
    """The parts of a folded prompt: solved examples, the question, its answer options."""
    body = text.rstrip()
    for ending in _ENDINGS:
        body = body.removesuffix(ending)
    start = _start_of_the_last_question(body)
    lead, body = body[:start], body[start:]
    marks = _marks(body)
    if len(marks) < 2:
        return Question(lead, body)
    ends = [start for start, _ in marks[1:]] + [len(body)]
    options = tuple(_trimmed(body[begin:end]) for (_, begin), end in zip(marks, ends, strict=True))
    return Question(lead, _trimmed(body[: marks[0][0]]), options)


def split_recorded_tools(text: str) -> tuple[str, bytes | None]:
    """Takes the tools off a recorded prompt that carries them as text behind `[FUNCTIONS]`.

    A request has its tools in a field of their own; only recordings write them into the prompt.
    """
    question, found, declared = text.partition(_DECLARED)
    if not found:
        return text, None
    return question.rstrip(), declared.strip().encode()


def _start_of_the_last_question(body: str) -> int:
    """Where the last question begins: after the blank line behind the last solved example."""
    answered = max(body.rfind("\nanswer:"), body.rfind(" answer:"))
    if answered <= 0:
        return 0
    blank = body.find("\n\n", answered)
    return max(blank, 0)


def _marks(body: str) -> list[tuple[int, int]]:
    """Start and end of each mark in the last run: a) b) c), (1) (2), option 1: option 2:."""
    run: list[tuple[int, int]] = []
    if not any(first in body for first in _FIRST_MARKS):
        return run
    for found in _MARK.finditer(body):
        start = found.start() - 1
        ordinal = _SIGNS.get(body[start], -1) if start >= 0 else -1
        if ordinal < 0:
            continue
        before = start - 1 - (start > 0 and body[start - 1] == "(")
        if before >= 0 and body[before] not in _BEFORE_A_MARK:
            continue
        if ordinal == 0:
            run = []
        if ordinal == len(run):
            run.append((start, found.end()))
    return run


def _trimmed(text: str) -> str:
    """Without what belongs to the next mark: its bracket, its comma, the word `option`."""
    return text.rstrip("( \n\r").removesuffix("option").rstrip(", \n\r")
