"""Requests for embeddings, booked: each is in the ledger, however it ends."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from tierwise.errors import TierwiseError
from tierwise.ledger import EMBEDDINGS, Aside, Ledger, Told
from tierwise.telemetry.in_hand import unrouted
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
    noted = unrouted(name, asked.model)
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
        over = Aside(
            id=name,
            at=at,
            kind=EMBEDDINGS,
            asked=asked.model,
            status=status,
            latency_s=time.monotonic() - began,
            caller=caller,
            owner=owner,
            error=said,
            guardrails=tuple(found),
            told=replace(
                told, dimensions=asked.dimensions, encoding="base64" if asked.base64 else None
            ),
        )
        over = _with_calls(over, attempts, embedded)
        noted.model, noted.deployment, noted.cost_usd = over.model, over.deployment, over.cost_usd
        noted.input_tokens, noted.output_tokens = over.input_tokens, over.output_tokens
        if purse is not None:
            purse.settle(over.cost_usd or 0.0)
        ledger.noted(over)
    return embedded


def _with_calls(over: Aside, attempts: Sequence[Attempt], embedded: Embedded | None) -> Aside:
    """A request for vectors with the calls behind it, and what the last one gave, if it did."""
    over = replace(
        over,
        code=attempts[-1].status if attempts else None,
        # Nobody bills what it does not answer, but what was left before that.
        cost_usd=sum(one.cost_usd for one in attempts),
        input_tokens=0,
        output_tokens=0,
        attempts=tuple(attempts),
    )
    if embedded is None:
        return over
    return replace(
        over,
        provider=embedded.deployment.partition("/")[0],
        model=embedded.model,
        deployment=embedded.deployment,
        cost_usd=embedded.cost_usd,
        input_tokens=embedded.usage.input_tokens,
    )
