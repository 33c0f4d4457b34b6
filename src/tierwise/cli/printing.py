"""What commands print on stdout: one value for programs, or a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer


def print_json(value: object) -> None:
    """One value for programs."""
    import msgspec

    typer.echo(msgspec.json.encode(value).decode())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A list for people."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        # An id is to be copied, so it stays whole.
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console().print(table)
