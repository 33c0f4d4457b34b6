"""Has a stream that broke continued by another deployment, so that its client sees only one.

What was sent decides how. Where it was nothing of the answer itself, another is asked the same.
Where it was text, another is shown it and goes on: by prefill where its provider knows that, else
by a note after the conversation. JSON and calls of tools are never gone on with from the middle:
two halves of two calls are no call. They are begun anew, by the same model first, and if the new
one says again what was sent, the client gets the rest of it; if nobody's does, an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from tierwise.errors import (
    ContextTooLong,
    Diverged,
    UpstreamError,
    UpstreamRejected,
    UpstreamTimeout,
)
from tierwise.execution.billing import CHARS_PER_TOKEN
from tierwise.execution.calls import Calls, Streamed
from tierwise.execution.paths import Step, by_plan, stand_in
from tierwise.execution.run import Run
from tierwise.providers import Prefills
from tierwise.providers.translating import told
from tierwise.state.health import Health
from tierwise.types import Deployment, Task
from tierwise.wire.altered import asks_for_form, with_limit, with_turns
from tierwise.wire.overlap import Overlap, Replay, Trimmer
from tierwise.wire.sent import Sent
from tierwise.wire.splice import Share, Splicer
from tierwise.wire.translate import CHAT

MOST = 8
"""How often one answer is continued."""
NOTE = (
    "A fault in the connection has cut your answer off in the middle. Continue it exactly where it "
    "stops, as if nothing had happened: what you write is appended to it as it stands. Begin with "
    "its last words, which are\n\n{words}\n\nand go on from there, with nothing else repeated, no "
    "introduction and no comment."
)
_LAST_WORDS = re.compile(r"(?:\S+\s+){0,5}\S{1,60}\Z")


class Resumed(Struct):
    """A stream that goes on, what makes it one with what was sent, and how many characters that
    were. `asked` is what the first of its streams was asked, to be answered in chunks of chat."""

    streamed: Streamed
    splice: Splicer
    share: Share
    after: int
    asked: Task


class _Way(Struct):
    """What to ask, and what makes the end of an answer out of what is said to it."""

    task: Task
    trim: Trimmer | None
    share: Share


class Resumer:
    """Finds who goes on with a broken stream, and asks."""

    def __init__(self, calls: Calls, health: Health) -> None:
        self._calls = calls
        self._health = health

    async def resume(self, run: Run, broken: Streamed, asked: Task, sent: Sent) -> Resumed | str:
        """The stream that goes on, or why there is none.

        Args:
            asked: what the first of its streams was asked.
        """
        # Streams are made one of two in chunks of chat, whatever the client reads in the end.
        if asked.reads != CHAT:
            asked = replace(asked, read_in=CHAT, wants_stream_usage=True)
        refusal = why_not(asked, sent, run)
        if refusal:
            return refusal
        closed: set[str] = set()
        for step, deployment in self._paths(run, broken, sent):
            if run.out_of_time:
                return "its deadline has passed"
            if step.tier.model in closed:
                continue
            for way in self._ways(deployment, asked, sent):
                try:
                    streamed = await self._calls.reopen(deployment, step, run, way.task)
                except UpstreamRejected:
                    continue  # it may be the way in which it was asked
                except ContextTooLong:
                    closed.add(step.tier.model)
                    break
                except UpstreamError:
                    break
                splice = Splicer(sent, way.trim, way.share)
                return Resumed(streamed, splice, way.share, sent.chars, asked)
        return "nobody else could continue it"

    def _paths(self, run: Run, broken: Streamed, sent: Sent) -> Iterator[tuple[Step, Deployment]]:
        """The other deployments of its model, those of the models behind it in the plan, then
        those that rest, and last those that broke off themselves but got on."""
        ahead = [replace(step, gated=False) for step in _ahead(run, broken)]
        for rank in (self._health.order, self._health.last_resorts):
            for step in ahead:
                for deployment in rank(run.paths.get(step.tier.model, ()), run.expected_tokens):
                    if not run.failed_at(deployment) and self._health.may_fail_over(deployment):
                        yield step, deployment
        again = _got_on(run, sent)
        for rank in (self._health.order, self._health.last_resorts):
            for step in ahead:
                for deployment in rank(run.paths.get(step.tier.model, ()), run.expected_tokens):
                    if deployment.id in again and self._health.may_fail_over(deployment):
                        yield step, deployment

    def _ways(self, deployment: Deployment, asked: Task, sent: Sent) -> Iterator[_Way]:
        anew = _Way(asked, Replay(sent.text) if sent.text else None, Share())
        arguments = any(call.arguments for call in sent.calls.values())
        if not (sent.text or arguments):
            yield anew
            return
        if sent.calls or asks_for_form(asked):
            yield anew
            return
        said = sent.text.rstrip()
        tokens = max(sent.pieces, len(sent.text) // CHARS_PER_TOKEN)
        shorter = _with_less(asked, tokens)
        prefilled = self._prefilled(deployment, shorter, said)
        if prefilled is not None:
            trim = Overlap(sent.text, strict=True)
            yield _Way(prefilled, trim, Share(asked=tokens, said=tokens))
        by_note = NOTE.format(words=_last_words(said))
        more = tokens + len(by_note) // CHARS_PER_TOKEN
        yield _Way(
            with_turns(shorter, ("assistant", said), ("user", by_note)),
            Overlap(sent.text),
            Share(asked=more, said=tokens),
        )

    def _prefilled(self, deployment: Deployment, task: Task, said: str) -> Task | None:
        """The task with the beginning of its answer, where the provider goes on from that."""
        adapter = self._calls.adapter(deployment)
        if not isinstance(adapter, Prefills):
            return None
        return adapter.prefilled(told(adapter, task), said)


def why_not(asked: Task, sent: Sent, run: Run) -> str:
    """Why nobody may go on; empty if somebody may."""
    if run.out_of_time:
        return "its deadline has passed"
    if sum(attempt.continues is not None for attempt in run.attempts) >= MOST:
        return f"it was continued {MOST} times already"
    if not sent.said:
        return ""
    if run.decision.plan.on_stream_break == "fail":
        return "`on_stream_break` says so"
    if sent.odd:
        return sent.odd
    if asked.choices > 1:
        return "it has several choices"
    if asked.logprobs:
        return "its log-probabilities were asked for"
    return ""


def _ahead(run: Run, broken: Streamed) -> Iterator[Step]:
    """The step of the broken stream, then whoever is best for the task, but for those whose answers
    were rejected."""
    now = broken.step
    yield now
    places = {step.tier.model: step for step in by_plan(run.decision)}
    tried = {one.model for one in run.attempts if one.outcome in ("rejected", "abandoned")}
    tried.add(now.tier.model)
    while (name := stand_in(run, tried)) is not None:
        tried.add(name)
        yield places[name]


def _got_on(run: Run, sent: Sent) -> set[str]:
    """Deployments that broke off and may be asked once more: it was the first time, or they had
    said something, and nobody had to wait in vain for the next word."""
    streams = [one for one in run.attempts if one.outcome not in ("rejected", "abandoned", "probe")]
    begun = [one.continues or 0 for one in streams if one.usage is not None]
    ends = iter([*begun[1:], sent.chars])
    hopeful: dict[str, bool] = {}
    for one in streams:
        got_on = one.usage is not None and next(ends) > (one.continues or 0)
        first = one.usage is not None and one.deployment not in hopeful
        again = first or (got_on and one.outcome != UpstreamTimeout.kind)
        hopeful[one.deployment] = again and one.outcome != Diverged.kind
    return {name for name, hope in hopeful.items() if hope}


def _with_less(task: Task, tokens: int) -> Task:
    """The task with a limit that leaves out what was said already."""
    if task.max_output_tokens is None:
        return task
    return with_limit(task, max(1, task.max_output_tokens - tokens))


def _last_words(text: str) -> str:
    found = _LAST_WORDS.search(text[-400:])
    return found[0] if found else text[-60:]
