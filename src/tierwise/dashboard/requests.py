"""Requests: searched for, and one of them opened."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from urllib.parse import urlencode

from msgspec import Struct
from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.responses import Response

from tierwise.accounts.kinds import KEY
from tierwise.dashboard.context import Visit
from tierwise.dashboard.periods import PERIODS
from tierwise.dashboard.scope import asked_by, may_see
from tierwise.dashboard.spoken import spoken
from tierwise.dashboard.timeline import opened
from tierwise.errors import InvalidRequest, UnknownAccount, UnknownDecision
from tierwise.ledger.asked import Asked
from tierwise.ledger.pages import Page as Found
from tierwise.ledger.pages import search as look
from tierwise.types import KINDS, Record

PER_PAGE = 50
STATUSES = ("ok", "error", "cancelled")
_MOST_ROWS = 2**63
_TEXTS = ("policy", "model", "status", "kind", "key")


class Wanted(Struct, frozen=True, kw_only=True):
    """What was filled in above the list."""

    id: str = ""
    period: str = ""
    policy: str = ""
    model: str = ""
    status: str = ""
    kind: str = ""
    key: str = ""
    trouble: str = ""

    @classmethod
    def of(cls, query: QueryParams) -> Wanted:
        """It, as an address has it."""
        # PostgreSQL knows no NUL; nothing is called by the sign that stands for one.
        said = {
            name: query.get(name, "").replace("\x00", "\ufffd") for name in cls.__struct_fields__
        }
        return cls(**{name: text.strip()[:200] for name, text in said.items()})

    def address(self, **more: str) -> str:
        """The address that says it."""
        said = {name: getattr(self, name) for name in self.__struct_fields__}
        return urlencode({name: value for name, value in {**said, **more}.items() if value})


async def search(visit: Visit) -> Response:
    """`GET /dashboard/requests`."""
    query = visit.request.query_params
    wanted = Wanted.of(query)
    before = _place(query.get("before"))
    asked = _asked(visit, wanted)

    def read(connection: Connection) -> Found:
        return look(connection, asked, id_begins=wanted.id, before=before, limit=PER_PAGE)

    found = await visit.reading(read)
    setup = visit.face.orchestrator.setup
    further = None
    if found.next is not None:
        at, seq = found.next
        further = wanted.address(before=f"{at!r}_{seq}")
    choices: Mapping[str, list[str]] = {
        "policy": sorted(setup.policies),
        "model": sorted(setup.models),
        "status": list(STATUSES),
        "kind": sorted(KINDS),
    }
    return visit.page(
        "requests.html",
        title="Requests",
        found=found.found,
        wanted=wanted,
        filtered=bool(wanted.address()) or before is not None,
        further=further,
        first=wanted.address() if before is not None else None,
        choices=choices,
        periods=PERIODS.values(),
    )


async def one(visit: Visit) -> Response:
    """`GET /dashboard/requests/{id}`; with `fragment` only what it came to."""
    wanted = visit.request.path_params["id"]
    ledger = visit.face.orchestrator.ledger
    record = await asyncio.to_thread(ledger.get, wanted)
    if record is None or not may_see(visit.visitor, record):
        raise UnknownDecision(
            f"There is no request {wanted!r}, or none that you may see. Requests appear here "
            "within a second of their answer's end."
        )
    if "fragment" in visit.request.query_params:
        return visit.page("_brief.html", record=record, found=opened(record))
    opinions = await asyncio.to_thread(ledger.feedback, wanted)
    actor = visit.visitor.actor
    asker = record.caller is not None and record.caller in (actor.key, actor.name)
    mine = visit.visitor.operates or asker
    return visit.page(
        "request.html",
        title=f"Request {wanted}",
        found=opened(record),
        record=record,
        asker=await asyncio.to_thread(_name_of_key, visit, record),
        opinions=opinions,
        content=mine and (record.prompt is not None or record.answer is not None),
        spoken=spoken(record.prompt) if mine and record.prompt is not None else (),
        comments=mine,
    )


def _name_of_key(visit: Visit, record: Record) -> str | None:
    """What people call the key that asked; None where it is none of the accounts, or not to be
    seen."""
    accounts, owner = visit.face.accounts, record.owner
    if accounts is None or owner is None or owner.key is None:
        return None
    try:
        return accounts.store.get(visit.visitor.actor, KEY, owner.key).name
    except UnknownAccount:
        return None


def _asked(visit: Visit, wanted: Wanted) -> Asked:
    said = {name: (getattr(wanted, name),) for name in _TEXTS if getattr(wanted, name)}
    period = PERIODS.get(wanted.period)
    since = {"since": time.time() - period.lasts_s} if period is not None else {}
    trouble = {
        "failover": {"failed_over": True},
        "escalated": {"escalated": True},
    }.get(wanted.trouble, {})
    return asked_by(visit.visitor, **said, **since, **trouble)


def _place(text: str | None) -> tuple[float, int] | None:
    if not text:
        return None
    at, _, seq = text.partition("_")
    try:
        place = float(at), int(seq)
    except ValueError:
        place = math.nan, 0
    if not (math.isfinite(place[0]) and 0 <= place[1] < _MOST_ROWS):
        raise InvalidRequest(
            f"`before` is {text[:80]!r}, which is no place in the list. Begin at its first page.",
            param="before",
        )
    return place
