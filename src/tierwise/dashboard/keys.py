"""Keys and budgets: listed, made, rotated and revoked, as far as somebody may."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from starlette.responses import Response

from tierwise.accounts.accounts import Accounts
from tierwise.accounts.kinds import BUDGET, KEY, ORGANISATION, TEAM, USER
from tierwise.accounts.known import check_known
from tierwise.accounts.own import Bounds
from tierwise.accounts.secrets import Secret
from tierwise.accounts.types import Key
from tierwise.accounts.wanted import NewBudget, NewKey, Rotation, plainly
from tierwise.budget import Budget, renews_at
from tierwise.config.clients import caller_of
from tierwise.config.serving import KeyConfig
from tierwise.dashboard.context import Visit
from tierwise.dashboard.face import Visitor
from tierwise.dashboard.paged import paged
from tierwise.errors import InvalidRequest, NotPermitted, RequestError, UnknownPath

MOST = 5_000
"""So many keys are listed, in pages."""
_MOST_BUDGETS = 500
_DAY_S = 86_400.0
T = TypeVar("T", bound=Struct)


class KeyRow(Struct, frozen=True, kw_only=True):
    """A key as it is listed."""

    key: Key
    whose: str
    state: str
    changes: bool


class BudgetRow(Struct, frozen=True, kw_only=True):
    """A budget and what is taken of it; `filled` is a fraction of the larger of its bounds."""

    budget: Budget
    spent_usd: float
    set_aside_usd: float
    filled: float
    soft_at: float | None
    renews_at: float | None
    state: str


class Listed(Struct, frozen=True, kw_only=True):
    """All of it, as far as somebody may see it."""

    keys: tuple[KeyRow, ...]
    budgets: tuple[Budget, ...]
    owners: tuple[tuple[str, str, str], ...]


class Making(Struct, frozen=True, kw_only=True):
    """Whether somebody may make keys: `why` they may not, and the `bounds` of those they make."""

    why: str = ""
    bounds: Bounds | None = None


async def show(visit: Visit) -> Response:
    """`GET /dashboard/keys`."""
    return await _shown(visit)


async def create(visit: Visit) -> Response:
    """`POST /dashboard/keys`: makes a key, and shows its secret this once."""
    form = await visit.form()
    accounts = _accounts(visit)
    try:
        wanted = _new_key(visit, form)
        made = await asyncio.to_thread(accounts.keyring.create, visit.visitor.actor, wanted)
    except RequestError as error:
        return await _shown(visit, refused=error, sent=form)
    return await _shown(visit, made)


def _new_key(visit: Visit, form: Mapping[str, Sequence[str]]) -> NewKey:
    wanted = _wanted(
        {
            "name": _text(form, "name"),
            "role": _text(form, "role") or "member",
            **_given(form, "team", "user", "org"),
            "models": _list(form, "models"),
            "policies": _list(form, "policies"),
            "tags": _list(form, "tags"),
            **({"rpm": _number(form, "rpm")} if _text(form, "rpm") else {}),
            **_expiry(form),
        },
        NewKey,
    )
    check_known(visit.face.orchestrator.setup, wanted.models, wanted.policies)
    return wanted


async def rotate(visit: Visit) -> Response:
    """`POST /dashboard/keys/{id}/rotate`: a new secret; the old one goes on for a while."""
    form = await visit.form()
    name = visit.request.path_params["id"]
    keyring = _accounts(visit).keyring
    overlap = (_number(form, "overlap_h") or 0.0) * 3600.0
    wanted = _wanted({"overlap_s": overlap}, Rotation)
    made = await asyncio.to_thread(keyring.rotate, visit.visitor.actor, name, wanted.overlap_s)
    return await _shown(visit, made)


async def revoke(visit: Visit) -> Response:
    """`POST /dashboard/keys/{id}/revoke`."""
    await visit.form()
    keyring, name = _accounts(visit).keyring, visit.request.path_params["id"]
    await asyncio.to_thread(keyring.revoke, visit.visitor.actor, name)
    return visit.to("/dashboard/keys?done=revoked")


async def budget(visit: Visit) -> Response:
    """`POST /dashboard/budgets`."""
    form = await visit.form()
    store = _accounts(visit).store
    scope, _, owner = _text(form, "owner").partition(":")
    try:
        wanted = _wanted(
            {
                "scope": scope,
                "owner": owner,
                "period": _text(form, "period"),
                "soft_usd": _number(form, "soft_usd"),
                "hard_usd": _number(form, "hard_usd"),
            },
            NewBudget,
        )
        await asyncio.to_thread(store.create_budget, visit.visitor.actor, wanted)
    except RequestError as error:
        return await _shown(visit, refused=error, sent=form)
    return visit.to("/dashboard/keys?done=budget#budgets")


async def unbudget(visit: Visit) -> Response:
    """`POST /dashboard/budgets/{id}/delete`."""
    await visit.form()
    store, name = _accounts(visit).store, visit.request.path_params["id"]
    await asyncio.to_thread(store.delete_budget, visit.visitor.actor, name)
    return visit.to("/dashboard/keys?done=unbudget#budgets")


async def _shown(
    visit: Visit,
    made: tuple[Key, Secret] | None = None,
    *,
    refused: RequestError | None = None,
    sent: Mapping[str, Sequence[str]] | None = None,
) -> Response:
    """The page; after a form that was refused with what it said, so that it can be mended."""
    face = visit.face
    listed, balances, making = None, [], Making()
    if face.accounts is not None:
        listed = await asyncio.to_thread(_listed, face.accounts, visit.visitor)
        balances = await _balances(visit, listed.budgets)
        making = await asyncio.to_thread(_making, face.accounts, visit.visitor)
    setup, query = face.orchestrator.setup, visit.request.query_params
    return visit.page(
        "keys.html",
        200 if refused is None else refused.status,
        title="Keys and budgets",
        told="" if refused is None else str(refused),
        sent={name: ", ".join(values) for name, values in (sent or {}).items() if name != "token"},
        listed=listed,
        making=making,
        keys=paged(listed.keys if listed is not None else (), query, _texts),
        balances=paged(balances, query, _owner_texts, of="budget_"),
        configured=_configured(visit) if visit.visitor.operates else [],
        made=None if made is None else made[0],
        secret=None if made is None else made[1].value,
        models=sorted(setup.models),
        policies=sorted(setup.policies),
        periods=("day", "week", "month", "total"),
    )


def _texts(row: KeyRow) -> Iterable[str]:
    """What a key is found by."""
    key = row.key
    return (key.name, key.id, key.prefix, row.whose, row.state, *key.tags)


def _owner_texts(row: BudgetRow) -> Iterable[str]:
    return (row.budget.owner_name or "", row.budget.owner, row.budget.scope, row.state)


def _making(accounts: Accounts, visitor: Visitor) -> Making:
    try:
        return Making(bounds=accounts.keyring.bounds(visitor.actor))
    except NotPermitted as error:
        return Making(why=str(error))


def _listed(accounts: Accounts, visitor: Visitor) -> Listed:
    actor, store = visitor.actor, accounts.store
    orgs = {one.id: one.name for one in store.all(actor, ORGANISATION)}
    teams = [one for one in store.all(actor, TEAM) if one.ended_at is None]
    users = [one for one in store.all(actor, USER) if one.ended_at is None]
    names = {one.id: one.name for one in teams} | {one.id: one.name for one in users}
    found = list(islice(store.all(actor, KEY), MOST))
    now = time.time()
    rows = [
        KeyRow(
            key=key,
            whose=" · ".join(
                name
                for name in (
                    orgs.get(key.org, key.org),
                    names.get(key.team or "", ""),
                    names.get(key.user or "", ""),
                )
                if name
            ),
            state=_state(key, now),
            changes=_changes(visitor, key),
        )
        for key in found
    ]
    live = [row for row in rows if row.state == "active"]
    over = [row for row in rows if row.state != "active"]
    owners = [
        *(("org", name, title) for name, title in orgs.items()),
        *(("team", one.id, one.name) for one in teams),
        *(("user", one.id, one.name) for one in users),
        *(("key", row.key.id, row.key.name) for row in live[:_MOST_BUDGETS]),
    ]
    budgets = tuple(islice(store.all(actor, BUDGET), _MOST_BUDGETS))
    return Listed(keys=(*live, *over), budgets=budgets, owners=tuple(owners))


async def _balances(visit: Visit, budgets: Sequence[Budget]) -> list[BudgetRow]:
    kept = visit.face.budgets
    if kept is None or not budgets:
        return []
    found = await kept.balances(budgets)
    rows = []
    for one, balance in zip(budgets, found, strict=True):
        bound = one.hard_usd if one.hard_usd is not None else one.soft_usd
        taken = balance.spent_usd + balance.set_aside_usd
        over_soft = one.soft_usd is not None and taken > one.soft_usd
        full = one.hard_usd is not None and taken >= one.hard_usd
        rows.append(
            BudgetRow(
                budget=one,
                spent_usd=balance.spent_usd,
                set_aside_usd=balance.set_aside_usd,
                filled=min(1.0, taken / bound) if bound else 1.0,
                soft_at=one.soft_usd / bound if one.soft_usd is not None and bound else None,
                renews_at=renews_at(one.period, kept.now()),
                state="spent" if full else "past its soft limit" if over_soft else "within",
            )
        )
    return sorted(rows, key=lambda row: -row.filled)


def _configured(visit: Visit) -> list[tuple[str, str]]:
    """The keys of the configuration: their names, and what sets them apart from others."""
    found = []
    for one in visit.face.config.server.api_keys:
        config = one if isinstance(one, KeyConfig) else KeyConfig(key=one)
        only = f"{' and '.join(config.only)} only" if config.only else ""
        found.append((caller_of(config), "operator" if config.admin else only))
    return found


def _state(key: Key, now: float) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    return "active"


def _changes(visitor: Visitor, key: Key) -> bool:
    """Whether they may rotate and revoke it: members what is theirs, which is all they see."""
    return key.revoked_at is None and (visitor.administers or visitor.actor.role == "member")


def _accounts(visit: Visit) -> Accounts:
    if not visit.visitor.administers and visit.visitor.actor.role == "viewer":
        raise NotPermitted("Your role is viewer, which only looks. Ask an admin of it.")
    accounts = visit.face.accounts
    if accounts is None:
        raise UnknownPath(
            "This gateway keeps no accounts. Set `accounts.enabled: true` in its configuration and "
            "restart it."
        )
    return accounts


def _wanted(fields: Mapping[str, Any], kind: type[T]) -> T:
    """A form's fields as what is wanted.

    Raises:
        InvalidRequest: one of them is wrong; names it.
    """
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$.")
        raise InvalidRequest(f"`{place.rstrip('`') or 'form'}`: {plainly(said)}.") from None


def _text(form: Mapping[str, Sequence[str]], name: str) -> str:
    return form.get(name, [""])[0].strip()


def _given(form: Mapping[str, Sequence[str]], *names: str) -> dict[str, str]:
    return {name: value for name in names if (value := _text(form, name))}


def _list(form: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    """Several values, or one with commas."""
    parts = [part.strip() for value in form.get(name, []) for part in value.split(",")]
    return tuple(part for part in parts if part)


def _number(form: Mapping[str, Sequence[str]], name: str) -> float | None:
    text = _text(form, name)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidRequest(f"`{name}` is {text[:40]!r}, which is no number.", param=name)
    return number


def _expiry(form: Mapping[str, Sequence[str]]) -> dict[str, float]:
    days = _number(form, "expires_days")
    return {} if days is None else {"expires_at": time.time() + days * _DAY_S}
