"""All pages as one application: where they are, and who is let in to which."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tierwise.dashboard import (
    audit,
    keys,
    login,
    models,
    overview,
    playground,
    policies,
    requests,
)
from tierwise.dashboard.context import Visit
from tierwise.dashboard.face import Face, Visitor
from tierwise.dashboard.local import check_local
from tierwise.dashboard.rendering import HEADERS, Rendering
from tierwise.dashboard.sessions import COOKIE, Session, Sessions
from tierwise.errors import NotPermitted, RequestError, TierwiseError

log = logging.getLogger("tierwise.dashboard")

Page = Callable[[Visit], Awaitable[Response]]
ROOT = "/dashboard"


class Site:
    """The pages of one set-up."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._rendering = Rendering()
        dashboard = face.config.dashboard
        self._sessions = Sessions(face.secret, dashboard.session_hours * 3600.0)
        self._login = login.Login(face, self._rendering, self._sessions)
        get, post = ["GET"], ["POST"]
        self._application = Starlette(
            routes=[
                Route("/", self._page(overview.show), methods=get),
                Route(ROOT, _to_root, methods=get),
                Route(f"{ROOT}/", _to_root, methods=get),
                Route(f"{ROOT}/requests", self._page(requests.search), methods=get),
                Route(f"{ROOT}/requests/{{id}}", self._page(requests.one), methods=get),
                Route(f"{ROOT}/models", self._page(models.show), methods=get),
                Route(f"{ROOT}/keys", self._page(keys.show), methods=get),
                Route(f"{ROOT}/keys", self._page(keys.create), methods=post),
                Route(f"{ROOT}/keys/{{id}}/rotate", self._page(keys.rotate), methods=post),
                Route(f"{ROOT}/keys/{{id}}/revoke", self._page(keys.revoke), methods=post),
                Route(f"{ROOT}/budgets", self._page(keys.budget), methods=post),
                Route(f"{ROOT}/budgets/{{id}}/delete", self._page(keys.unbudget), methods=post),
                Route(f"{ROOT}/audit", self._page(audit.show), methods=get),
                Route(f"{ROOT}/policies", self._page(policies.show), methods=get),
                Route(f"{ROOT}/policies/{{name:path}}", self._page(policies.edit), methods=get),
                Route(
                    f"{ROOT}/policies/{{name:path}}/preview",
                    self._page(policies.preview),
                    methods=post,
                ),
                Route(
                    f"{ROOT}/policies/{{name:path}}/apply", self._page(policies.apply), methods=post
                ),
                Route(f"{ROOT}/playground", self._page(playground.show), methods=get),
                Route(f"{ROOT}/playground/ask", playground.Ask(self.visit), methods=post),
                *self._login.routes(),
                Route(f"{ROOT}/static/{{name}}", self._static, methods=get),
            ],
            exception_handlers={
                HTTPException: self._http_error,
                TierwiseError: self._refused,
                SQLAlchemyError: self._away,
                Exception: self._broke,
            },
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request for a page."""
        await self._application(scope, receive, send)

    async def visit(self, request: Request) -> Visit | None:
        """Who makes a request; None for somebody who has to sign in first.

        Raises:
            NotPermitted: nobody needs a key, and it does not come from this machine.
        """
        session = self._sessions.open(request.cookies.get(COOKIE))
        if not self._face.guarded:
            check_local(request)
            session = session or self._sessions.new()
            return self._visit(request, session, login.ANYBODY)
        if session is None:
            return None
        visitor = await self._login.visitor(session)
        return None if visitor is None else self._visit(request, session, visitor)

    def _visit(self, request: Request, session: Session, visitor: Visitor) -> Visit:
        return Visit(request, self._face, self._rendering, self._sessions, session, visitor)

    def _page(self, show: Page) -> Callable[[Request], Awaitable[Response]]:
        async def shown(request: Request) -> Response:
            visit = await self.visit(request)
            if visit is None:
                return self._sign_in(request)
            response = await show(visit)
            if not self._face.guarded and COOKIE not in request.cookies:
                login.give_cookie(response, request, self._sessions, visit.session)
            return response

        return shown

    def _sign_in(self, request: Request) -> Response:
        if "fragment" in request.query_params:
            return Response(status_code=401, headers=HEADERS)
        url = request.url
        back = url.path + (f"?{url.query}" if url.query else "") if request.method == "GET" else "/"
        return Response(
            status_code=303,
            headers={**HEADERS, "location": f"{ROOT}/login?next={quote(back, safe='')}"},
        )

    async def _static(self, request: Request) -> Response:
        found = self._rendering.static(request.path_params["name"])
        return found or self._error(404, "There is no such file.")

    async def _refused(self, _: Request, error: Exception) -> Response:
        status = error.status if isinstance(error, RequestError) else 503
        title = "This is not for your role" if isinstance(error, NotPermitted) else ""
        return self._error(status, str(error), title)

    async def _http_error(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - the only one sent here
        told = "There is no such page." if error.status_code == 404 else error.detail
        return self._error(error.status_code, told)

    async def _away(self, request: Request, error: Exception) -> Response:
        log.error("%s cannot be shown: %s", request.url.path, error)
        return self._error(
            503, "The database cannot be read just now; the gateway's log has why. Try again soon."
        )

    async def _broke(self, request: Request, error: Exception) -> Response:
        log.error("the page %s broke", request.url.path, exc_info=error)
        return self._error(500, "The page broke; the gateway's log has why.")

    def _error(self, status: int, told: str, title: str = "") -> Response:
        titles = {404: "Not found", 403: "Refused", 405: "Not so", 503: "Not just now"}
        shown = {"status": status, "told": told, "title": title or titles.get(status, "Sorry")}
        return self._rendering.page("error.html", shown, status)


async def _to_root(_: Request) -> Response:
    return Response(status_code=303, headers={**HEADERS, "location": "/"})
