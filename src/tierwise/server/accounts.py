"""`/v1/admin/...` of accounts: organisations, teams, users, keys, budgets and the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.errors import UnknownPath
from tierwise.orchestrator import Orchestrator
from tierwise.server.body import bounded_body
from tierwise.server.keys import Client
from tierwise.server.lasting import Lasting
from tierwise.wire.pages import page_size

if TYPE_CHECKING:
    from tierwise.server.account_calls import AccountCalls

UNDER = "/v1/admin"
KINDS = ("organisations", "teams", "users", "keys", "budgets")
_MAX_BODY = 64 * 1024
_NEVER_KEPT = {"cache-control": "no-store"}

Endpoint = Callable[[Request], Awaitable[Response]]


class AccountEndpoint:
    """Reads calls about accounts, and has them carried out in a thread.

    Args:
        client: whoever asks; raises as `Keys.client` does.
    """

    def __init__(
        self, orchestrator: Orchestrator, lasting: Lasting, client: Callable[[Request], Client]
    ) -> None:
        self._orchestrator = orchestrator
        self._lasting = lasting
        self._client = client

    def routes(self) -> list[Route]:
        """Where these calls are."""
        routes = [
            Route(f"{UNDER}/keys/{{id}}/rotate", self._call("rotate"), methods=["POST"]),
            Route(f"{UNDER}/audit", self._list("audit"), methods=["GET"]),
        ]
        for kind in KINDS:
            routes += [
                Route(f"{UNDER}/{kind}", self._all(kind), methods=["GET", "POST"]),
                Route(
                    f"{UNDER}/{kind}/{{id}}", self._one(kind), methods=["GET", "PATCH", "DELETE"]
                ),
            ]
        return routes

    def _all(self, kind: str) -> Endpoint:
        listed, made = self._list(kind), self._call(f"create {kind}")

        async def call(request: Request) -> Response:
            return await (made if request.method == "POST" else listed)(request)

        return call

    def _one(self, kind: str) -> Endpoint:
        calls = {
            "GET": self._call(f"get {kind}"),
            "HEAD": self._call(f"get {kind}"),
            "PATCH": self._call(f"change {kind}"),
            "DELETE": self._call(f"delete {kind}"),
        }

        async def call(request: Request) -> Response:
            return await calls[request.method](request)

        return call

    def _list(self, kind: str) -> Endpoint:
        async def listed(request: Request) -> Response:
            client = self._client(request)
            calls = self._calls()
            query = request.query_params
            limit = page_size(query.get("limit"), "limit", default=100, most=1000)
            page = await asyncio.to_thread(
                calls.page, client, kind, query.get("after"), limit, query.get("org")
            )
            data = [await calls.shown(kind, one) for one in page.data]
            last = str(data[-1]["id"]) if data else None
            return _json({"object": "list", "data": data, "has_more": page.more, "last_id": last})

        return listed

    def _call(self, what: str) -> Endpoint:
        async def called(request: Request) -> Response:
            client = self._client(request)
            calls = self._calls()
            body = b""
            if request.method in ("POST", "PATCH"):
                body = await bounded_body(request, _MAX_BODY)
            name = request.path_params.get("id", "")
            verb, _, kind = what.partition(" ")
            if verb == "rotate":
                kind = "keys"
            done = await asyncio.to_thread(calls.do, client, verb, kind, name, body)
            return _json({**await calls.shown(kind, done.value), **done.beside})

        return called

    def _calls(self) -> AccountCalls:
        """What carries them out; imported, with SQLAlchemy, where there are accounts.

        Raises:
            UnknownPath: there are none.
        """
        accounts, budgets = self._lasting.accounts, self._lasting.budgets
        if accounts is None or budgets is None:
            raise UnknownPath(
                "This gateway keeps no accounts. Set `accounts.enabled: true` in its configuration "
                "and restart it."
            )
        from tierwise.server.account_calls import AccountCalls

        return AccountCalls(accounts, budgets, self._orchestrator.setup)


def _json(value: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers=_NEVER_KEPT)
