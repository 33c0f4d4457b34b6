"""Requests that are for no answer of a model: embeddings, and calls that are passed through.

They stand in a table of their own, so that nothing that learns from answers, judges them or
promises anything of them ever meets one. What embeddings cost is part of every total, and their
reference is themselves: nothing was saved, and nothing lost. What is passed through is counted
apart, because of most of it nobody knows what it cost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tierwise.ledger.rows import Key, Value, owner_key
from tierwise.ledger.schema import ASIDE_COLUMNS, OWNER_COLUMNS
from tierwise.types import Attempt, Owner, Trace, Usage

EMBEDDINGS = "embeddings"
"""The kind of requests for embeddings; reports group them under this name, whatever they group by.
No kind of answers is called so."""
_READ = ", ".join(
    (*(f"asides.{name}" for name in ASIDE_COLUMNS), *(f'owners."{name}"' for name in OWNER_COLUMNS))
)


class Told(Struct, frozen=True, kw_only=True):
    """What traces and metrics tell of such a request beside what the ledger keeps.

    It had waited for `waited_s` seconds before its `at`. `sent` says whether a call was passed
    through, which began `began_s` seconds after that, and is `span` in the trace. `model` is the
    one that its body named; `dimensions` and `encoding` are how vectors were to be.
    """

    trace: Trace | None = None
    waited_s: float = 0.0
    sent: bool = False
    began_s: float = 0.0
    span: str | None = None
    model: str | None = None
    dimensions: int | None = None
    encoding: str | None = None


class Aside(Struct, frozen=True, kw_only=True):
    """One such request.

    `kind` is `EMBEDDINGS`, or for a call that was passed through what stands first in its path
    (`images`, `files`, ...). `asked` is the model that was asked for, or the method and the path.
    `code` is the provider's HTTP status. `cost_usd` and tokens are None where they are unknown,
    which is not 0. `error` begins with the name of an error's type. Money is USD, times are
    seconds, `at` is Unix time. `attempts` are the calls that asked for embeddings, `guardrails`
    what guardrails found, in words. `owner` is whose request it was; None where nobody had to say
    who they are, or no more than a name. `told` is for those who watch, and not kept.
    """

    id: str
    at: float
    kind: str
    asked: str
    status: Literal["ok", "error", "cancelled"]
    latency_s: float
    caller: str | None = None
    provider: str | None = None
    model: str | None = None
    deployment: str | None = None
    code: int | None = None
    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None
    attempts: tuple[Attempt, ...] = ()
    guardrails: tuple[str, ...] = ()
    owner: Owner | None = None
    told: Told | UnsetType = UNSET

    @property
    def failovers(self) -> int:
        """How many calls failed."""
        return sum(attempt.outcome not in ("accepted", "cancelled") for attempt in self.attempts)


class PassedGroup(Struct, frozen=True, kw_only=True):
    """Calls of one kind that were passed through to one provider.

    `cost_usd` is what is known of their cost, `unknown_cost` counts the calls of which nothing is.
    Tokens are those that the provider named.
    """

    requests: int
    ok: int
    errors: int
    cancelled: int
    cost_usd: float
    unknown_cost: int
    input_tokens: int
    output_tokens: int


def row_of(aside: Aside) -> tuple[Value, ...]:
    """The values in the order of `ASIDE_COLUMNS`; both stores add the owner's number."""
    kind = "" if aside.error is None else aside.error.partition(":")[0]
    said = msgspec.json.encode(aside.guardrails).decode() if aside.guardrails else None
    given = msgspec.structs.asdict(aside) | {
        "failovers": aside.failovers,
        "error_kind": kind,
        "guardrails": said,
    }
    return tuple(given[column] for column in ASIDE_COLUMNS)


def guardrails_in(written: str | None) -> tuple[str, ...]:
    """What a row says that guardrails said."""
    return () if written is None else msgspec.json.decode(written, type=tuple[str, ...])


def owner_of(aside: Aside) -> Key | None:
    """The row of `owners` of whoever asked, as that of an answer's."""
    return owner_key(aside.owner, aside.caller)


def owner_in(row: Sequence[Any]) -> Owner | None:
    """Whose a request was, as a row of `owners` says in the order of `schema.OWNER_COLUMNS`.

    All of it is None where a request has no such row. Of a key without accounts it has the name
    alone, which is the request's `caller`.
    """
    key, user, team, org, tags = row
    if not (user or team or org or tags):
        return None
    return Owner(
        key=key or None,
        user=user or None,
        team=team or None,
        org=org or None,
        tags=msgspec.json.decode(tags, type=tuple[str, ...]) if tags else (),
    )


def attempt_rows(aside: Aside) -> Iterator[tuple[Value, ...]]:
    """The values of its attempts in the order of `schema.ATTEMPT_COLUMNS`."""
    for index, one in enumerate(aside.attempts):
        usage = one.usage or Usage()
        yield (
            aside.id, index, aside.at, one.deployment, one.model, one.tier, one.outcome, one.status,
            one.cost_usd, usage.input_tokens, usage.output_tokens, one.latency_s, one.ttft_s,
            one.error, None, None,
        )  # fmt: skip


def read_asides(
    connection: sqlite3.Connection, where: str, values: Sequence[Value], limit: int | None
) -> list[Aside]:
    """Those that a condition holds for, newest first, with their attempts."""
    found = connection.execute(
        f"SELECT {_READ} FROM asides LEFT JOIN owners ON owners.id = asides.owner"  # noqa: S608
        f" WHERE {where} ORDER BY asides.at DESC, asides.seq DESC",
        values,
    )
    return [_aside(connection, row) for row in islice(found, limit)]


def _aside(connection: sqlite3.Connection, row: Sequence[Value]) -> Aside:
    given: dict[str, Any] = dict(zip(ASIDE_COLUMNS, row, strict=False))
    given["owner"] = owner_in(row[len(ASIDE_COLUMNS) :])
    attempts = connection.execute(
        "SELECT deployment, model, tier, outcome, status, cost_usd, input_tokens, output_tokens,"
        " latency_s, error FROM attempts WHERE at = ? AND request_id = ? ORDER BY idx",
        (given["at"], given["id"]),
    )
    del given["failovers"], given["error_kind"]
    given["guardrails"] = guardrails_in(given["guardrails"])
    return msgspec.convert({**given, "attempts": [_attempt(*one) for one in attempts]}, Aside)


def _attempt(
    deployment: str,
    model: str,
    tier: int,
    outcome: str,
    status: int | None,
    cost_usd: float,
    input_tokens: int,
    output_tokens: int,
    latency_s: float,
    error: str | None,
) -> Attempt:
    return Attempt(
        deployment=deployment,
        model=model,
        tier=tier,
        outcome=outcome,
        status=status,
        usage=Usage(input_tokens=input_tokens, output_tokens=output_tokens),
        cost_usd=cost_usd,
        latency_s=latency_s,
        error=error,
    )
