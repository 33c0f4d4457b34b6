"""A ledger as Parquet files, for other programs to work with.

    requests.parquet   one row a request: its figures, the labels of `shapes` and of `owners`, and
                       in `checks` what gates said of its answer, as JSON
    attempts.parquet   the calls behind a request, where they say more than the request does
    feedback.parquet   what was said of answers
    asides.parquet     requests for embeddings, and what was passed through
    daily.parquet      the figures of a day that are alike, also of rows that are gone
    daily_asides.parquet   the same of requests for embeddings and of what was passed through

Columns are named as in `tables`, where their meaning is; money is USD, times are seconds, `at` and
`day` are Unix times in UTC. Prompts and answers are left out: `Ledger.recent` gives records whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Connection, Double, Integer, Select, Table, func, select

from tierwise.errors import ConfigError
from tierwise.ledger.reading import reading
from tierwise.ledger.rollup import Part
from tierwise.ledger.schema import ASIDE_LABELS, OWNER_COLUMNS, SHAPE_COLUMNS
from tierwise.ledger.tables import (
    asides,
    attempts,
    checks,
    daily,
    daily_asides,
    feedback,
    owners,
    requests,
    shapes,
)

AT_ONCE = 50_000
"""Rows in memory at a time, and in one group of a file."""


def export(place: str, folder: Path, *, since: float = 0.0) -> dict[str, int]:
    """Writes the files, over older ones, and says how many rows each has.

    Args:
        place: a file, or the URL of a PostgreSQL database.
        since: Unix time of the oldest rows wanted, in seconds.

    Raises:
        ConfigError: pyarrow is missing, or the ledger cannot be read.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ConfigError(
            "Parquet files need pyarrow", remedy="pip install 'tierwise[parquet]'"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    with reading(place) as connection:
        return {
            name: _write(connection, wanted, folder / f"{name}.parquet")
            for name, wanted in _tables(since)
        }


def _tables(since: float) -> Iterator[tuple[str, Select[Any]]]:
    r = requests.c
    numbers = ("shape", "bundle", "slot", "checks", "owner")
    own = (column for column in r if column.name not in numbers)
    yield (
        "requests",
        select(*own, *_labels(), *_whose(), checks.c.said.label("checks"))
        .join_from(requests, shapes, shapes.c.id == r.shape)
        .outerjoin(owners, owners.c.id == r.owner)
        .outerjoin(checks, checks.c.id == r.checks)
        .where(r.at >= since)
        .order_by(r.seq),
    )
    a = attempts.c
    calls = (column for column in a if column.name != "checks")
    yield (
        "attempts",
        select(*calls, checks.c.said.label("checks"))
        .join_from(attempts, checks, checks.c.id == a.checks, isouter=True)
        .where(a.at >= since)
        .order_by(a.seq),
    )
    yield "feedback", _whole(feedback, since)
    yield "asides", _whole(asides, since)
    d = daily.c
    figures = (c for c in d if c.name not in ("part", "shape", "owner", "checks"))
    yield (
        "daily",
        select(*figures, *_labels(), *_whose())
        .join_from(daily, shapes, shapes.c.id == d.shape)
        .outerjoin(owners, owners.c.id == d.owner)
        .where(d.part == int(Part.BOTH), d.day >= int(since))
        .order_by(d.day, d.shape, d.owner),
    )
    b = daily_asides.c
    sums = (column for column in b if column.name != "owner")
    yield (
        "daily_asides",
        select(*sums, *_whose())
        .join_from(daily_asides, owners, owners.c.id == b.owner, isouter=True)
        .where(b.day >= int(since))
        .order_by(b.day, b.owner, *(b[name] for name in ASIDE_LABELS)),
    )


def _whole(table: Table, since: float) -> Select[Any]:
    return select(table).where(table.c.at >= since).order_by(table.c.seq)


def _labels() -> Iterator[Any]:
    return (shapes.c[name] for name in SHAPE_COLUMNS)


def _whose() -> Iterator[Any]:
    return (func.coalesce(owners.c[name], "").label(name) for name in OWNER_COLUMNS)


def _write(connection: Connection, wanted: Select[Any], file: Path) -> int:
    import pyarrow
    from pyarrow import parquet

    columns = wanted.selected_columns
    schema = pyarrow.schema([(column.name, _type(column, pyarrow)) for column in columns])
    streamed = connection.execution_options(stream_results=True, yield_per=AT_ONCE)
    count = 0
    partial = file.with_suffix(".partial")
    with parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
        for rows in streamed.execute(wanted).partitions():
            arrays = [
                pyarrow.array(values, type=field.type)
                for values, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            count += len(rows)
    partial.replace(file)
    return count


def _type(column: Any, pyarrow: Any) -> Any:
    kind = column.type
    if isinstance(kind, Double):
        return pyarrow.float64()
    if isinstance(kind, BigInteger):
        return pyarrow.int64()
    return pyarrow.int32() if isinstance(kind, Integer) else pyarrow.string()
