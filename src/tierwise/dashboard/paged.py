"""Long lists in pages, with what is looked for in them. Short ones stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar
from urllib.parse import urlencode

from msgspec import Struct
from starlette.datastructures import QueryParams

from tierwise.errors import InvalidRequest

PER_PAGE = 25
T = TypeVar("T")


class Paged(Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a list: its `rows`, of which the first is number `begins` of `found`.

    `long` says whether the list is to be looked through at all, for `find`, which the field `field`
    of an address has; `before` and `further` are the addresses of its neighbours.
    """

    rows: Sequence[T]
    begins: int
    found: int
    long: bool
    field: str
    find: str
    before: str | None
    further: str | None


def paged(
    rows: Sequence[T],
    query: QueryParams,
    texts: Callable[[T], Iterable[str]],
    *,
    of: str = "",
) -> Paged[T]:
    """The page that an address asks for.

    Args:
        texts: what a row can be found by, in any part and whichever way it is written.
        of: begins the fields of the address, where a page has several lists.

    Raises:
        InvalidRequest: its page is no number.
    """
    find = query.get(f"{of}find", "").strip()[:200]
    wanted = find.casefold()
    found = [row for row in rows if any(wanted in text.casefold() for text in texts(row))]
    last = max(1, -(-len(found) // PER_PAGE))
    page = min(_number(query.get(f"{of}page", ""), f"{of}page"), last)

    def address(number: int) -> str | None:
        said = {f"{of}find": find, f"{of}page": str(number)}
        return urlencode({k: v for k, v in said.items() if v}) if 1 <= number <= last else None

    begins = (page - 1) * PER_PAGE
    return Paged(
        rows=found[begins : begins + PER_PAGE],
        begins=begins + 1,
        found=len(found),
        long=len(rows) > PER_PAGE or bool(find),
        field=f"{of}find",
        find=find,
        before=address(page - 1),
        further=address(page + 1),
    )


def _number(text: str, field: str) -> int:
    if not text:
        return 1
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise InvalidRequest(
            f"`{field}` is {text[:80]!r}, which is no number of a page. Begin at 1.", param=field
        )
    return int(text)
