"""Requests for embeddings, booked: each is in the ledger, however it ends."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from tierwise.errors import TierwiseError
from tierwise.ledger import EMBEDDINGS, Aside, Ledger, Told
from tierwise.types import Attempt, Owner, Purse

if TYPE_CHECKING:
    from tierwise.execution.embedding import Embedded, Embedder
    from tierwise.wire.embeddings import EmbeddingsAsked

    Look = Callable[[EmbeddingsAsked, list[str]], Awaitable[EmbeddingsAsked]]


async def embed_booked(
    embedder: Embedder,
    ledger: Ledger,
    asked: EmbeddingsAsked,
    deadline: float,
    *,
    name: str,
    caller: str | None,
    look: Look | None = None,
    owner: Owner | None = None,
    told: Told | None = None,
    purse: Purse | None = None,
) -> Embedded:
    """The vectors of what is asked; raises as `Embedder.embed` does.

    A model that nobody has is refused and not booked, as it is where answers are asked for.

    Args:
        name: what the request is called, in the ledger and to its client.
        look: gives what is asked as it may go on, and says in the list what was found in it; raises
            if it may not.
        told: what is told of it beside what the ledger keeps, as far as that is known before.
        purse: what pays for it; something was set aside in it, and is settled.
    """
    deployments = embedder.places(asked.model)
    at, began = time.time(), time.monotonic()
    attempts: list[Attempt] = []
    found: list[str] = []
    embedded: Embedded | None = None
    status: Literal["ok", "error", "cancelled"] = "cancelled"
    told = told or Told()
    said: str | None = None
    try:
        if look is not None:
            asked = await look(asked, found)
        embedded = await embedder.embed(
            asked, deployments, deadline, attempts, trace=told.trace, since=began
        )
        status = "ok"
    except Exception as error:
        status, said = "error", f"{type(error).__name__}: {error}"
        if isinstance(error, TierwiseError):
            error.decision_id, error.attempts = name, len(attempts)
        raise
    finally:
        # Nobody bills what it does not answer, but what was left before that.
        usd = embedded.cost_usd if embedded is not None else sum(one.cost_usd for one in attempts)
        if purse is not None:
            purse.settle(usd)
        ledger.noted(
            Aside(
                id=name,
                at=at,
                kind=EMBEDDINGS,
                asked=asked.model,
                status=status,
                latency_s=time.monotonic() - began,
                caller=caller,
                owner=owner,
                provider=None if embedded is None else embedded.deployment.partition("/")[0],
                model=None if embedded is None else embedded.model,
                deployment=None if embedded is None else embedded.deployment,
                code=attempts[-1].status if attempts else None,
                cost_usd=usd,
                input_tokens=0 if embedded is None else embedded.usage.input_tokens,
                output_tokens=0,
                error=said,
                attempts=tuple(attempts),
                guardrails=tuple(found),
                told=replace(
                    told,
                    dimensions=asked.dimensions,
                    encoding="base64" if asked.base64 else None,
                ),
            )
        )
    return embedded
