"""docs/dialects.md says of the dialects what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tierwise.wire.dialect import dialect_named, dialect_names
from tierwise.wire.features import FEATURES
from tierwise.wire.table import NO_WORD, labels, table

DOC = (Path(__file__).parents[2] / "docs" / "dialects.md").read_text(encoding="utf-8")
REMEDY = "Run `python -m tierwise.wire.table` and put what it prints into docs/dialects.md."


def written(name: str) -> list[str]:
    """The lines of one of the document's tables."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", DOC, re.DOTALL)
    assert found is not None, name
    return found[1].split("\n")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("name", dialect_names())
def test_the_written_table_has_each_dialects_words(name: str) -> None:
    words = dialect_named(name).words
    head, _, *rows = [cells(line) for line in written("words")]
    assert name in head, REMEDY
    column = head.index(name)
    told = {row[0]: row[column] for row in rows}
    expected = {one: f"`{words[one]}`" if one in words else NO_WORD for one in FEATURES}
    assert told == expected, REMEDY


def test_the_written_table_has_the_order_of_the_printed_one() -> None:
    printed = [cells(line)[0] for line in table(["openai-chat"])]
    assert [cells(line)[0] for line in written("words")] == printed


def test_what_is_left_out_without_a_word_is_written_down() -> None:
    assert written("labels") == list(labels()), REMEDY
