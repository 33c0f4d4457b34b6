"""`/v1/admin`: what operators do while the gateway runs."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.config.mistakes import each
from tierwise.errors import (
    AccountsAway,
    AdminOnly,
    ConfigError,
    StateUnavailable,
    UnknownDeployment,
)
from tierwise.orchestrator import Orchestrator
from tierwise.server.exposure import is_loopback
from tierwise.server.keys import ANYBODY, Client, Keys
from tierwise.server.lasting import Lasting, carry_out
from tierwise.state.orders import Order
from tierwise.types import Deployment
from tierwise.wire import openai_errors

if TYPE_CHECKING:
    from tierwise.state.shared.replicas import Replicas

log = logging.getLogger("tierwise.server")


class Reloaded(Struct, frozen=True):
    """A configuration that is served by from now on.

    `loaded_at` is a Unix time in seconds; `ignored` are the fields whose change needs a restart.
    """

    file: str | None
    loaded_at: float
    ignored: tuple[str, ...]


Reload = Callable[[], Awaitable[Reloaded]]
"""Raises `ConfigError` if the configuration cannot be used."""


class AdminEndpoint:
    """Drains and restores deployments, has the configuration read again and the cache emptied."""

    def __init__(
        self, orchestrator: Orchestrator, keys: Keys, lasting: Lasting, reload: Reload
    ) -> None:
        self._orchestrator = orchestrator
        self._keys = keys
        self._lasting = lasting
        self._reload = reload

    def routes(self) -> list[Route]:
        """Where these calls are. Ids of deployments have slashes in them."""
        one = "/v1/admin/deployments/{deployment:path}"
        return [
            Route(f"{one}/drain", self.drain, methods=["POST"]),
            Route(f"{one}/restore", self.restore, methods=["POST"]),
            Route("/v1/admin/reload", self.reload, methods=["POST"]),
            Route("/v1/admin/cache/clear", self.clear_cache, methods=["POST"]),
        ]

    async def drain(self, request: Request) -> Response:
        """No further call begins at the deployment; those that run go on."""
        return await self._order(request, drained=True)

    async def restore(self, request: Request) -> Response:
        """Calls may begin there again, whatever it was out for."""
        return await self._order(request, drained=False)

    async def reload(self, request: Request) -> Response:
        """Reads the configuration again: 200 when it is served by, 400 if it cannot be used."""
        client = self._admin(request)
        log.warning("%s asks for a reload", _who(client))
        try:
            done = await self._reload()
        except ConfigError as error:
            return _not_reloaded(error)
        await self._note(client, "configuration.reload", done.file or "")
        workers = self._orchestrator.crew.workers
        told = _after_reload(workers, done.ignored)
        body = {"object": "reload", **msgspec.to_builtins(done), "workers": workers}
        return _json({**body, "message": told})

    async def clear_cache(self, request: Request) -> Response:
        """Forgets all answers that were kept to be given again, here and wherever they are shared.

        Raises:
            StateUnavailable: Redis is not there, or other workers cannot be told; they keep theirs.
        """
        client = self._admin(request)
        log.warning("%s empties the cache", _who(client))
        cached = self._orchestrator.cached
        here = 0
        if cached is not None:
            here = len(cached.cache.here)
            cached.cache.clear()
        untold = _untold(self._lasting.clearing.give)
        await self._note(client, "cache.clear", "")
        self._check_told(untold, "This worker has forgotten its answers")
        replicas = self._lasting.replicas
        shared = await _clear_shared(replicas) if replicas is not None else None
        workers = self._orchestrator.crew.workers
        return _json(
            {
                "object": "cache",
                "forgotten": here,
                "forgotten_in_redis": shared,
                "workers": workers,
                "message": f"All answers are forgotten{self._where(workers)}. One that is being "
                "made now may be kept.",
            }
        )

    async def _order(self, request: Request, *, drained: bool) -> Response:
        client = self._admin(request)
        deployment = self._named(request.path_params["deployment"])
        word = "drained" if drained else "restored"
        log.warning("%s has %s %s", _who(client), word, deployment.id)
        order = Order(deployment.id, drained)
        carry_out(order, self._orchestrator)
        untold = _untold(lambda: self._lasting.orders.give(order))
        replicas = self._lasting.replicas
        if replicas is not None:
            replicas.news.order(order)
        action = "deployment.drain" if drained else "deployment.restore"
        await self._note(client, action, deployment.id)
        self._check_told(untold, f"{deployment.id} is {word} at this worker")
        status = next(s for s in self._orchestrator.health.snapshot() if s.id == deployment.id)
        workers = self._orchestrator.crew.workers
        where = self._where(workers)
        rest = "; the calls that run there go on" if drained and status.in_flight else ""
        return _json(
            {
                "object": "deployment",
                "id": deployment.id,
                "state": status.state,
                "in_flight": status.in_flight,
                "workers": workers,
                "message": f"{deployment.id} is {word}{where}{rest}. "
                "A reload keeps that, a restart does not.",
            }
        )

    def _where(self, workers: int) -> str:
        replicas = self._lasting.replicas
        if replicas is not None:
            when = "within a second" if replicas.link.up else "when Redis is back"
            return f" in all replicas {when}"
        return f" in all {workers} workers within a second" if workers > 1 else ""

    def _check_told(self, untold: OSError | None, done: str) -> None:
        """Whether other workers hear of what was done here.

        Raises:
            StateUnavailable: they do not, as on a full disk, and not by Redis either.
        """
        if untold is not None and self._lasting.replicas is None:
            raise StateUnavailable(
                f"{done}, but the others cannot be told of it: {untold}. Make room in the folder "
                "for temporary files, and ask again."
            ) from untold

    async def _note(self, client: Client, action: str, target: str) -> None:
        """Says in the audit log what was done. That it was, its database being away changes not."""
        accounts = self._lasting.accounts
        if accounts is None:
            return
        # Imported only here: it needs SQLAlchemy, and accounts have that.
        from tierwise.server.account_calls import note

        try:
            await asyncio.to_thread(note, accounts, client, action, target)
        except AccountsAway:
            log.error("%s by %s is not in the audit log", action, _who(client))

    def _admin(self, request: Request) -> Client:
        """Who asks.

        Raises:
            AuthenticationFailed: no key, or an unknown one.
            NotPermitted: a key that is good for something else alone.
            AdminOnly: it is no operator.
        """
        headers = dict(request.scope["headers"])
        client = self._keys.client(headers.get(b"authorization"))
        if not client.admin:
            raise AdminOnly(
                "This key may not operate the gateway. Give a key `admin: true` in "
                "`server.api_keys`, and use that one.",
                param="authorization",
            )
        if client is not ANYBODY:
            return client
        # A page in a browser on this machine can send requests here too, but not without this
        # header.
        if not _is_local(request) or b"origin" in headers:
            raise AdminOnly(
                "Without keys only programs on this machine may operate the gateway. Give a key "
                "`admin: true` in `server.api_keys`."
            )
        return client

    def _named(self, name: str) -> Deployment:
        known = {d.id: d for d in self._orchestrator.setup.everywhere()}
        if name in known:
            return known[name]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)[:3]
        raise UnknownDeployment(
            f"There is no deployment {name!r}. Did you mean {', '.join(near)}? "
            "`tierwise status` lists all of them."
        )


def _untold(tell: Callable[[], None]) -> OSError | None:
    """Why the other workers could not be told; None if they were."""
    try:
        tell()
    except OSError as error:
        return error
    return None


async def _clear_shared(replicas: Replicas) -> int:
    from tierwise.state.shared.connection import Lost

    try:
        return await replicas.cached.clear()
    except Lost as error:
        raise StateUnavailable(
            f"This gateway has forgotten its answers. Redis has not, and other replicas have not, "
            f"as it is away: {error}. Ask again when it is back."
        ) from error


def _who(client: Client) -> str:
    return "somebody on this machine" if client is ANYBODY else f"the key {client.name}"


def _is_local(request: Request) -> bool:
    client = request.scope.get("client")
    return client is not None and is_loopback(client[0])


def _not_reloaded(error: ConfigError) -> Response:
    """What is wrong, in OpenAI's shape and beside it field by field."""
    message = f"The configuration was not reloaded, and the old one goes on serving: {error}"
    said: dict[str, Any] = msgspec.json.decode(
        openai_errors.error_body(message, status=400, param=error.field, code="invalid_config")
    )
    mistakes = [
        {
            "file": one.file,
            "line": one.line,
            "field": one.field,
            "message": one.message,
            "remedy": one.remedy,
        }
        for one in each(error)
    ]
    return _json({**said, "mistakes": mistakes}, status=400)


def _after_reload(workers: int, ignored: tuple[str, ...]) -> str:
    told = "New requests are served by the new configuration; those under way finish on the old."
    if workers > 1:
        told += f" The other {workers - 1} of {workers} workers follow within a second."
    if ignored:
        told += f" A change of {', '.join(ignored)} needs a restart and was left out."
    return told


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")
