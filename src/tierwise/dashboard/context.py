"""One visit: the request, who makes it, and what the pages have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from sqlalchemy import Connection
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from tierwise.dashboard.face import Face, Visitor
from tierwise.dashboard.rendering import HEADERS, Rendering
from tierwise.dashboard.sessions import Session, Sessions
from tierwise.errors import NotPermitted, RequestError

T = TypeVar("T")
_MOST_FORM = 256 * 1024
DONE = {
    "revoked": "The key is revoked; it is refused from now on.",
    "budget": "The budget is set.",
    "unbudget": "The budget is taken away.",
    "applied": "The policy is applied: new requests are served by it.",
}
"""What pages say after a redirect, by the `done` of its address."""


class FormRefused(RequestError):
    """A form without the token of its session, or too large a one."""

    status = 403


class Visit:
    """One request for a page."""

    def __init__(
        self,
        request: Request,
        face: Face,
        rendering: Rendering,
        sessions: Sessions,
        session: Session,
        visitor: Visitor,
    ) -> None:
        self.request = request
        self.face = face
        self.rendering = rendering
        self.sessions = sessions
        self.session = session
        self.visitor = visitor

    async def reading(self, work: Callable[[Connection], T]) -> T:
        """Reads the ledger, in a thread."""
        ledger = self.face.orchestrator.ledger

        def read() -> T:
            with ledger.reading() as connection:
                return work(connection)

        return await asyncio.to_thread(read)

    async def form(self) -> dict[str, list[str]]:
        """The fields of a form, if it is one of ours.

        Raises:
            FormRefused: it has not the token of this session, or is too large.
        """
        body = await bounded(self.request)
        fields: dict[str, list[str]] = {}
        try:
            for name, value in parse_qsl(body.decode(), keep_blank_values=True):
                fields.setdefault(name, []).append(value)
        except UnicodeDecodeError:
            raise FormRefused("The form is not in UTF-8.") from None
        self.check(fields.get("token", [""])[0])
        return fields

    def check(self, token: str) -> None:
        """Whether a form has brought the token of this session.

        Raises:
            FormRefused: it has not.
        """
        if not self.sessions.is_token(self.session, token):
            raise FormRefused(
                "This form is from another login, or from another page. Open the page again and "
                "send it from there."
            )

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page, with what all of them show."""
        done = self.request.query_params.get("done", "")
        shown = {
            "visitor": self.visitor,
            "token": self.sessions.token(self.session),
            "path": self.request.url.path,
            "address": f"{self.request.url.scheme}://{self.request.url.netloc}",
            "done": DONE.get(done),
            "guarded": self.face.guarded,
            "accounts": self.face.accounts is not None,
            "simulated": _is_simulated(self.face),
            **values,
        }
        return self.rendering.page(template, shown, status)

    def to(self, path: str) -> Response:
        """On to another page."""
        return RedirectResponse(path, status_code=303, headers=HEADERS)

    def operate(self, what: str) -> None:
        """Only operators pass.

        Raises:
            NotPermitted: it is somebody else.
        """
        if not self.visitor.operates:
            raise NotPermitted(
                f"{what} is for those who operate the gateway. Sign in with a key with `gateway: "
                "true`, or one with `admin: true` in `server.api_keys`."
            )


async def bounded(request: Request) -> bytes:
    """A form's body.

    Raises:
        FormRefused: it is too large, or did not come whole.
    """
    parts, size = [], 0
    try:
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > _MOST_FORM:
                raise FormRefused(f"The form has more than {_MOST_FORM // 1024} KiB.")
    except ClientDisconnect:
        raise FormRefused("The form did not come whole.") from None
    return b"".join(parts)


def _is_simulated(face: Face) -> bool:
    """Whether the models are those of the fleet that makes its answers up."""
    return all(name.startswith("sim-") for name in face.orchestrator.setup.models)
