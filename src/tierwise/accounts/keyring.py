"""Virtual keys: made, changed, rotated and revoked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection, insert, or_, select, update

from tierwise.accounts.database import Act, Database, new_id
from tierwise.accounts.kinds import KEY, TEAM, USER, administer, operate
from tierwise.accounts.own import Bounds, bounds_of, check_secret, own_key
from tierwise.accounts.secrets import Secret, new_secret
from tierwise.accounts.store import change, check_within, org_for, seen
from tierwise.accounts.tables import key_secrets, keys, teams, users
from tierwise.accounts.types import DEFAULT_ORG, OPERATOR, Actor, Key
from tierwise.accounts.wanted import KeyChange, NewKey
from tierwise.errors import InvalidRequest, NotPermitted
from tierwise.types import MOST_TAG_BYTES

BOOTSTRAP = "bootstrap"
"""The name of the key that the first start prints."""


class Keyring:
    """All keys in the database. Methods block, and write the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, actor: Actor, wanted: NewKey) -> tuple[Key, Secret]:
        """A new key, and its secret, which is not kept.

        Admins make any of their organisation, members their own (see `own`).

        Raises:
            UnknownAccount: its organisation, team or user is none that the actor may see.
            NotPermitted: the actor may not make it.
            InvalidRequest: it would have expired already.
        """
        _check_grants(actor, wanted)
        _check_tags(wanted.tags)
        with self._database.act(actor) as act:
            if _administers(actor):
                org = org_for(act.connection, actor, wanted.org)
            else:
                wanted, org = own_key(act.connection, actor, wanted, act.at), actor.org
            return _made(act, wanted, org)

    def bounds(self, actor: Actor) -> Bounds | None:
        """What a key that somebody makes may be at most; None for those who are not bounded so.

        Raises:
            NotPermitted: they may make none; says why.
        """
        if _administers(actor):
            return None
        with self._database.reading() as connection:
            return bounds_of(connection, actor, self._database.now())

    def change(self, actor: Actor, name: str, wanted: KeyChange) -> Key:
        """Other rights, limits or another name for a key."""
        _check_grants(actor, wanted)
        if wanted.tags is not UNSET:
            _check_tags(wanted.tags)
        with self._database.act(actor) as act:
            before = self._live(act.connection, actor, name)
            administer(actor, before.org)
            if wanted.expires_at is not UNSET:
                _check_expiry(wanted.expires_at, act.at)
            return change(act, KEY, before, before.org, wanted)

    def rotate(self, actor: Actor, name: str, overlap_s: float = 0.0) -> tuple[Key, Secret]:
        """A new secret for a key; those that it has stay valid for so many seconds.

        Raises:
            NotPermitted: it is not theirs, or may do more than the key or login in their hands.
            InvalidRequest: it is revoked or has expired, so that no secret of it would be good.
        """
        with self._database.act(actor) as act:
            before = self._live(act.connection, actor, name)
            _check_own(actor, before)
            if before.expires_at is not None and before.expires_at <= act.at:
                raise InvalidRequest(
                    f"The key {name!r} has expired, and a new secret would be no good. Give it a "
                    "later `expires_at` first, or create another one.",
                    param="id",
                )
            if not _administers(actor):
                check_secret(act.connection, actor, before)
            secret = new_secret()
            until = act.at + overlap_s
            act.connection.execute(
                update(key_secrets)
                .where(
                    key_secrets.c.key == name,
                    or_(key_secrets.c.expires_at.is_(None), key_secrets.c.expires_at > until),
                )
                .values(expires_at=until)
            )
            _keep(act, name, secret)
            act.connection.execute(
                update(keys).where(keys.c.id == name).values(prefix=secret.prefix)
            )
            act.note(
                "key.rotate",
                name,
                before.org,
                before={"prefix": before.prefix, "valid_until": until},
                after={"prefix": secret.prefix},
            )
            return msgspec.structs.replace(before, prefix=secret.prefix), secret

    def revoke(self, actor: Actor, name: str) -> Key:
        """Ends a key with all of its secrets, at once and for good."""
        with self._database.act(actor) as act:
            before = self._live(act.connection, actor, name)
            _check_own(actor, before)
            act.connection.execute(update(keys).where(keys.c.id == name).values(revoked_at=act.at))
            act.note("key.revoke", name, before.org, after={"revoked_at": act.at})
            return msgspec.structs.replace(before, revoked_at=act.at)

    def operated(self) -> bool:
        """Whether there is a key that operates the gateway, and is valid."""
        with self._database.reading() as connection:
            return _operated(connection, self._database.now())

    def bootstrap(self, *, force: bool = False) -> tuple[Key, Secret] | None:
        """A new key that operates the gateway, if there is none; None if there is.

        Args:
            force: makes one even so.
        """
        wanted = NewKey(name=BOOTSTRAP, org=DEFAULT_ORG, role="admin", gateway=True)
        try:
            with self._database.act(OPERATOR) as act:
                # Asked within the act, since several gateways may start at once.
                if not force and _operated(act.connection, act.at):
                    raise _Operated
                return _made(act, wanted, org_for(act.connection, OPERATOR, wanted.org))
        except _Operated:
            return None

    def _live(self, connection: Connection, actor: Actor, name: str) -> Key:
        found = seen(connection, actor, KEY, name)
        if found.revoked_at is not None:
            raise InvalidRequest(
                f"The key {name!r} is revoked, for good. Create another one.", param="id"
            )
        return found


