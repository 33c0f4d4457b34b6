"""The nouns of accounts. Times are Unix times in seconds, money is in USD."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from tierwise.budget import Budget
from tierwise.types import Limits, Priority

Role = Literal["admin", "member", "viewer"]
"""What somebody may do in their organisation: all, what is their own, or only look."""

ROLES: tuple[Role, ...] = ("viewer", "member", "admin")
"""From the least to the most."""

DEFAULT_ORG = "default"
"""The id of the organisation that is always there; keys of the configuration belong to it."""


class Organisation(Struct, frozen=True, kw_only=True):
    """A tenant: nothing of one is seen by another."""

    id: str
    name: str
    created_at: float
    ended_at: float | None = None


class Team(Struct, frozen=True, kw_only=True):
    """A part of an organisation."""

    id: str
    org: str
    name: str
    created_at: float
    ended_at: float | None = None


class User(Struct, frozen=True, kw_only=True):
    """A person in an organisation. `name` is what they sign in with: an address, if by OIDC."""

    id: str
    org: str
    name: str
    role: Role
    team: str | None = None
    created_at: float
    ended_at: float | None = None


class Key(Struct, frozen=True, kw_only=True):
    """A virtual key: who holds it, and what it may be used for. The secret is not in it.

    `prefix` is how its newest secret begins. Empty `models` and `policies` allow all. `gateway`
    opens the calls for operators, and every organisation; `passthrough` the endpoints that are
    passed through to a provider, which are not separated by tenant, and of which budgets bound only
    what says its cost. Of `expires_at` and `revoked_at`, None is never.
    """

    id: str
    org: str
    name: str
    team: str | None = None
    user: str | None = None
    role: Role = "member"
    gateway: bool = False
    passthrough: bool = False
    prefix: str
    models: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    priority: Priority | None = None
    rpm: float | None = None
    tpm: float | None = None
    concurrency: int | None = None
    expires_at: float | None = None
    revoked_at: float | None = None
    created_at: float

    @property
    def limits(self) -> Limits:
        """How much it may ask for."""
        return Limits(rpm=self.rpm, tpm=self.tpm, concurrency=self.concurrency)


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One administrative act: who did what to which, and how that was before and after.

    `id` counts up by one with every act, of the organisation for those who see no other; nothing
    secret is in `before` and `after`.
    """

    id: int
    at: float
    org: str | None
    actor: str
    action: str
    target: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Holder(Struct, frozen=True, kw_only=True):
    """What the request path needs to know of a secret: its key, and who is behind it.

    `role` is the key's, or its user's if that is less. `until` is when the secret stops working,
    as Unix time; None: never.
    """

    key: Key
    role: Role
    budgets: tuple[Budget, ...] = ()
    until: float | None = None


class Actor(Struct, frozen=True, kw_only=True):
    """Whoever does something to accounts, as the audit log calls them, and what they may do.

    A `gateway` actor may do everything everywhere; all others are bound to `org`. `models` and
    `policies` are what somebody without a key may use, as those of a key.
    """

    name: str
    org: str = DEFAULT_ORG
    role: Role = "viewer"
    gateway: bool = False
    key: str | None = None
    user: str | None = None
    team: str | None = None
    models: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()


OPERATOR = Actor(name="the command line", role="admin", gateway=True)
"""Whoever can write to the database itself."""
