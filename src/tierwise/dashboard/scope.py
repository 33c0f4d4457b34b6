"""What of the ledger somebody may see."""

from __future__ import annotations

from typing import Any

from tierwise.dashboard.face import Visitor
from tierwise.ledger.asked import Asked
from tierwise.types import Record


def asked_by(visitor: Visitor, **wanted: Any) -> Asked:
    """The requests that are wanted, of those that they may see.

    Without accounts that is all. With them operators see all, admins and viewers their
    organisation, members what is their own.
    """
    actor = visitor.actor
    if not visitor.tenants or actor.gateway:
        return Asked(**wanted)
    bounds: dict[str, Any] = {"org": (actor.org,)}
    if actor.role == "member":
        if actor.user is not None:
            bounds["user"] = (actor.user,)
        else:
            key = (actor.key,) if actor.key is not None else ("(nobody)",)
            bounds["key"] = key
    for name, allowed in bounds.items():
        named = wanted.get(name) or allowed
        # What is asked for beyond it is asked for in vain.
        bounds[name] = tuple(one for one in named if one in allowed) or ("(nobody)",)
    return Asked(**{**wanted, **bounds})


def may_see(visitor: Visitor, record: Record) -> bool:
    """Whether one request is among them."""
    actor = visitor.actor
    if not visitor.tenants or actor.gateway:
        return True
    owner = record.owner
    if owner is None or owner.org != actor.org:
        return False
    if actor.role != "member":
        return True
    if actor.user is not None:
        return owner.user == actor.user
    return actor.key is not None and owner.key == actor.key
