"""Hands a stream on to the client, and books it when it is over, however it ends.

One that breaks goes on from another deployment, in the middle of its answer if need be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from tierwise.errors import Diverged, UpstreamError, UpstreamTimeout
from tierwise.execution.billing import Billing
from tierwise.execution.calls import Calls, Streamed
from tierwise.execution.run import Run
from tierwise.state.health import Health
from tierwise.types import Attempt, Task, Usage
from tierwise.wire.sent import Sent, Transcript, read_sent
from tierwise.wire.splice import DONE, usage_event
from tierwise.wire.translate import CHAT

if TYPE_CHECKING:
    from tierwise.execution.resume import Resumed
    from tierwise.wire.continued import Continued


class Relay:
    """Relays streams that were opened, and has others opened for those that break."""

    def __init__(self, health: Health, billing: Billing, calls: Calls) -> None:
        self._health = health
        self._billing = billing
        self._calls = calls

    async def relay(
        self, streamed: Streamed, run: Run, finish: Callable[[], object]
    ) -> AsyncGenerator[bytes]:
        """The stream's bytes. Calls `finish` when all is over.

        The first thing that it yields is empty. Ask for that at once: a generator that was never
        started ends without a word, and with it the upstream call and the booking would be lost.

        Raises:
            UpstreamError: the stream broke after some of it was sent, and nobody could go on.
        """
        run.ttft_s = run.clock() - run.started
        asked = run.asked
        if streamed.attempt is not None:
            run.deliver(streamed.attempt)
            finish()
            yield b""
            held = b"".join(streamed.held)
            yield self._with_usage(held, streamed, run, asked, partial(read_sent, held))
            return
        part = _Part(streamed, run)
        sent = Transcript(_reader_of(asked))
        try:
            while True:
                live, splice = part.live, part.splice
                try:
                    if splice is None:
                        yield b""
                    for block in part.streamed.held:
                        if shown := self._shown(block, part, run, asked, sent):
                            sent.add(shown)
                            yield shown
                    while block := await live.read():
                        if splice is None:
                            shown = self._with_usage(block, part.streamed, run, asked, sent.read)
                        else:
                            shown = self._shown(block, part, run, asked, sent)
                        if shown:
                            sent.add(shown)
                            yield shown
                    part.outcome = "accepted"
                except UpstreamError as broken:
                    part.broke(broken)
                    goodbye = self._goodbye(part, run, asked, sent)
                    if goodbye is not None:
                        part.outcome, part.error = "accepted", None
                        yield goodbye
                finally:
                    live.close()
                    self._health.left(live.deployment)
                    self._book(part, run)
                if part.error is None:
                    return
                part = await self._next(part, run, asked, sent)
        finally:
            if part.resumed is not None:
                run.said = sent.read().text
            finish()

    def _shown(self, block: bytes, part: _Part, run: Run, asked: Task, sent: Transcript) -> bytes:
        """What the client gets of a block."""
        if part.splice is not None:
            block = part.splice.feed(block)
        if block:
            block = self._with_usage(block, part.streamed, run, part.asked or asked, sent.read)
        if part.continued is not None and block:
            block = part.continued.feed(block)
        return block

    def _goodbye(self, part: _Part, run: Run, asked: Task, sent: Transcript) -> bytes | None:
        """What ends a stream that broke when its answer was whole; None if it was not."""
        reader = part.live.reader
        if not reader.finished:
            return None
        if asked.reads == CHAT:
            if not sent.is_whole(asked.choices):
                return None
            return self._with_usage(DONE, part.streamed, run, asked, sent.read)
        if part.continued is not None:
            if len(part.continued.ended) < asked.choices:
                return None
            last = self._with_usage(DONE, part.streamed, run, part.asked or asked, sent.read)
            return part.continued.feed(last)
        try:
            rest = reader.close()
        except UpstreamError:
            return None
        return rest if sent.is_whole(asked.choices, rest) else None

    def _with_usage(
        self, block: bytes, streamed: Streamed, run: Run, asked: Task, sent: Callable[[], Sent]
    ) -> bytes:
        """The block; the last one with a count of our own if the provider's was wanted and lost.

        That is one of chat: adapters for callers of other dialects count by themselves.
        """
        reader = streamed.live.reader
        lost = reader.usage is None and asked.wants_stream_usage
        if not lost or not block.endswith(DONE):
            return block
        profile = run.decision.profile
        usage, _ = self._billing.usage_or_count(None, profile, reader.output_chars)
        event = usage_event(sent(), streamed.model, usage)
        return block[: -len(DONE)] + event + DONE

    async def _next(self, part: _Part, run: Run, asked: Task, sent: Transcript) -> _Part:
        """The part that follows on one that broke.

        Raises:
            UpstreamError: there is none.
        """
        # Imported only here: most streams do not break.
        from tierwise.execution.resume import Resumer

        error = part.error
        assert error is not None  # noqa: S101 - only what broke is followed by another
        run.failures.append((part.live.deployment, error))
        resumer = Resumer(self._calls, self._health)
        try:
            resumed = await resumer.resume(run, part.streamed, asked, sent.read())
        except asyncio.CancelledError:
            run.status, run.error = "cancelled", None
            raise
        if isinstance(resumed, str):
            why = f"{error.message}; it was not continued: {resumed}"
            run.error = f"{part.live.deployment.id}: {error.kind}: {why}"
            raise type(error)(why, status=error.status, retry_after=error.retry_after) from error
        following = _Part(resumed.streamed, run, resumed)
        if asked.reads != CHAT:
            from tierwise.wire.continued import Tongue

            following.continued = Tongue(asked).after(sent.whole())
        by = resumed.streamed.live.deployment.id
        resumed.splice.notes = following.notes = [
            *part.notes,
            f"tierwise continued by {by} after {resumed.after} characters",
        ]
        return following

    def _book(self, part: _Part, run: Run) -> None:
        live, error, outcome = part.live, part.error, part.outcome
        share = part.resumed.share if part.resumed is not None else None
        profile = run.decision.profile
        if share is not None:
            profile = replace(profile, input_tokens=profile.input_tokens + share.asked)
        usage, estimated = self._billing.usage_or_count(
            live.reader.usage, profile, live.reader.output_chars
        )
        attempt = Attempt(
            deployment=live.deployment.id,
            model=part.streamed.model,
            tier=part.streamed.step.number,
            outcome=outcome,
            error=error.message if error is not None else None,
            status=200,
            usage=usage,
            estimated=estimated,
            cost_usd=self._billing.cost(usage, part.streamed.prices),
            ttft_s=part.ttft_s,
            latency_s=run.clock() - live.began,
            continues=part.resumed.after if part.resumed is not None else None,
            began_s=live.began - run.started,
            span=live.span,
        )
        run.add(attempt)
        if not estimated:
            used = usage.input_tokens + usage.output_tokens
            self._health.settle(live.deployment, live.began, run.expected_tokens, used)
        status: Literal["ok", "error", "cancelled"] = "ok"
        if error is not None:
            status = "error"
            run.error = f"{live.deployment.id}: {error.kind}: {error.message}"
            # The caller's deadline says nothing about the deployment, nor does another answer.
            late = isinstance(error, UpstreamTimeout) and run.out_of_time
            if not (late or isinstance(error, Diverged)):
                self._health.failed(live.deployment, error)
        elif outcome == "cancelled":
            status = "cancelled"
        else:
            self._health.succeeded(live.deployment, attempt.latency_s, part.ttft_s)
        run.deliver(attempt, status)
        if error is None:
            run.error = None
        if share is not None:
            run.usage = Usage(
                input_tokens=max(0, usage.input_tokens - share.asked),
                output_tokens=usage.output_tokens + share.said,
                cached_input_tokens=min(usage.cached_input_tokens, profile.input_tokens),
            )


def _reader_of(asked: Task) -> Callable[[bytes], Sent] | None:
    """What reads a broken stream of the caller's dialect; None for chat."""
    if asked.reads == CHAT:
        return None

    def read(block: bytes) -> Sent:
        # Imported only here: most streams do not break.
        from tierwise.wire.continued import Tongue

        return Tongue(asked).read(block)

    return read


class _Part:
    """What one deployment says of a stream. `resumed` is how it goes on from those before it, and
    `continued` writes that on in the dialect of a caller who reads another than chat."""

    __slots__ = (
        "asked", "continued", "error", "live", "notes", "outcome", "resumed", "splice", "streamed",
        "ttft_s",
    )  # fmt: skip

    def __init__(self, streamed: Streamed, run: Run, resumed: Resumed | None = None) -> None:
        self.streamed = streamed
        self.live = streamed.live
        self.resumed = resumed
        self.splice = resumed.splice if resumed is not None else None
        self.asked = resumed.asked if resumed is not None else None
        self.continued: Continued | None = None
        self.ttft_s = run.clock() - streamed.live.began
        self.outcome = "cancelled"
        self.error: UpstreamError | None = None
        self.notes: list[str] = []

    def broke(self, error: UpstreamError) -> None:
        """It has ended before its end."""
        self.outcome, self.error = error.kind, error