class _Operated(Exception):
    """There is a key already."""


def _made(act: Act, wanted: NewKey, org: str) -> tuple[Key, Secret]:
    check_within(act.connection, TEAM, wanted.team, org)
    check_within(act.connection, USER, wanted.user, org)
    if wanted.team is None and wanted.user is not None:
        _check_team(act.connection, wanted.user)
    _check_expiry(wanted.expires_at, act.at)
    secret = new_secret()
    made = Key(
        **{
            **msgspec.structs.asdict(wanted),
            "id": new_id(KEY.prefix, act.at),
            "org": org,
            "prefix": secret.prefix,
            "created_at": act.at,
        }
    )
    values = msgspec.structs.asdict(made)
    act.connection.execute(insert(keys).values(**_as_lists(values)))
    _keep(act, made.id, secret)
    act.note("key.create", made.id, org, after=values)
    return made, secret


def _operated(connection: Connection, now: float) -> bool:
    asked = (
        select(keys.c.id)
        .join(key_secrets, key_secrets.c.key == keys.c.id)
        .where(
            keys.c.gateway,
            keys.c.revoked_at.is_(None),
            or_(keys.c.expires_at.is_(None), keys.c.expires_at > now),
            or_(key_secrets.c.expires_at.is_(None), key_secrets.c.expires_at > now),
        )
        .limit(1)
    )
    return connection.execute(asked).first() is not None


def _keep(act: Act, key: str, secret: Secret) -> None:
    act.connection.execute(
        insert(key_secrets).values(
            digest=secret.digest, key=key, prefix=secret.prefix, created_at=act.at
        )
    )


def _administers(actor: Actor) -> bool:
    return actor.gateway or actor.role == "admin"


def _check_grants(actor: Actor, wanted: NewKey | KeyChange) -> None:
    """What reaches beyond an organisation is not for its admins to give."""
    for name in ("gateway", "passthrough"):
        if getattr(wanted, name) is True:
            operate(actor, f"To give `{name}`")


def _check_tags(tags: Sequence[str]) -> None:
    """The ledger has them with every request, and in an index."""
    size = len(msgspec.json.encode(tags))
    if size > MOST_TAG_BYTES:
        raise InvalidRequest(
            f"`tags` take {size:,} bytes together, as JSON in UTF-8; they may take "
            f"{MOST_TAG_BYTES:,}. Give fewer or shorter ones.",
            param="tags",
        )


def _check_own(actor: Actor, key: Key) -> None:
    """Members may rotate and revoke what is theirs, which is all that they see."""
    if actor.role == "viewer" and not actor.gateway:
        raise NotPermitted(
            "This key's role is viewer, which only looks. Ask an admin of the organisation.",
            param="authorization",
        )
    if actor.role != "member":
        administer(actor, key.org)


def _check_team(connection: Connection, user: str) -> None:
    """Whether a key that is of a team by its user alone would be good."""
    asked = (
        select(teams.c.name)
        .join(users, users.c.team == teams.c.id)
        .where(users.c.id == user, teams.c.ended_at.is_not(None))
    )
    ended = connection.execute(asked).scalar_one_or_none()
    if ended is not None:
        raise InvalidRequest(
            f"`user` is {user!r}, whose team {ended!r} has ended, and its keys with it. Give the "
            "user another team or none first, or the key a `team`.",
            param="user",
        )


def _check_expiry(at: Any, now: float) -> None:
    if at is not None and at <= now:
        raise InvalidRequest(
            f"`expires_at` is {at:.0f}, which is over: it is {now:.0f} now, in Unix seconds. "
            "Give a later time, or null for never.",
            param="expires_at",
        )


def _as_lists(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
