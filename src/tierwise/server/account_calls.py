"""What calls about accounts do, in words of the accounts; imported where there are any."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct
from sqlalchemy.exc import SQLAlchemyError

from tierwise.accounts import kinds, wanted
from tierwise.accounts.accounts import Accounts
from tierwise.accounts.known import check_known
from tierwise.accounts.secrets import Secret
from tierwise.accounts.store import Page
from tierwise.accounts.types import DEFAULT_ORG, Actor, Key
from tierwise.budget import Budget, renews_at
from tierwise.config import Setup
from tierwise.errors import AccountsAway, InvalidRequest
from tierwise.server.allowed import narrowed
from tierwise.server.keys import Client
from tierwise.state.budgets import Budgets
from tierwise.wire.unreadable import UNREADABLE

T = TypeVar("T", bound=Struct)
_KINDS: Mapping[str, kinds.Kind[Any]] = {
    "organisations": kinds.ORGANISATION,
    "teams": kinds.TEAM,
    "users": kinds.USER,
    "keys": kinds.KEY,
    "budgets": kinds.BUDGET,
    "audit": kinds.AUDIT,
}
_PLACE = re.compile(r"\s*- at `\$\.?(?P<field>[^`]*)`$")
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<field>[^`]*)`")


class Done(Struct, frozen=True):
    """What a call was about, as it is now, and what is shown beside it."""

    value: Any
    beside: dict[str, Any] = {}


class AccountCalls:
    """Carries out calls of clients. All but `shown` block."""

    def __init__(self, accounts: Accounts, budgets: Budgets, setup: Setup) -> None:
        self._store = accounts.store
        self._keyring = accounts.keyring
        self._budgets = budgets
        self._setup = setup

    def page(
        self, client: Client, kind: str, after: str | None, limit: int, org: str | None
    ) -> Page:
        """Some of a kind."""
        actor = actor_of(client)
        after, org = _text(after), _text(org)
        try:
            return self._store.page(actor, _KINDS[kind], after=after, limit=limit, org=org)
        except SQLAlchemyError as error:
            raise _away() from error

    def do(self, client: Client, verb: str, kind: str, name: str, body: bytes) -> Done:
        """One call: `get`, `create`, `change`, `delete` or `rotate`.

        Raises:
            RequestError: it cannot be done, or not by them.
        """
        actor, name = actor_of(client), _text(name) or ""
        try:
            if verb == "get":
                return Done(self._store.get(actor, _KINDS[kind], name))
            if verb == "delete":
                return Done(self._delete(actor, kind, name), {"deleted": True})
            if kind == "keys":
                return self._key(client, verb, name, body)
            return Done(self._make(actor, verb, kind, name, body))
        except SQLAlchemyError as error:
            raise _away() from error

    async def shown(self, kind: str, value: Any) -> dict[str, Any]:
        """One of a kind as JSON values; of a budget also what is spent of it."""
        shown = {"object": _KINDS[kind].noun, **msgspec.to_builtins(value)}
        if not isinstance(value, Budget):
            return shown
        (balance,) = await self._budgets.balances([value])
        soft = value.soft_usd
        return {
            **shown,
            "spent_usd": balance.spent_usd,
            "set_aside_usd": balance.set_aside_usd,
            "soft_passed": soft is not None and balance.taken_usd > soft,
            "renews_at": renews_at(value.period, self._budgets.now()),
        }

    def _delete(self, actor: Actor, kind: str, name: str) -> Any:
        if kind == "keys":
            return self._keyring.revoke(actor, name)
        if kind == "budgets":
            return self._store.delete_budget(actor, name)
        return self._store.end(actor, _KINDS[kind], name)

    def _key(self, client: Client, verb: str, name: str, body: bytes) -> Done:
        actor = actor_of(client)
        if verb == "rotate":
            rotation = read(body or b"{}", wanted.Rotation)
            return _with_secret(self._keyring.rotate(actor, name, rotation.overlap_s))
        if verb == "create":
            new = read(body, wanted.NewKey)
            self._check_known(client, new.models, new.policies)
            return _with_secret(self._keyring.create(actor, new))
        change = read(body, wanted.KeyChange)
        models = () if change.models is UNSET else change.models
        policies = () if change.policies is UNSET else change.policies
        self._check_known(client, models, policies)
        return Done(self._keyring.change(actor, name, change))

    def _make(self, actor: Actor, verb: str, kind: str, name: str, body: bytes) -> Any:
        store = self._store
        match verb, kind:
            case "create", "organisations":
                return store.create_organisation(actor, read(body, wanted.NewOrganisation))
            case "create", "teams":
                return store.create_team(actor, read(body, wanted.NewTeam))
            case "create", "users":
                return store.create_user(actor, read(body, wanted.NewUser))
            case "create", "budgets":
                return store.create_budget(actor, read(body, wanted.NewBudget))
            case "change", "organisations":
                change = read(body, wanted.OrganisationChange)
                return store.change_organisation(actor, name, change)
            case "change", "teams":
                return store.change_team(actor, name, read(body, wanted.TeamChange))
            case "change", "users":
                return store.change_user(actor, name, read(body, wanted.UserChange))
            case "change", "budgets":
                return store.change_budget(actor, name, read(body, wanted.BudgetChange))
        raise AssertionError(f"there is no {verb} of {kind}")

    def _check_known(
        self, client: Client, models: Collection[str], policies: Collection[str]
    ) -> None:
        """Whether there are these; of others only those are told that a key may use itself."""
        check_known(self._setup, models, policies, shown=narrowed(self._setup, client))


def note(accounts: Accounts, client: Client, action: str, target: str) -> None:
    """Says in the audit log what somebody has done to the gateway itself.

    Raises:
        AccountsAway: the database does not take it.
    """
    try:
        with accounts.database.act(actor_of(client)) as act:
            act.note(action, target, None)
    except SQLAlchemyError as error:
        raise _away() from error


def actor_of(client: Client) -> Actor:
    """Whoever holds a key, as accounts know them."""
    owner = client.owner
    if not client.accounted:
        return Actor(
            name=f"the key {client.name} of the configuration",
            org=DEFAULT_ORG,
            role="admin" if client.admin else "member",
            gateway=client.admin,
        )
    return Actor(
        name=f"{client.name} ({client.title})",
        org=client.org or DEFAULT_ORG,
        role=client.role or "viewer",
        gateway=client.admin,
        key=client.name,
        user=owner.user if owner is not None else None,
        team=owner.team if owner is not None else None,
    )


def read(body: bytes, kind: type[T]) -> T:
    """A body as what is wanted.

    Raises:
        InvalidRequest: it is no JSON, or a field is wrong; names it.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        text = str(error)
        unknown = _UNKNOWN_FIELD.search(text)
        if unknown is not None:
            field = unknown["field"][:80]
            raise InvalidRequest(
                f"`{field}` is not a field here; there are {', '.join(kind.__struct_fields__)}.",
                param=field,
            ) from None
        place = _PLACE.search(text)
        field = place["field"] if place is not None else ""
        said = wanted.plainly(_PLACE.sub("", text))
        where = f"`{field}`" if field else "The body"
        raise InvalidRequest(f"{where}: {said}.", param=field or None) from None
    except UNREADABLE as error:
        raise InvalidRequest(
            f"The body is not valid JSON: {error}. Send an object with some of: "
            f"{', '.join(kind.__struct_fields__)}."
        ) from None


def _text(value: str | None) -> str | None:
    """A text that PostgreSQL takes, which knows no NUL; with one it is the id of nothing."""
    return None if value is None else value.replace("\x00", "\ufffd")


def _with_secret(made: tuple[Key, Secret]) -> Done:
    key, secret = made
    return Done(key, {"secret": secret.value})


def _away() -> AccountsAway:
    return AccountsAway(
        "The database of accounts cannot be used just now; the gateway's log has why. Keys that "
        "are known go on working. Try again in a while.",
    )
