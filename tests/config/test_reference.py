"""docs/configuration.md has every field of the configuration, as the schema has it."""

from __future__ import annotations

import re
from pathlib import Path

from tierwise.config.reference import tables
from tierwise.config.schema import json_schema

DOC = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
REMEDY = "Run `python -m tierwise.config.reference` and put what it prints into the page."


def test_the_page_of_the_configuration_has_what_the_schema_has() -> None:
    written = re.search(r"<!-- fields -->\n(.*?)\n<!-- end -->", DOC, re.DOTALL)
    assert written is not None
    assert written[1].split("\n") == list(tables()), REMEDY


def test_no_field_is_left_out_or_shown_twice() -> None:
    schema = json_schema()
    shapes = [schema, *schema["$defs"].values()]
    fields = sorted(name for shape in shapes for name in shape.get("properties", ()))
    rows = (re.match(r"\| `(\w+)` \|", line) for line in tables())
    assert sorted(row[1] for row in rows if row) == fields


def test_that_any_field_may_be_a_reference_is_not_said_of_each() -> None:
    (row,) = (
        line for line in tables() if line.startswith("| `quality` | number, from 0 to 1 | `0")
    )
    assert "or text" not in row
