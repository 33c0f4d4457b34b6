"""The code in an answer: its fenced blocks (CommonMark 0.31, section 4.5), or all of it."""

from __future__ import annotations

import re
import textwrap

from msgspec import Struct

_FENCE = re.compile(r"^[ \t]*(?:>[ \t]*|[-*+][ \t]+)?(?P<marks>`{3,}|~{3,})(?P<info>[^\n]*)$", re.M)
_LANGUAGE = re.compile(r"[\w+#.-]+")
_BEGINNINGS = (
    (
        "python",
        re.compile(r"(?:async def|def|class) \w+|from [\w.]+ import |import [\w., ]+$|@\w+"),
    ),
    ("html", re.compile(r"<!doctype html|<html[ >]", re.IGNORECASE)),
    ("bash", re.compile(r"#!\s*/\S*\b(?:ba)?sh\b")),
    (
        "sql",
        re.compile(
            r"SELECT .|INSERT INTO .|UPDATE \S+ SET |DELETE FROM .|CREATE TABLE .|WITH \w+ AS"
        ),
    ),
    ("go", re.compile(r"package \w+$")),
    ("c", re.compile(r"#include\s*[<\"]")),
)
"""How an answer begins that is all code, without a fence. JSON is recognised by both its ends."""

_PYTHON_LINE = re.compile(r"^(?:async )?def \w+\(.*\)(?: *-> *[^:]+)?: *$", re.M)
"""A line that is Python's alone, for fences that do not name their language."""


class Block(Struct, frozen=True):
    """A piece of code. `language` is the fence's first word in lower case; "" if it has none.

    `closed` is False for a fence that has no end: the answer was cut off, or forgot it.
    """

    language: str
    code: str
    closed: bool = True


def blocks(text: str) -> list[Block]:
    """The fenced blocks of an answer in their order, without the indentation of their fences."""
    if "```" not in text and "~~~" not in text:
        return []
    found: list[Block] = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            if "`" not in fence["info"]:  # else it is code within a line
                opened = fence
        elif _closes(fence, opened):
            found.append(_block(opened, text[opened.end() : fence.start()], closed=True))
            opened = None
    if opened is not None:
        found.append(_block(opened, text[opened.end() :], closed=False))
    return found


def whole(text: str) -> Block | None:
    """An answer without fences as code, if that is how it begins."""
    text = text.strip()
    if (text[:1], text[-1:]) in (("{", "}"), ("[", "]")):
        return Block("json", text)
    first = text.split("\n", 1)[0].rstrip()
    for language, begins in _BEGINNINGS:
        if begins.match(first):
            return Block(language, text)
    return None


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    marks = fence["marks"]
    return (
        marks[0] == opened["marks"][0]
        and len(marks) >= len(opened["marks"])
        and not fence["info"].strip()
    )


def _block(opened: re.Match[str], code: str, *, closed: bool) -> Block:
    language = _LANGUAGE.search(opened["info"])
    word = language[0].strip(".-").lower() if language else ""
    code = textwrap.dedent(code.removeprefix("\n"))
    if not word and _PYTHON_LINE.search(code):
        word = "python"
    return Block(word, code, closed)
