"""Keys that members make for themselves, or give a new secret: of their own user, and within what
they hold already."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, or_, select

from tierwise.accounts.kinds import KEY, ORGANISATION, TEAM, USER
from tierwise.accounts.store import seen, unknown
from tierwise.accounts.tables import budgets, keys
from tierwise.accounts.types import Actor, Key
from tierwise.accounts.wanted import NewKey
from tierwise.errors import InvalidRequest, NotPermitted
from tierwise.types import Priority

MOST = 50
"""So many valid keys of one user; members make no more."""
_MOST_TAGS = 20
_PRIORITIES: tuple[Priority, ...] = get_args(Priority)
"""From the first to the last that are served."""


class Bounds(Struct, frozen=True, kw_only=True):
    """What a key that a member makes may be at most: what the key in their hands is.

    Empty `models` and `policies` allow all; `tags` are put on it, whatever else it has; None is no
    bound. Who has signed in without a key is bound by what their login may use, and their user's
    budgets.
    """

    models: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    priority: Priority | None = None
    expires_at: float | None = None


def bounds_of(connection: Connection, actor: Actor, now: float) -> Bounds:
    """What a member may make.

    Raises:
        NotPermitted: no key at all; says why.
    """
    if actor.role == "viewer":
        raise _refused("Your role is viewer, which only looks. Ask an admin of the organisation.")
    if actor.user is None:
        raise _refused(
            "A key that is of no user makes no others, since they would be nobody's. Ask an admin "
            "of the organisation for one of your user."
        )
    if _live(connection, actor.user, now) >= MOST:
        raise _refused(f"Your user has {MOST} valid keys already. Revoke one that is not needed.")
    if actor.key is None:
        return Bounds(models=actor.models, policies=actor.policies)
    own = seen(connection, actor, KEY, actor.key)
    bounded = [name for name in ("rpm", "tpm", "concurrency") if getattr(own, name) is not None]
    if _has_budget(connection, own.id):
        bounded.append("a budget")
    if bounded:
        raise _refused(
            f"This key has {' and '.join(bounded)} of its own, which another key would get round. "
            "Ask an admin of the organisation."
        )
    return Bounds(
        models=own.models,
        policies=own.policies,
        tags=own.tags,
        priority=own.priority,
        expires_at=own.expires_at,
    )


def own_key(connection: Connection, actor: Actor, wanted: NewKey, now: float) -> NewKey:
    """A key as a member may have it: their own, with the bounds of the one in their hands.

    Raises:
        NotPermitted: they may make none, or not this one.
        UnknownAccount: it is to be of somebody whom they cannot see.
        InvalidRequest: it would have too many tags.
    """
    seen(connection, actor, ORGANISATION, wanted.org or actor.org, param="org")
    bounds = bounds_of(connection, actor, now)
    for kind, value, mine in ((USER, wanted.user, actor.user), (TEAM, wanted.team, actor.team)):
        if value not in (None, mine):
            raise unknown(kind, str(value), param=kind.noun)
    if wanted.role == "admin":
        raise _refused("Your role is member, and so are keys that you make.", "role")
    tags = tuple(dict.fromkeys((*bounds.tags, *wanted.tags)))
    if len(tags) > _MOST_TAGS:
        raise InvalidRequest(
            f"`tags` are {len(tags)} with those of the key in use. {_MOST_TAGS} are the most.",
            param="tags",
        )
    return msgspec.structs.replace(
        wanted,
        org=actor.org,
        user=actor.user,
        # Else what it spends would not count for the team that the one in their hands is of.
        team=actor.team,
        models=_within("models", wanted.models, bounds.models),
        policies=_within("policies", wanted.policies, bounds.policies),
        tags=tags,
        priority=_priority(wanted.priority, bounds.priority),
        expires_at=_expiry(wanted.expires_at, bounds.expires_at),
    )


def check_secret(connection: Connection, actor: Actor, key: Key) -> None:
    """Whether a member may have a new secret of a key of theirs, which may do no more than the one
    in their hands: that may have come into other hands. Who has signed in without one may have it
    of keys that may do no more than their login.

    Raises:
        NotPermitted: it may do more.
    """
    if actor.key == key.id:
        return
    if actor.key is None:
        beyond, using = _beyond_login(actor, key), "your login"
    else:
        beyond, using = _beyond_key(connection, actor, actor.key, key), "the one in use"
    if beyond:
        raise _refused(
            f"The key {key.id!r} may do more than {using} ({', '.join(beyond)}), which gives it no "
            "new secret. Use that key itself, or ask an admin of the organisation."
        )


def _beyond_login(actor: Actor, key: Key) -> list[str]:
    """What a key may do that its user's login may not."""
    bounded = bool(actor.models or actor.policies)
    return [
        name
        for name, more in (
            ("models", _reaches_further(key.models, actor.models)),
            ("policies", _reaches_further(key.policies, actor.policies)),
            ("passthrough", key.passthrough and bounded),  # where no list of models counts
        )
        if more
    ]


