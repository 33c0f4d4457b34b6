"""Which requests are meant, and which numbers of shapes and owners that comes to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, and_, select

from tierwise.ledger.rolled import Bounds, Numbers, read_marks
from tierwise.ledger.rollup import Part
from tierwise.ledger.schema import OWNER_COLUMNS, SHAPE_COLUMNS
from tierwise.ledger.tables import asides, daily, daily_asides, owners, requests, shapes
from tierwise.types import CACHE

FEW = 1000
"""So many shapes or owners are named one by one, which lets PostgreSQL plan well."""
_OWNER_FIELDS = ("key", "user", "team", "org")


class Asked(Struct, frozen=True, kw_only=True):
    """Which requests are meant. Unix times in seconds, both ends included.

    Of each tuple any will do; an empty one says nothing. `cache` is whether the answer was given
    out of the cache. `key`, `user`, `team` and `org` are those of `types.Owner`; `tag` must be
    among its tags.
    """

    since: float = -math.inf
    until: float = math.inf
    status: tuple[str, ...] = ()
    policy: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    deployment: tuple[str, ...] = ()
    tier: tuple[int, ...] = ()
    kind: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    escalated: bool | None = None
    failed_over: bool | None = None
    cache: bool | None = None
    key: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    org: tuple[str, ...] = ()
    tag: str | None = None


def bounds_of(connection: Connection, asked: Asked) -> Bounds:
    """What shapes and owners must be in, as far as that was asked for."""
    named = ("status", "policy", "model", "deployment", "tier", "kind", "domain")
    wanted: list[ColumnElement[bool]] = [
        shapes.c[name].in_(some) for name in named if (some := getattr(asked, name))
    ]
    if asked.escalated is not None:
        wanted.append(shapes.c.escalated == int(asked.escalated))
    if asked.failed_over is not None:
        wanted.append(shapes.c.failovers > 0 if asked.failed_over else shapes.c.failovers == 0)
    if asked.cache is not None:
        given = shapes.c.deployment == CACHE
        wanted.append(given if asked.cache else ~given)
    whose = _whose(asked)
    mark = read_marks(connection).requests
    if whose and _is_everybody(connection, and_(*whose), requests, daily, mark):
        # Such as the one organisation that there is. To tell nobody from nobody else costs a page
        # of millions of requests a second.
        whose = []
    return Bounds(
        shape=_chosen(connection, shapes, wanted) if wanted else None,
        owner=_chosen(connection, owners, whose) if whose else None,
        org=_chosen(connection, owners, _as_a_whole(asked)) if whose and _is_org(asked) else None,
    )


def _is_org(asked: Asked) -> bool:
    """Whether no more is said of whose they are than an organisation."""
    return bool(asked.org) and not (asked.key or asked.user or asked.team or asked.tag)


def _as_a_whole(asked: Asked) -> list[ColumnElement[bool]]:
    """Which rows of `owners` stand for whole organisations; see `Part.ORGS`."""
    rest = (name for name in OWNER_COLUMNS if name != "org")
    return [owners.c.org.in_(asked.org), *(owners.c[name] == "" for name in rest)]


def owners_of(connection: Connection, asked: Asked) -> Numbers | None:
    """Whose requests for no answer are meant; None if that is everybody, and nobody, too."""
    whose = _whose(asked)
    known = read_marks(connection)
    if not whose or _is_everybody(connection, and_(*whose), asides, daily_asides, known.asides):
        return None
    return _chosen(connection, owners, whose)


def _whose(asked: Asked) -> list[ColumnElement[bool]]:
    whose: list[ColumnElement[bool]] = [
        owners.c[name].in_(some) for name in _OWNER_FIELDS if (some := getattr(asked, name))
    ]
    if asked.tag is not None:
        # As it stands in a JSON array; a part of another tag has no quotes around it.
        whose.append(owners.c.tags.contains(_quoted(asked.tag), autoescape=True))
    return whose


def _chosen(connection: Connection, table: Table, terms: Sequence[ColumnElement[bool]]) -> Numbers:
    """The numbers of what this holds for, or what asks for them if they are many."""
    chosen = select(table.c.id).where(and_(*terms))
    found = list(connection.scalars(chosen.limit(FEW + 1)))
    return found if len(found) <= FEW else chosen


def _is_everybody(
    connection: Connection, whose: ColumnElement[bool], rows: Table, days: Table, mark: int
) -> bool:
    """Whether all of these rows are theirs: no owner is anybody else, and no row has none."""
    nobody = [days.c.owner == 0]
    if days is daily:
        nobody.append(days.c.part == int(Part.OWNERS))
    others = (
        select(owners.c.id).where(~whose),
        select(days.c.owner).where(*nobody),
        select(rows.c.seq).where(rows.c.seq > mark, rows.c.owner.is_(None)),
    )
    return all(connection.execute(one.limit(1)).first() is None for one in others)


def _quoted(tag: str) -> str:
    return msgspec.json.encode(tag).decode()


def part_of(bounds: Bounds, by: Sequence[str] = ()) -> Part:
    """The smallest part that tells all of this apart."""
    owner = bounds.owner is not None or any(name in ("owner", *OWNER_COLUMNS) for name in by)
    shape = bounds.shape is not None or any(name in SHAPE_COLUMNS for name in by)
    if bounds.org is not None and not any(name in ("owner", *OWNER_COLUMNS) for name in by):
        return Part.ORGS
    return Part.BOTH if shape and owner else Part.OWNERS if owner else Part.SHAPES
