"""Parquet files as checked columns: what is bad in them is named by file, column and row."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tierwise.errors import ConfigError


class Table:
    """One file as columns. Rows are counted from 0, as pyarrow and pandas do.

    Args:
        file: the Parquet file.
        required: columns that must be there.
        optional: columns to read too if they are there; None reads all.
        remedy: what to do about a missing column.

    Raises:
        ConfigError: pyarrow is missing, the file cannot be read or a required column is not there.
    """

    def __init__(
        self,
        file: Path,
        required: tuple[str, ...],
        *,
        optional: Collection[str] | None = None,
        remedy: str,
    ) -> None:
        self.file = file
        wanted = None if optional is None else {*required, *optional}
        self._columns = _read(file, wanted)
        for name in required:
            if name not in self._columns:
                raise ConfigError(
                    f"{file.name} has no column {name!r}",
                    file=str(file),
                    field=name,
                    remedy=remedy,
                )
        self.rows = len(self._columns[required[0]])

    def texts(self, name: str) -> list[str]:
        """A column of text without nulls and without empty texts."""
        values = self._column(name)
        for row, value in enumerate(values):
            if not isinstance(value, str) or not value:
                raise self.bad(name, row, value, "text")
        return values

    def texts_or_none(self, name: str) -> list[str | None]:
        """A column of text or nulls; all null if the file lacks it."""
        values = self._column(name)
        for row, value in enumerate(values):
            if value is not None and not isinstance(value, str):
                raise self.bad(name, row, value, "text")
        return values

    def numbers(
        self, name: str, most: float = math.inf, *, least: float = 0.0
    ) -> list[float | None]:
        """A column of numbers from `least` to `most`, or null; all null if the file lacks it."""
        values = self._column(name)
        for row, value in enumerate(values):
            if value is None:
                continue
            number = isinstance(value, (int, float)) and math.isfinite(value)
            if not number or not least <= value <= most:
                wanted = f"a number from {least:g}" + (
                    f" to {most:g}" if most < math.inf else " up"
                )
                raise self.bad(name, row, value, wanted)
        return values

    def twice(self, row: int, what: str) -> ConfigError:
        """The error for a row that repeats another."""
        return ConfigError(
            f"row {row} repeats {what}",
            file=str(self.file),
            field="prompt_id",
            remedy="Keep one row for each.",
        )

    def bad(self, column: str, row: int, value: object, wanted: str) -> ConfigError:
        """The error for a value that is not what its column should hold."""
        return ConfigError(
            f"row {row} holds {value!r}, which is not {wanted}",
            file=str(self.file),
            field=column,
            remedy="Correct the value, or leave the row out.",
        )

    def _column(self, name: str) -> list[Any]:
        return self._columns.get(name) or [None] * self.rows


def _read(file: Path, wanted: set[str] | None) -> dict[str, list[Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigError(
            "recorded outcomes are Parquet files, and pyarrow is not installed",
            remedy="Install it with `pip install 'tierwise[outcomes]'`.",
        ) from None
    try:
        names = pq.read_schema(file).names
        chosen = names if wanted is None else [name for name in names if name in wanted]
        table = pq.read_table(file, columns=chosen)
        return {name: table[name].to_pylist() for name in table.column_names}
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(
            f"cannot read it: {' '.join(str(error).split())[:200]}",
            file=str(file),
            remedy="Name a folder with prompts.parquet and outcomes.parquet.",
        ) from None
