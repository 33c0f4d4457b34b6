"""What an orchestrator does beside answering: vectors, and what was thought of its answers."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

from tierwise.config import Setup
from tierwise.errors import Closed
from tierwise.ledger import Feedback, Ledger, Told, rate, read_feedback
from tierwise.providers import Transport
from tierwise.state.health import Health
from tierwise.types import Owner, Purse

if TYPE_CHECKING:
    from tierwise.execution.embedding import Embedded, Embedder
    from tierwise.guarded import Guarded
    from tierwise.wire.embeddings import EmbeddingsAsked


class Beside:
    """A part of an orchestrator, which has all of these."""

    setup: Setup
    ledger: Ledger
    health: Health
    guarded: Guarded | None
    _transport: Transport
    _closed: bool = False

    @cached_property
    def embedder(self) -> Embedder:
        """What answers requests for embeddings; made, and imported, where there are any.

        Raises:
            ConfigError: a provider's dialect has none.
        """
        from tierwise.execution.embedding import Embedder

        return Embedder(self.setup.embeddings, self._transport, self.health)

    async def embedded(
        self,
        asked: EmbeddingsAsked,
        deadline: float,
        *,
        name: str,
        caller: str | None = None,
        owner: Owner | None = None,
        told: Told | None = None,
        purse: Purse | None = None,
    ) -> Embedded:
        """The vectors of what is asked by a point of the monotonic clock, in the ledger as `name`;
        `told` is what traces tell of it.

        Args:
            purse: what pays for it, in which something was set aside.

        Raises:
            TierwiseError: see `Embedder.embed`.
            Closed: after `close`.
        """
        if self._closed:
            raise Closed
        from tierwise.booking import embed_booked

        return await embed_booked(
            self.embedder,
            self.ledger,
            asked,
            deadline,
            name=name,
            caller=caller,
            owner=owner,
            told=told,
            purse=purse,
            look=self.guarded.looked_at_texts if self.guarded is not None else None,
        )

    async def feedback(
        self,
        decision_id: str,
        *,
        score: float | None = None,
        label: str | None = None,
        comment: str | None = None,
        caller: str | None = None,
    ) -> Feedback:
        """Keeps how good an answer was, be it days after it. Said again, the latest counts.

        Args:
            decision_id: `answer.decision.id`, or the header `x-tierwise-decision-id`.
            score: from 0 (bad) to 1 (good); or
            label: "good", "correct" or "up" for 1, "fair" for 0.5, "bad", "wrong" or "down" for 0.
            comment: anything else that was said.
            caller: the name of a key, which may only rate its own decisions; None may rate all.

        Raises:
            InvalidRequest: a value cannot be used.
            UnknownDecision, DecisionUnreadable, NotYourDecision, LedgerFull: see `tierwise.errors`.
        """
        given = read_feedback(
            decision_id, score=score, label=label, comment=comment, caller=caller, at=time.time()
        )
        await rate(self.ledger, given)
        return given
