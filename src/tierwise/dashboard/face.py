"""What pages know of the gateway that they belong to, and of whoever looks at them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from msgspec import Struct

from tierwise.accounts.accounts import Accounts
from tierwise.accounts.types import Actor
from tierwise.config import Config
from tierwise.dashboard.ended import Ended
from tierwise.orchestrator import Orchestrator
from tierwise.state.budgets import Budgets

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Visitor(Struct, frozen=True, kw_only=True):
    """Whoever looks at a page: their rights, and whether organisations are kept apart.

    `watches` says that they may see how the gateway as a whole is. `policies` and `models` are
    those that their key may use, empty for all. `title` is what pages call them.
    """

    actor: Actor
    title: str = ""
    tenants: bool = False
    watches: bool = True
    signed_in: bool = True
    models: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()

    @property
    def operates(self) -> bool:
        """Whether they may change the gateway itself."""
        return self.actor.gateway

    @property
    def administers(self) -> bool:
        """Whether they may change keys and budgets of their organisation."""
        return self.actor.gateway or self.actor.role == "admin"

    @property
    def asks(self) -> bool:
        """Whether they may ask models; viewers only look."""
        return self.actor.gateway or self.actor.role != "viewer"

    @property
    def role(self) -> str:
        """What pages call it."""
        return "operator" if self.actor.gateway else self.actor.role


class Face(Protocol):
    """The gateway, as far as pages use it."""

    orchestrator: Orchestrator
    config: Config
    accounts: Accounts | None
    budgets: Budgets | None
    secret: bytes
    """What sessions are signed with."""

    @property
    def ended(self) -> Ended:
        """Logins that are over before their time."""

    @property
    def guarded(self) -> bool:
        """Whether anybody needs a key."""

    def digest_of(self, key: str) -> bytes | None:
        """By what a key is known; None for one that is not valid.

        Raises:
            NotPermitted: the key is not for pages.
        """

    def holder(self, digest: bytes) -> Visitor | None:
        """Whoever holds a key that was valid once; None if it is so no more.

        Raises:
            NotPermitted: the key is not for pages any more.
        """

    async def ask(self, visitor: Visitor, digest: bytes | None, body: bytes, send: Send) -> None:
        """Answers a chat request as the endpoint does, for whoever holds that key."""

    async def reload(self) -> None:
        """Has the configuration read again.

        Raises:
            ConfigError: it cannot be used.
        """
