"""The audit log: who did what to accounts, policies and the gateway itself, when, and how it was
before and after."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct
from starlette.datastructures import QueryParams
from starlette.responses import Response

from tierwise.accounts.acts import NOUNS, OF_THE_GATEWAY, Found, Wanted, search
from tierwise.accounts.types import AuditEntry
from tierwise.dashboard import words
from tierwise.dashboard.context import Visit
from tierwise.dashboard.periods import PERIODS
from tierwise.errors import InvalidRequest, NotPermitted

PER_PAGE = 50
_DONE = {
    "create": "made",
    "change": "changed",
    "rotate": "given a new secret",
    "revoke": "revoked",
    "delete": "ended",
    "drain": "drained",
    "restore": "restored",
    "reload": "read again",
    "clear": "emptied",
}
_UNTOLD = frozenset(
    {"id", "org", "owner", "owner_name", "scope", "created_at", "revoked_at", "ended_at"}
)
"""What says no more than the entry itself does."""
_CALLED = {
    "prefix": "begins with",
    "valid_until": "old one valid until",
    "rpm": "requests a minute",
    "tpm": "tokens a minute",
    "concurrency": "at a time",
    "soft_usd": "warns past",
    "hard_usd": "refuses past",
    "expires_at": "expires",
    "gateway": "operates the gateway",
}
"""Fields as people call them, where that is not their name."""
_BY_KEY = re.compile(r"(key_\w+) \((.*)\)", re.DOTALL)
"""How the log calls somebody who has a key of the accounts."""
_FIELDS = ("who", "action", "target", "period")


class Changed(Struct, frozen=True):
    """One field of what an act was about; None where it was, or is, not there."""

    field: str
    before: str | None
    after: str | None


class Row(Struct, frozen=True, kw_only=True):
    """An act as it is listed."""

    act: AuditEntry
    who: str
    key: str
    done: str
    target: str
    org: str
    changes: tuple[Changed, ...]


async def show(visit: Visit) -> Response:
    """`GET /dashboard/audit`."""
    if not visit.visitor.administers:
        raise NotPermitted("The audit log is for admins of the organisation. Ask one of them.")
    query = visit.request.query_params
    said = {name: query.get(name, "").strip()[:200] for name in _FIELDS}
    before = _number(query)
    found = await asyncio.to_thread(_found, visit, said, before)
    further = None
    if found is not None and found.more:
        further = _address(said, before=str(found.acts[-1].id))
    nouns = {**NOUNS, **OF_THE_GATEWAY} if visit.visitor.operates else NOUNS
    return visit.page(
        "audit.html",
        title="Audit log",
        rows=None if found is None else [_row(act, found) for act in found.acts],
        said=said,
        filtered=any(said.values()),
        actions=[(f"{noun}.{verb}", _words(noun, verb)) for noun in nouns for verb in nouns[noun]],
        periods=PERIODS.values(),
        further=further,
        first=_address(said) if before is not None else None,
        tenants=visit.visitor.operates,
    )


def _found(visit: Visit, said: Mapping[str, str], before: int | None) -> Found | None:
    accounts = visit.face.accounts
    if accounts is None:
        return None
    period = PERIODS.get(said["period"])
    wanted = Wanted(
        who=said["who"],
        action=said["action"],
        target=said["target"],
        since=None if period is None else time.time() - period.lasts_s,
    )
    with accounts.database.reading() as connection:
        return search(connection, visit.visitor.actor, wanted, before=before, limit=PER_PAGE)


def _row(act: AuditEntry, found: Found) -> Row:
    noun, _, verb = act.action.partition(".")
    names, target = found.names, found.names.get(act.target, "")
    if noun == "budget":
        said = {**(act.before or {}), **(act.after or {})}
        owner = said.get("owner") or found.owners.get(act.target, "")
        target = f"of {names.get(owner, owner)}" if owner else ""
    by_key = _BY_KEY.fullmatch(act.actor)
    return Row(
        act=act,
        who=by_key[2] if by_key is not None else act.actor,
        key=by_key[1] if by_key is not None else "",
        done=_words(noun, verb),
        target=target,
        org=names.get(act.org or "", act.org or ""),
        changes=_changes(act, names),
    )


def _words(noun: str, verb: str) -> str:
    if noun == "budget" and verb == "delete":
        return "budget taken away"
    return f"{noun} {_DONE.get(verb, verb)}"


def _changes(act: AuditEntry, names: Mapping[str, str]) -> tuple[Changed, ...]:
    """What differs before and after; of what was made or ended, what it was."""
    before, after = dict(act.before or {}), dict(act.after or {})
    if "valid_until" in before:  # how long the old secret goes on
        after["valid_until"] = before.pop("valid_until")
    changes = []
    for field in dict.fromkeys((*before, *after)):
        old, new = before.get(field), after.get(field)
        # Of something new or gone, its name is what it was done to.
        named = field == "name" and (not before or not after) and act.target in names
        if field not in _UNTOLD and not named and old != new:
            called = _CALLED.get(field, field.replace("_", " "))
            changes.append(Changed(called, _text(field, old, names), _text(field, new, names)))
    return tuple(one for one in changes if (one.before, one.after) != (None, None))


def _text(field: str, value: Any, names: Mapping[str, str]) -> str | None:
    """A value as people read it; None for what says that there is nothing."""
    if value is None or value is False or value == [] or value == "":
        return None
    if value is True:
        return "yes"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    if isinstance(value, (int, float)):
        if field.endswith("_usd"):
            return words.usd(value)
        if field.endswith(("_at", "_until")):
            return f"{words.moment(value)} UTC"
        return f"{value:g}"
    return names.get(value, str(value))


def _address(said: Mapping[str, str], **more: str) -> str:
    return urlencode({name: value for name, value in {**said, **more}.items() if value})


def _number(query: QueryParams) -> int | None:
    text = query.get("before", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidRequest(
            f"`before` is {text[:80]!r}, which is no number of an act. Begin at the first page.",
            param="before",
        )
    return int(text)
