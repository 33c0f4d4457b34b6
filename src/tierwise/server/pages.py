"""The dashboard at `/`: built, and imported, when the first page is asked for."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from tierwise.config import Config
from tierwise.orchestrator import Orchestrator
from tierwise.server.admin import Reload
from tierwise.server.keys import ANYBODY, Client, Keys
from tierwise.server.lasting import Lasting
from tierwise.server.request import Receive, Scope, Send

if TYPE_CHECKING:
    from tierwise.accounts.accounts import Accounts
    from tierwise.accounts.types import Actor
    from tierwise.budget import Budget
    from tierwise.dashboard.ended import Ended
    from tierwise.dashboard.face import Visitor
    from tierwise.dashboard.site import Site

log = logging.getLogger("tierwise.server")

ROOT, UNDER = "/", "/dashboard/"
Answer = Callable[["AsClient", Scope, Receive, Send], Awaitable[None]]
"""Answers a chat request for somebody who is known already."""


class AsClient:
    """Stands where `Keys` do, for one client who has signed in."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def client(self, authorization: bytes | None, proves: str = "") -> Client:  # noqa: ARG002
        """That one, whatever a header says."""
        return self._client


class Pages:
    """The dashboard of one set-up, and what it is told of the gateway (`dashboard.face.Face`)."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        config: Config,
        lasting: Lasting,
        keys: Keys,
        reload: Reload,
        answer: Answer,
    ) -> None:
        self.orchestrator = orchestrator
        self.config = config
        self.accounts = lasting.accounts
        self.budgets = lasting.budgets
        configured = config.dashboard.session_secret
        self.secret = (
            lasting.session_secret if configured is None else configured.get_secret_value().encode()
        )
        self._lasting = lasting
        self._keys = keys
        self._reload = reload
        self._answer = answer
        self._site: Site | None = None
        self._building = asyncio.Lock()

    def takes(self, path: str) -> bool:
        """Whether a page is there."""
        return self.config.dashboard.enabled and (
            path == ROOT or path == UNDER[:-1] or path.startswith(UNDER)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request for a page."""
        if self._site is None:
            async with self._building:
                if self._site is None:
                    # In a thread: templates and the database's library take a while.
                    self._site = await asyncio.to_thread(self._build)
        await self._site(scope, receive, send)

    def _build(self) -> Site:
        from tierwise.dashboard.site import Site

        return Site(self)

    @property
    def ended(self) -> Ended:
        """Logins that are over before their time."""
        from tierwise.dashboard.ended import ended_of

        lasting = self._lasting
        if lasting.ended is None:
            elsewhere = None if lasting.replicas is None else lasting.replicas.ended
            lasting.ended = ended_of(self.config.ledger, self.orchestrator.crew, elsewhere)
        return lasting.ended

    @property
    def guarded(self) -> bool:
        """Whether anybody needs a key."""
        return self._keys.guarded

    def digest_of(self, key: str) -> bytes | None:
        """By what a key is known; None for one that is not valid."""
        digest = hashlib.sha256(key.strip().encode()).digest()
        return digest if key and self._keys.holder(digest) is not None else None

    def holder(self, digest: bytes) -> Visitor | None:
        """Whoever holds a key that was valid once; None if it is so no more."""
        client = self._keys.holder(digest)
        return None if client is None else self._visitor(client)

    async def ask(self, visitor: Visitor, digest: bytes | None, body: bytes, send: Send) -> None:
        """Answers a chat request as the endpoint does, for whoever holds that key."""
        client = None if digest is None else self._keys.holder(digest)
        if client is None:
            client = await asyncio.to_thread(self._client_of, visitor)
        scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(body)),
            ],
        }
        await self._answer(AsClient(client), scope, _Receives(body), send)

    async def reload(self) -> None:
        """Has the configuration read again.

        Raises:
            ConfigError: it cannot be used.
        """
        await self._reload()

    def _visitor(self, client: Client) -> Visitor:
        from tierwise.dashboard.face import Visitor
        from tierwise.server.account_calls import actor_of

        tenants = self.accounts is not None
        actor = actor_of(client)
        if not client.accounted:
            # Its name is what the ledger calls it.
            actor = msgspec.structs.replace(actor, name=client.name or "somebody", key=client.name)
        return Visitor(
            actor=actor,
            title=client.title or "",
            tenants=tenants,
            watches=client.admin or not client.accounted,
            models=client.models,
            policies=client.policies,
        )

    def _client_of(self, visitor: Visitor) -> Client:
        """Somebody without a key: by OIDC, or because nobody needs one."""
        from tierwise.types import Owner

        actor = visitor.actor
        if not visitor.signed_in:
            return ANYBODY
        return Client(
            actor.name,
            admin=actor.gateway,
            org=actor.org,
            role=actor.role,
            owner=Owner(user=actor.user, team=actor.team, org=actor.org),
            models=visitor.models,
            policies=visitor.policies,
            budgets=() if self.accounts is None else self._budgets_of(self.accounts, actor),
            passthrough=False,
        )

    def _budgets_of(self, accounts: Accounts, actor: Actor) -> tuple[Budget, ...]:
        from tierwise.accounts.holders import budgets_without_key

        with accounts.database.reading() as connection:
            return budgets_without_key(connection, actor)


class _Receives:
    """A body that is there already, of a client that stays."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._never = asyncio.Event()

    async def __call__(self) -> dict[str, object]:
        if self._body is None:
            await self._never.wait()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
