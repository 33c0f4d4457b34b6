"""What the library gives back: the answer, and how it came about."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tierwise.errors import InvalidRequest
from tierwise.execution import Run
from tierwise.types import Completion, Decision, Record, Task, ToolCall, Usage
from tierwise.wire import openai_chat, sse

Messages = str | Sequence[Mapping[str, Any]]
"""A prompt, or messages as the OpenAI SDK takes them."""


def make_task(
    messages: Messages,
    model: str,
    *,
    stream: bool,
    quality: float | None,
    max_cost_usd: float | None,
    session: str | None,
    patience_s: float,
    params: Mapping[str, Any],
) -> Task:
    """The task that the same request over HTTP would be.

    Raises:
        InvalidRequest: a parameter cannot be used.
    """
    if "stream" in params:
        raise InvalidRequest("`stream` is not a parameter here: use chat_stream.", param="stream")
    if quality is not None and not 0 <= quality <= 1:
        raise InvalidRequest(f"`quality` is {quality}; it must be from 0 to 1.", param="quality")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    body = {"model": model, "messages": messages, **params}
    if stream:
        body["stream"] = True
    try:
        encoded = msgspec.json.encode(body)
    except TypeError as error:
        raise InvalidRequest(f"the request cannot be written as JSON: {error}") from None
    return msgspec.structs.replace(
        openai_chat.read_request(encoded),
        quality=quality,
        max_cost_usd=max_cost_usd,
        session=session,
        deadline=time.monotonic() + patience_s,
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `body` is the JSON that an OpenAI client would have received."""

    body: bytes
    completion: Completion
    record: Record

    @property
    def decision(self) -> Decision:
        """The plan, what it was chosen from, and why."""
        return self.record.decision

    @property
    def text(self) -> str:
        """What the model said."""
        return self.completion.text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Tools that the model wants to be called."""
        return self.completion.tool_calls

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped."""
        return self.completion.finish_reason

    @property
    def model(self) -> str:
        """The model that answered."""
        return self.record.model or ""

    @property
    def usage(self) -> Usage:
        """Tokens of the answer."""
        return self.record.usage

    @property
    def cost_usd(self) -> float:
        """USD, every attempt billed."""
        return self.record.cost_usd

    @property
    def reference_cost_usd(self) -> float:
        """USD that the same tokens would have cost from the reference model."""
        return self.record.reference_cost_usd

    def json(self) -> dict[str, Any]:
        """`body`, decoded."""
        decoded: dict[str, Any] = msgspec.json.decode(self.body)
        return decoded


class AnswerStream:
    """An answer that is read as it comes: iterate over its pieces of text.

    `run` and `cost_usd` are complete when the iteration is over. Leave the iteration early with
    `aclose`, which also ends the upstream call.
    """

    def __init__(self, run: Run, model: str, chunks: AsyncGenerator[bytes]) -> None:
        self.run = run
        self.model = model
        self.chunks = chunks
        self.finish_reason: str | None = None

    @property
    def decision(self) -> Decision:
        """The plan, what it was chosen from, and why."""
        return self.run.decision

    @property
    def cost_usd(self) -> float:
        """USD so far, every attempt billed."""
        return self.run.cost_usd

    async def __aiter__(self) -> AsyncIterator[str]:
        async for block in self.chunks:
            for event in sse.events(block):
                data = sse.payload(event)
                if data is None or data == b"[DONE]":
                    continue
                for choice in openai_chat.read_chunk(data).choices:
                    self.finish_reason = choice.finish_reason or self.finish_reason
                    if choice.delta is not None and (text := choice.delta.text):
                        yield text

    async def aclose(self) -> None:
        """Ends the stream and the upstream call."""
        await self.chunks.aclose()
