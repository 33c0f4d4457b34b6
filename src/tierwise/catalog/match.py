"""Does a model's name mean this entry? The clauses of genai-prices in a small form.

A clause is a string whose first character says how the rest is compared, or a list:

| form            | true when the name                                   |
| --------------- | ---------------------------------------------------- |
| `"=gpt-4o"`     | is exactly this                                      |
| `"^gpt-4o-"`    | starts with this                                     |
| `"$-mini"`      | ends with this                                       |
| `"*gpt"`        | contains this                                        |
| `"~^o[134]"`    | has a match of this regular expression somewhere     |
| `[a, b, ...]`   | satisfies any of these clauses                       |
| `["&", a, ...]` | satisfies all of these clauses                       |

Text is compared in lower case: the snapshot holds lower-case text (regular expressions as they
came), and callers pass lower-case names.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import TypeAlias

Clause: TypeAlias = "str | Sequence[Clause]"

ALL = "&"
"""First item of a list whose clauses must all hold."""

_COMPACT_DATE = re.compile(
    r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)",
)


def matches(clause: Clause, name: str) -> bool:
    """Whether `name`, in lower case, satisfies the clause."""
    if isinstance(clause, str):
        return _matches_text(clause[0], clause[1:], name)
    if clause and clause[0] == ALL:
        return all(matches(part, name) for part in clause[1:])
    return any(matches(part, name) for part in clause)


def _matches_text(how: str, text: str, name: str) -> bool:
    match how:
        case "=":
            return name == text
        case "^":
            return name.startswith(text)
        case "$":
            return name.endswith(text)
        case "*":
            return text in name
        case "~":
            return re.search(text, name) is not None
    raise ValueError(f"unknown clause {how + text!r}")


def with_dashed_date(name: str) -> str:
    """`gpt-5.2-20251211` as `gpt-5.2-2025-12-11`; other names and impossible dates unchanged.

    Routers report compact dates where price lists have dashed ones. Only for names that match
    nothing as they stand, since some providers' own names carry compact dates.
    """

    def dashed(found: re.Match[str]) -> str:
        year, month, day = (int(found.group(index)) for index in (2, 3, 4))
        try:
            datetime.date(year, month, day)
        except ValueError:
            return found.group(0)
        return f"-{year:04d}-{month:02d}-{day:02d}"

    return _COMPACT_DATE.sub(dashed, name)
