"""Answers that guardrails look at before they are booked, and before anybody sees them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial

from msgspec.structs import replace

from tierwise.errors import TierwiseError
from tierwise.execution import Relay, Run, Streamed
from tierwise.types import Attempt, Completion, Guard, Task

Read = Callable[[], Completion]


def is_looked_at(task: Task) -> bool:
    """Whether guardrails look at the answer."""
    return task.guard is not None and task.guard.looks_at_answers


async def looked_at(
    run: Run, attempt: Attempt, body: bytes, completion: Read
) -> tuple[bytes, Read]:
    """A whole answer, and what is read in it, as they may be given.

    Raises:
        GuardrailRefused: they may not be.
        GuardrailBroke: nobody could tell.
    """
    guard = run.task.guard
    if guard is None or not is_looked_at(run.task):
        return body, completion
    tokens = attempt.usage.output_tokens if attempt.usage is not None else 0
    try:
        shown = await guard.answer(body, tokens)
    except TierwiseError:
        run.deliver(attempt, "error")  # it was given and paid for, if not given on
        raise
    finally:
        run.decision = replace(run.decision, guardrails=guard.said)
    if shown is body:
        return body, completion
    return shown, partial(_masked, completion, guard)


async def relayed(
    relay: Relay, streamed: Streamed, run: Run, finish: Callable[[], object]
) -> AsyncGenerator[bytes]:
    """A stream as it may be given, held until its end if guardrails look at it; see `Relay.relay`.

    Raises:
        TierwiseError: it may not be given, or it broke while it was held.
    """
    guard = run.task.guard
    if guard is None or not is_looked_at(run.task):
        return relay.relay(streamed, run, finish)
    chunks = relay.relay(streamed, run, _nothing)  # it is not over when all of it is here
    if run.on_hold is not None:
        run.on_hold()
    try:
        blocks = [block async for block in chunks]
        shown = await guard.stream(blocks, run.usage.output_tokens)
    except BaseException as error:
        if isinstance(error, TierwiseError):
            error.decision_id = run.decision.id
            error.attempts = len(run.attempts)
        if run.status == "ok":  # the stream had come to a good end
            is_over = isinstance(error, Exception)
            run.status = "error" if is_over else "cancelled"
            run.error = f"{type(error).__name__}: {error}" if is_over else None
        raise
    finally:
        await chunks.aclose()
        run.decision = replace(run.decision, guardrails=guard.said)
        finish()
    return _replayed(shown)


def _nothing() -> None:
    pass


async def _replayed(blocks: Sequence[bytes]) -> AsyncGenerator[bytes]:
    yield b""
    for block in blocks:
        if block:
            yield block


def _masked(completion: Read, guard: Guard) -> Completion:
    said = completion()
    calls = [replace(call, arguments=guard.shown(call.arguments)) for call in said.tool_calls]
    refusal = guard.shown(said.refusal) if said.refusal is not None else None
    return replace(
        said, text=guard.shown(said.text), tool_calls=tuple(calls), refusal=refusal, logprobs=()
    )
