"""Signing in, by a key or by OIDC, and out."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from msgspec.structs import replace
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tierwise.accounts import tables
from tierwise.accounts.types import DEFAULT_ORG, Actor
from tierwise.dashboard.context import FormRefused, bounded
from tierwise.dashboard.face import Face, Visitor
from tierwise.dashboard.rendering import HEADERS, Rendering
from tierwise.dashboard.sessions import COOKIE, Session, Sessions
from tierwise.errors import NotPermitted

if TYPE_CHECKING:
    from tierwise.dashboard.oidc import Oidc

log = logging.getLogger("tierwise.dashboard")

ANYBODY = Visitor(
    actor=Actor(name="somebody on this machine", role="admin", gateway=True), signed_in=False
)
"""Whoever looks where nobody needs a key."""
_BEFORE = "tierwise_login"
"""The cookie of somebody who is about to sign in, for the token of that form."""
_BEFORE_S = 3600.0


class Login:
    """Lets people in, and tells who they are."""

    def __init__(self, face: Face, rendering: Rendering, sessions: Sessions) -> None:
        self._face = face
        self._rendering = rendering
        self._sessions = sessions
        self._oidc: Oidc | None = None
        self._models: tuple[str, ...] = ()
        self._policies: tuple[str, ...] = ()
        config = face.config.dashboard.oidc
        if config is not None:
            # Imported only here: it needs the extra `oidc`, and says so.
            from tierwise.dashboard.oidc import Oidc

            self._oidc = Oidc(config, sessions)
            self._models, self._policies = tuple(config.models), tuple(config.policies)

    def routes(self) -> list[Route]:
        """Where that is done."""
        return [
            Route("/dashboard/login", self.form, methods=["GET"]),
            Route("/dashboard/login", self.enter, methods=["POST"]),
            Route("/dashboard/logout", self.leave, methods=["POST"]),
            Route("/dashboard/oidc", self.away, methods=["GET"]),
            Route("/dashboard/oidc/callback", self.back, methods=["GET"]),
        ]

    async def visitor(self, session: Session) -> Visitor | None:
        """Whoever has signed in, as they are now; None if they are let in no more."""
        if await self._face.ended.has(session):
            return None
        if session.digest is not None:
            return await asyncio.to_thread(self._face.holder, session.digest)
        if session.address is not None and self._oidc is not None:
            found = await asyncio.to_thread(self._known, session.address, session.role)
            # Who is a user no more, or is another one's, signs in again to be what a claim makes
            # of them.
            return found if found is not None and found.actor.user == session.user else None
        return None

    async def form(self, request: Request) -> Response:
        """The form to sign in."""
        if not self._face.guarded:
            return RedirectResponse("/", status_code=303, headers=HEADERS)
        return self._form(request, _within(request.query_params.get("next")))

    async def enter(self, request: Request) -> Response:
        """Signs in by a key."""
        fields = dict(parse_qsl((await bounded(request)).decode("utf-8", "replace")))
        before = self._sessions.open(request.cookies.get(_BEFORE))
        if before is None or not self._sessions.is_token(before, fields.get("token", "")):
            return self._form(request, _within(fields.get("next")), "Please try once more.", 403)
        key = fields.get("key", "").strip()
        try:
            digest = await asyncio.to_thread(self._face.digest_of, key)
        except NotPermitted as error:
            return self._form(request, _within(fields.get("next")), str(error), 403)
        visitor = None if digest is None else await asyncio.to_thread(self._face.holder, digest)
        if digest is None or visitor is None:
            log.warning("somebody tried to sign in with a key that is none of this gateway's")
            told = "This key is not one of this gateway's, or not any more."
            return self._form(request, _within(fields.get("next")), told, 401)
        log.info("%s has signed in", visitor.actor.name)
        response = RedirectResponse(_within(fields.get("next")), status_code=303, headers=HEADERS)
        give_cookie(response, request, self._sessions, self._sessions.new(digest=digest))
        response.delete_cookie(_BEFORE)
        return response

    async def leave(self, request: Request) -> Response:
        """Signs out: whoever else has the cookie, too."""
        session = self._sessions.open(request.cookies.get(COOKIE))
        fields = dict(parse_qsl((await bounded(request)).decode("utf-8", "replace")))
        if session is not None and not self._sessions.is_token(session, fields.get("token", "")):
            raise FormRefused("This form is from another page.")
        if session is not None and self._face.guarded:
            await self._face.ended.end(session)
        response = RedirectResponse("/dashboard/login", status_code=303, headers=HEADERS)
        response.delete_cookie(COOKIE)
        return response

    async def away(self, request: Request) -> Response:
        """Off to the provider of OIDC."""
        if self._oidc is None:
            return self._form(request, "/", "Login by OIDC is not configured here.", 404)
        return await self._oidc.away(request, _within(request.query_params.get("next")))

    async def back(self, request: Request) -> Response:
        """Back from the provider of OIDC."""
        if self._oidc is None:
            return self._form(request, "/", "Login by OIDC is not configured here.", 404)
        came = await self._oidc.back(request)
        visitor = None
        if came.address is not None:
            visitor = await asyncio.to_thread(self._known, came.address, came.role)
        if visitor is None or came.address is None:
            told = came.told or f"{came.address} is nobody whom this gateway knows. Ask an admin."
            return self._form(request, "/", told, 403)
        log.info("%s has signed in", visitor.actor.name)
        # The browser comes from elsewhere, and sends a strict cookie only after a page of ours.
        response = self._rendering.page("onward.html", {"onward": came.onward})
        session = self._sessions.new(address=came.address, role=came.role, user=visitor.actor.user)
        give_cookie(response, request, self._sessions, session)
        self._oidc.forget(response)
        return response

    def _known(self, address: str, role: str | None) -> Visitor | None:
        """Somebody of an address: operators by a claim, users of the accounts, others by a claim.

        The first, because admins of any organisation may make a user of any address; so nobody can
        say who is meant if several have. Nobody is let in as a user who has ended, or whose team
        or organisation has. Claims lead to the organisation `default`, and so not for those who
        have ended there.
        """
        accounts = self._face.accounts
        tenants = accounts is not None
        if role == "operator":
            return Visitor(actor=Actor(name=address, role="admin", gateway=True), tenants=tenants)
        if accounts is not None:
            users, teams, orgs = tables.users.c, tables.teams.c, tables.organisations.c
            ended = func.coalesce(users.ended_at, teams.ended_at, orgs.ended_at)
            asked = (
                select(tables.users, ended.label("over_at"))
                .join_from(tables.users, tables.organisations, users.org == orgs.id)
                .join(tables.teams, users.team == teams.id, isouter=True)
                .where(func.lower(users.name) == address.lower())
            )
            with accounts.database.reading() as connection:
                rows = connection.execute(asked).mappings().all()
            live = [row for row in rows if row["over_at"] is None]
            if len(live) > 1:
                log.warning("%s is a user of several organisations, and not let in", address)
            if len(live) != 1:
                over = live or any(row["org"] == DEFAULT_ORG for row in rows)
                role = None if over else role
            else:
                row = live[0]
                actor = Actor(
                    name=address, org=row["org"], role=row["role"], user=row["id"], team=row["team"]
                )
                return self._bounded(actor, tenants=True, watches=False)
        if role is None:
            return None
        claimed = Actor(name=address, org=DEFAULT_ORG, role=role)  # type: ignore[arg-type]
        return self._bounded(claimed, tenants=tenants, watches=not tenants)

    def _bounded(self, actor: Actor, *, tenants: bool, watches: bool) -> Visitor:
        """Somebody who has no key that would say what they may use."""
        return Visitor(
            actor=replace(actor, models=self._models, policies=self._policies),
            tenants=tenants,
            watches=watches,
            models=frozenset(self._models),
            policies=frozenset(self._policies),
        )

    def _form(self, request: Request, onward: str, told: str = "", status: int = 200) -> Response:
        before = self._sessions.open(request.cookies.get(_BEFORE)) or self._sessions.new()
        values = {
            "onward": onward,
            "told": told,
            "token": self._sessions.token(before),
            "oidc": self._oidc is not None,
        }
        response = self._rendering.page("login.html", values, status)
        _cookie(response, request, _BEFORE, self._sessions.seal(before), _BEFORE_S)
        return response


def give_cookie(response: Response, request: Request, sessions: Sessions, session: Session) -> None:
    """Lets a browser keep a login."""
    _cookie(response, request, COOKIE, sessions.seal(session), sessions.lasts_s)


def _cookie(response: Response, request: Request, name: str, value: str, lasts_s: float) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(lasts_s),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def _within(path: str | None) -> str:
    """A path of ours to go on to; never somebody else's."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")):
        return "/"
    split = urlsplit(path)
    if split.scheme or split.netloc or any(ord(c) < 32 for c in path):
        return "/"
    return path if path == "/" or path.startswith(("/?", "/dashboard/")) else "/"