def _beyond_key(connection: Connection, actor: Actor, used: str, key: Key) -> list[str]:
    """What a key may do that the one in use may not."""
    own = seen(connection, actor, KEY, used)
    beyond = [
        name
        for name, more in (
            ("role", key.role == "admin" != own.role),
            ("passthrough", key.passthrough and not own.passthrough),
            ("models", _reaches_further(key.models, own.models)),
            ("policies", _reaches_further(key.policies, own.policies)),
            ("priority", _rank(key.priority) < _rank(own.priority)),
            *(
                (name, _or_endless(getattr(key, name)) > _or_endless(getattr(own, name)))
                for name in ("rpm", "tpm", "concurrency", "expires_at")
            ),
        )
        if more
    ]
    if _spends_more(connection, key.id, own.id):
        beyond.append("a budget")
    return beyond


def _reaches_further(names: tuple[str, ...], allowed: tuple[str, ...]) -> bool:
    """Empty is all."""
    return bool(allowed) and not (names and set(names) <= set(allowed))


def _rank(priority: Priority | None) -> int:
    return -1 if priority is None else _PRIORITIES.index(priority)


def _or_endless(most: float | None) -> float:
    return math.inf if most is None else most


def _within(field: str, wanted: Sequence[str], allowed: tuple[str, ...]) -> tuple[str, ...]:
    beyond = [name for name in wanted if allowed and name not in allowed]
    if beyond:
        raise _refused(
            f"`{field}` has {beyond[0]!r}, which the key or login in use may not use itself. It "
            f"may use {', '.join(allowed)}.",
            field,
        )
    return tuple(wanted) or allowed


def _priority(wanted: Priority | None, most: Priority | None) -> Priority | None:
    if wanted is None or most is None:
        return wanted or most
    if _PRIORITIES.index(wanted) < _PRIORITIES.index(most):
        raise _refused(
            f"`priority` is {wanted!r}, above that of the key in use, {most!r}.", "priority"
        )
    return wanted


def _expiry(wanted: float | None, most: float | None) -> float | None:
    if wanted is None or most is None:
        return wanted if most is None else most
    if wanted > most:
        raise _refused(
            f"`expires_at` is {wanted:.0f}, after the key in use itself expires, at {most:.0f}.",
            "expires_at",
        )
    return wanted


def _live(connection: Connection, user: str, now: float) -> int:
    asked = select(func.count()).where(
        keys.c.user == user,
        keys.c.revoked_at.is_(None),
        or_(keys.c.expires_at.is_(None), keys.c.expires_at > now),
    )
    return int(connection.execute(asked).scalar_one())


def _has_budget(connection: Connection, key: str) -> bool:
    asked = select(budgets.c.id).where(budgets.c.scope == "key", budgets.c.owner == key).limit(1)
    return connection.execute(asked).first() is not None


def _spends_more(connection: Connection, key: str, own: str) -> bool:
    """Whether a key may spend more in some period than another one's hard budgets let that one."""
    asked = select(budgets.c.owner, budgets.c.period, budgets.c.hard_usd).where(
        budgets.c.scope == "key", budgets.c.owner.in_((key, own))
    )
    hard = {(owner, period): usd for owner, period, usd in connection.execute(asked)}
    return any(
        _or_endless(hard.get((key, period))) > _or_endless(usd)
        for (owner, period), usd in hard.items()
        if owner == own
    )


def _refused(told: str, param: str = "authorization") -> NotPermitted:
    return NotPermitted(told, param=param)
