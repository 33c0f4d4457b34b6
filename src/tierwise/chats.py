"""The library in the words of OpenAI's chat: conversations as its SDK takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from tierwise.answer import Answer, AnswerStream, Messages, deadline_in, make_task
from tierwise.finished import Answered, Streaming
from tierwise.types import OnStreamBreak, Priority, Streams, Task


class Asks(Protocol):
    """What answers tasks: an orchestrator."""

    def patience_s(self, name: str) -> float: ...

    async def answer(self, task: Task) -> Answered: ...

    async def stream(self, task: Task, on_hold: Callable[[], None] | None = None) -> Streaming: ...


class Chats:
    """Calls that take a conversation."""

    async def chat(
        self: Asks,
        messages: Messages,
        policy: str = "auto",
        *,
        quality: float | None = None,
        max_cost_usd: float | None = None,
        max_latency_s: float | None = None,
        session: str | None = None,
        deadline_s: float | None = None,
        drop_unsupported: bool | None = None,
        streams: Streams | None = None,
        on_stream_break: OnStreamBreak | None = None,
        priority: Priority | None = None,
        cache: str | None = None,
        **params: Any,
    ) -> Answer:
        """The answer to a conversation.

        Args:
            messages: a prompt, or messages as the OpenAI SDK takes them.
            policy: a policy, a model or `provider/model`.
            quality: fraction of the reference's quality to reach, instead of the policy's.
            max_cost_usd: ceiling for this request, in USD.
            max_latency_s: ceiling for the whole answer as expected, in seconds.
            session: keeps the requests of one conversation together.
            deadline_s: seconds after which no answer is wanted, instead of the policy's.
            drop_unsupported: whether to leave out what a provider has no words for, instead of the
                policy's.
            streams: how much of a stream gates see before the caller does, instead of the
                policy's; so is `on_stream_break`, what is done when one breaks off.
            priority: who goes first where there is not room for all.
            cache: what it minds about answers that were given before: "no-cache", "no-store",
                "max-age=60" (docs/cache.md).
            params: anything else that the request body may hold, such as `tools`.

        Raises:
            TierwiseError: see `tierwise.errors`.
        """
        wishes = {
            "quality": quality, "max_cost_usd": max_cost_usd, "max_latency_s": max_latency_s,
            "session": session, "drop_unsupported": drop_unsupported, "streams": streams,
            "on_stream_break": on_stream_break, "priority": priority, "cache": cache,
        }  # fmt: skip
        task = _task(self, messages, policy, wishes, deadline_s, params, stream=False)
        answered = await self.answer(task)
        return Answer.of(answered)

    async def chat_stream(
        self: Asks,
        messages: Messages,
        policy: str = "auto",
        *,
        quality: float | None = None,
        max_cost_usd: float | None = None,
        max_latency_s: float | None = None,
        session: str | None = None,
        deadline_s: float | None = None,
        drop_unsupported: bool | None = None,
        streams: Streams | None = None,
        on_stream_break: OnStreamBreak | None = None,
        priority: Priority | None = None,
        cache: str | None = None,
        **params: Any,
    ) -> AnswerStream:
        """As `chat`, read as it comes: iterate over what this returns."""
        wishes = {
            "quality": quality, "max_cost_usd": max_cost_usd, "max_latency_s": max_latency_s,
            "session": session, "drop_unsupported": drop_unsupported, "streams": streams,
            "on_stream_break": on_stream_break, "priority": priority, "cache": cache,
        }  # fmt: skip
        task = _task(self, messages, policy, wishes, deadline_s, params, stream=True)
        streaming = await self.stream(task)
        return AnswerStream(streaming)


def _task(
    asks: Asks,
    messages: Messages,
    policy: str,
    wishes: Mapping[str, Any],
    deadline_s: float | None,
    params: Mapping[str, Any],
    *,
    stream: bool,
) -> Task:
    """The task of a `chat` or a `chat_stream`; `wishes` is what it wants beside its body."""
    task = make_task(messages, policy, stream=stream, params=params, wishes=wishes)
    return replace(task, deadline=deadline_in(deadline_s, asks.patience_s(policy)))
