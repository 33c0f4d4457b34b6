"""The playground: one prompt, several policies and models side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tierwise.dashboard.context import FormRefused, Visit, bounded
from tierwise.dashboard.rendering import HEADERS
from tierwise.errors import NotPermitted, RequestError
from tierwise.wire import openai_errors

_DEFAULT_TOKENS, _MOST_TOKENS = 512, 8192
_MOST_PROMPT = 100_000


class _Question(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a column of the playground asks."""

    model: str
    prompt: str
    system: str = ""
    max_tokens: int = _DEFAULT_TOKENS


async def show(visit: Visit) -> Response:
    """`GET /dashboard/playground`."""
    setup, visitor = visit.face.orchestrator.setup, visit.visitor
    policies = [n for n in setup.policies if not visitor.policies or n in visitor.policies]
    models = [n for n in setup.models if not visitor.models or n in visitor.models]
    return visit.page(
        "playground.html",
        title="Playground",
        policies=policies,
        models=sorted(models),
        chosen=[*[n for n in ("auto", "economy", "best") if n in policies]],
    )


class Ask:
    """`POST /dashboard/playground/ask`: one answer, as a stream of the chat dialect.

    It goes where requests of clients go: the same limits, budgets and ledger.
    """

    def __init__(self, visit: Callable[[Request], Awaitable[Visit | None]]) -> None:
        self._visit = visit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One question."""
        request = Request(scope, receive)
        try:
            visit = await self._visit(request)
            if visit is None:
                raise FormRefused("Your login is over. Open the page again and sign in.")
            visit.check(request.headers.get("x-csrf-token", ""))
            if not visit.visitor.asks:
                raise NotPermitted("Your role is viewer, which only looks.")
            body = _body(await bounded(request))
        except RequestError as error:
            status, told, _ = openai_errors.render(error)
            response = Response(told, status, HEADERS, media_type="application/json")
            await response(scope, receive, send)
            return
        await visit.face.ask(visit.visitor, visit.session.digest, body, send)


def _body(asked: bytes) -> bytes:
    try:
        question = msgspec.json.decode(asked, type=_Question)
    except msgspec.MsgspecError as error:
        raise FormRefused(f"The question cannot be read: {error}.") from None
    if not question.prompt.strip() or len(question.prompt) > _MOST_PROMPT:
        raise FormRefused(f"`prompt` is empty, or has more than {_MOST_PROMPT:,} characters.")
    system = [{"role": "system", "content": question.system}] if question.system.strip() else []
    return msgspec.json.encode(
        {
            "model": question.model,
            "messages": [*system, {"role": "user", "content": question.prompt}],
            "max_tokens": max(1, min(question.max_tokens, _MOST_TOKENS)),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
