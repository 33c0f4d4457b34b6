"""Hands a stream on to the client, and books it when it is over, however it ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Literal

from tierwise.errors import UpstreamError, UpstreamTimeout
from tierwise.execution.billing import Billing
from tierwise.execution.calls import Streamed
from tierwise.execution.run import Run
from tierwise.state.health import Health
from tierwise.types import Attempt


class Relay:
    """Relays streams that an executor has opened."""

    def __init__(self, health: Health, billing: Billing) -> None:
        self._health = health
        self._billing = billing

    async def relay(
        self, streamed: Streamed, run: Run, finish: Callable[[], object]
    ) -> AsyncGenerator[bytes]:
        """The stream's bytes. Calls `finish` when all is over.

        The first thing that it yields is empty. Ask for that at once: a generator that was never
        started ends without a word, and with it the upstream call and the booking would be lost.

        Raises:
            UpstreamError: the stream broke after some of it was sent.
        """
        run.ttft_s = run.clock() - run.started
        if streamed.attempt is not None:
            run.deliver(streamed.attempt)
            finish()
            yield b""
            yield b"".join(streamed.held)
            return
        live = streamed.live
        ttft = run.clock() - live.began
        outcome = "cancelled"
        error: UpstreamError | None = None
        self._health.entered(live.deployment)
        try:
            yield b""
            for block in streamed.held:
                yield block
            while block := await live.read():
                yield block
            outcome = "accepted"
        except UpstreamError as broken:
            outcome, error = broken.kind, broken
            raise
        finally:
            live.close()
            self._health.left(live.deployment)
            self._book(streamed, run, outcome, error, ttft)
            finish()

    def _book(
        self, streamed: Streamed, run: Run, outcome: str, error: UpstreamError | None, ttft: float
    ) -> None:
        live = streamed.live
        usage, estimated = self._billing.usage_or_count(
            live.reader.usage, run.decision.profile, live.reader.output_chars
        )
        attempt = Attempt(
            deployment=live.deployment.id,
            model=streamed.model,
            tier=streamed.step.number,
            outcome=outcome,
            error=error.message if error is not None else None,
            status=200,
            usage=usage,
            estimated=estimated,
            cost_usd=self._billing.cost(usage, streamed.prices),
            ttft_s=ttft,
            latency_s=run.clock() - live.began,
        )
        run.add(attempt)
        if not estimated:
            used = usage.input_tokens + usage.output_tokens
            self._health.settle(live.deployment, live.began, run.expected_tokens, used)
        status: Literal["ok", "error", "cancelled"] = "ok"
        if error is not None:
            status = "error"
            run.error = f"{live.deployment.id}: {error.kind}: {error.message}"
            # The caller's deadline says nothing about the deployment.
            if not (isinstance(error, UpstreamTimeout) and run.out_of_time):
                self._health.failed(live.deployment, error)
        elif outcome == "cancelled":
            status = "cancelled"
        else:
            self._health.succeeded(live.deployment, attempt.latency_s, ttft)
        run.deliver(attempt, status)
