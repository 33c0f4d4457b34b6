"""The path of a request that may have been asked before: given again, or asked and kept."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial

from msgspec.structs import replace

from tierwise.analysis import Measured, measure
from tierwise.cache import Cache, Found, Kept
from tierwise.cache.cache import Asked
from tierwise.execution import Run
from tierwise.finished import Answered, Finished, Streaming
from tierwise.types import CACHE, Completion, Decision, Plan, Task

log = logging.getLogger("tierwise.cache")

Ask = Callable[[Task], Awaitable[Answered]]
AskStream = Callable[[Task, Callable[[], None] | None], Awaitable[Streaming]]
Finish = Callable[[Run, Measured], Finished]


class Cached:
    """Stands before an orchestrator's own `answer` and `stream`.

    Args:
        finish: books a request that is over.
        new_id: makes the name of a decision.
    """

    def __init__(self, cache: Cache, finish: Finish, new_id: Callable[[], str]) -> None:
        self.cache = cache
        self._finish = finish
        self._new_id = new_id

    async def answer(self, task: Task, ask: Ask) -> Answered:
        """The answer, from the cache or from a model; raises what `ask` raises."""
        asked = self.cache.asked(task)
        if asked is None:
            return await ask(task)
        found = await self.cache.find(task, asked)
        if found is not None:
            run, measured = self._again(task, found)
            finished = self._finish(run, measured)
            kept = found.kept
            return Answered(_blocks(task, kept)[0], partial(_completion, kept), finished)
        answered = await ask(task)
        run = answered.finished.run
        run.cache = "miss"
        if _is_good(run):
            await self._keep(task, asked, _kept(run, (answered.body,), answered.completion()))
        return answered

    async def stream(
        self, task: Task, on_hold: Callable[[], None] | None, ask: AskStream
    ) -> Streaming:
        """The same as a stream; one that was given before comes at once, in the same pieces."""
        asked = self.cache.asked(task)
        if asked is None:
            return await ask(task, on_hold)
        found = await self.cache.find(task, asked)
        if found is not None:
            run, measured = self._again(task, found)
            blocks = _blocks(task, found.kept)
            chunks = _replayed(blocks, partial(self._finish, run, measured))
            await anext(chunks)  # from here on it is booked, even if nobody reads it
            return Streaming(chunks, run, found.kept.model, CACHE, found.kept.tier, True)
        streaming = await ask(task, on_hold)
        streaming.run.cache = "miss"
        chunks = self._recorded(task, asked, streaming.chunks, streaming.run)
        await anext(chunks)
        streaming.chunks = chunks
        return streaming

    def _again(self, task: Task, found: Found) -> tuple[Run, Measured]:
        """A request that no model is asked: it has a decision and a record like any other."""
        kept = found.kept
        made = kept.decision
        how = "the same request" if found.likeness == "same" else "a request that means the same"
        decision = Decision(
            id=self._new_id(),
            at=time.time(),
            requested=task.policy or task.model,
            policy=made.policy,
            reference=made.reference,
            profile=made.profile,
            plan=Plan(tiers=()),
            candidates=(),
            reason=f"{how} was answered by {kept.model} {found.age_s:.0f} s ago "
            f"(decision {made.id}), and that answer is given again",
            guardrails=_found(task, made),
        )
        run = Run(task, decision, {}, time.monotonic)
        run.cache = "hit" if found.likeness == "same" else "similar"
        run.age_s, run.saved_usd, run.left_out = found.age_s, kept.cost_usd, kept.left_out
        run.status, run.model, run.deployment = "ok", kept.model, CACHE
        run.tier, run.usage, run.ttft_s = kept.tier, kept.usage, 0.0
        if kept.completion is not None:
            run.answer = kept.completion.text
        return run, measure(task)

    async def _recorded(
        self, task: Task, asked: Asked, chunks: AsyncGenerator[bytes], run: Run
    ) -> AsyncGenerator[bytes]:
        """The same stream, kept when it has come to a good end."""
        blocks: list[bytes] = []
        size = 0
        try:
            yield b""
            async for block in chunks:
                if block and size <= self.cache.most_bytes:
                    blocks.append(block)
                    size += len(block)
                yield block
        finally:
            await chunks.aclose()
        if _is_good(run) and size <= self.cache.most_bytes:
            await self._keep(task, asked, _kept(run, tuple(blocks), None))

    async def _keep(self, task: Task, asked: Asked, kept: Kept) -> None:
        """Keeps an answer; a store that is elsewhere does not keep its request waiting."""
        try:
            await self.cache.keep(task, asked, kept)
        except Exception:
            log.exception("an answer was not kept")


async def _replayed(
    blocks: tuple[bytes, ...], finish: Callable[[], object]
) -> AsyncGenerator[bytes]:
    finish()
    yield b""
    for block in blocks:
        yield block


def _blocks(task: Task, kept: Kept) -> tuple[bytes, ...]:
    """The bytes that are given again. Responses are told apart by their ids later on."""
    if task.reads != "openai-responses":
        return kept.blocks
    # Imported only here: the dialect is large, and others do without it.
    from tierwise.wire.responses.again import given_again

    return given_again(kept.blocks)


def _found(task: Task, made: Decision) -> tuple[str, ...]:
    """What guardrails find in the request, and what they found in the answer."""
    if task.guard is None:
        return ()
    of_answer = (line for line in made.guardrails if line.endswith("in the answer"))
    return (*task.guard.said, *of_answer)


def _is_good(run: Run) -> bool:
    """Whether somebody gave this answer whole, and its gates had nothing against it."""
    return run.status == "ok" and bool(run.attempts) and _delivered(run) == "accepted"


def _delivered(run: Run) -> str | None:
    """What became of the attempt that the client got. Its own place may have judged it, too."""
    calls = [one for one in run.attempts if one.outcome != "probe"]
    return next((a.outcome for a in reversed(calls) if a.deployment == run.deployment), None)


def _kept(run: Run, blocks: tuple[bytes, ...], completion: Completion | None) -> Kept:
    return Kept(
        blocks=blocks,
        model=run.model or "",
        deployment=run.deployment or "",
        tier=run.tier or 0,
        usage=run.usage,
        cost_usd=run.cost_usd,
        decision=replace(run.decision, candidates=()),
        at=time.time(),
        completion=completion,
        left_out=run.dropped(run.deployment or ""),
    )


def _completion(kept: Kept) -> Completion:
    return kept.completion or Completion(text="")
