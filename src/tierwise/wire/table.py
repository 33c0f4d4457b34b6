"""The table of docs/dialects.md: `python -m tierwise.wire.table` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tierwise.wire.dialect import dialect_named, dialect_names
from tierwise.wire.features import FEATURES, LABELS

NO_WORD = "-"
"""What stands in the table where a dialect has no word."""


def table(names: Sequence[str] = dialect_names()) -> Iterator[str]:
    """The lines of the table: what each of these dialects calls each feature."""
    yield f"| feature | {' | '.join(names)} |"
    yield "| --- " * (len(names) + 1) + "|"
    words = [dialect_named(name).words for name in names]
    for feature in FEATURES:
        cells = (f"`{one[feature]}`" if feature in one else NO_WORD for one in words)
        yield f"| {feature} | {' | '.join(cells)} |"


def labels() -> Iterator[str]:
    """The lines of the other: fields that are left out without a word."""
    yield "| dialect | left out without a word |"
    yield "| --- | --- |"
    for name, fields in LABELS.items():
        yield f"| {name} | {', '.join(f'`{field}`' for field in sorted(fields))} |"


if __name__ == "__main__":
    print("\n".join([*table(), "", *labels()]))  # noqa: T201
