"""What the library gives back: the answer, and how it came about."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Generic, TypeVar, get_args

import msgspec

from tierwise.errors import InvalidRequest
from tierwise.finished import Answered, Streaming
from tierwise.types import (
    Completion,
    Decision,
    OnStreamBreak,
    Priority,
    Record,
    Streams,
    Task,
    ToolCall,
    Usage,
)
from tierwise.wire import openai_chat, sse

Messages = str | Sequence[Mapping[str, Any]]
"""A prompt, or messages as the OpenAI SDK takes them."""
Piece = TypeVar("Piece")
MAX_SESSION_CHARS = 200
_UNWRITABLE = (TypeError, ValueError, RecursionError)
MAX_COST_USD = 1e9
MIN_DEADLINE_S, MAX_DEADLINE_S = 0.001, 1e9


def make_task(
    messages: Messages,
    model: str,
    *,
    stream: bool,
    params: Mapping[str, Any],
    wishes: Mapping[str, Any],
) -> Task:
    """The task that the same request over HTTP would be, but for its deadline.

    Args:
        wishes: as `with_wishes` takes them.

    Raises:
        InvalidRequest: a parameter cannot be used.
    """
    if "stream" in params:
        raise InvalidRequest("`stream` is not a parameter here: use chat_stream.", param="stream")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    body = {"model": model, "messages": messages, **params}
    if stream:
        body["stream"] = True
    return with_wishes(openai_chat.read_request(encoded(body)), **wishes)


def with_wishes(
    task: Task,
    *,
    quality: float | None = None,
    max_cost_usd: float | None = None,
    max_latency_s: float | None = None,
    session: str | None = None,
    drop_unsupported: bool | None = None,
    streams: Streams | None = None,
    on_stream_break: OnStreamBreak | None = None,
    priority: Priority | None = None,
    cache: str | None = None,
) -> Task:
    """The task with what the caller wants of it beside its body.

    `cache` is what the gateway's clients say in `cache-control`; that name is taken by a field of
    Anthropic's bodies.

    Raises:
        InvalidRequest: a value cannot be used.
    """
    if quality is not None:
        check_number("quality", quality, 0.0, 1.0)
    if max_cost_usd is not None:
        check_number("max_cost_usd", max_cost_usd, 0.0, MAX_COST_USD)
    if max_latency_s is not None:
        check_number("max_latency_s", max_latency_s, 0.0, MAX_DEADLINE_S)
    if session is not None:
        _check_session(session)
    if drop_unsupported not in (None, True, False):
        raise InvalidRequest(
            f"`drop_unsupported` is {drop_unsupported!r}; it must be True or False.",
            param="drop_unsupported",
        )
    _check_word("streams", streams, Streams)
    _check_word("on_stream_break", on_stream_break, OnStreamBreak)
    _check_word("priority", priority, Priority)
    if not isinstance(cache, (str, NoneType)):
        raise InvalidRequest(
            f"`cache` is {cache!r}; it must be a text such as 'no-cache'.", param="cache"
        )
    return msgspec.structs.replace(
        task,
        quality=quality,
        max_cost_usd=max_cost_usd,
        max_latency_s=max_latency_s,
        session=session or None,
        drop_unsupported=drop_unsupported,
        streams=streams,
        on_stream_break=on_stream_break,
        priority=priority or "normal",
        cache_control=cache,
    )


def encoded(body: Mapping[str, Any]) -> bytes:
    """A body as JSON; raises `InvalidRequest` if it cannot be written so, and names the field."""
    try:
        written = msgspec.json.encode(body)
    except _UNWRITABLE as error:
        name = _unwritable(body) if isinstance(body, Mapping) else None
        what = f"`{name}`" if name is not None else "the request"
        raise InvalidRequest(
            f"{what} cannot be written as JSON: {_why(error)}", param=name
        ) from None
    if b"null" in written:  # NaN and infinity are written so, too
        for name, value in _not_finite(body):
            raise InvalidRequest(
                f"`{name}` is {value}, which JSON has no word for. Give a finite number, or leave "
                "it out.",
                param=name,
            )
    return written


def _not_finite(value: object, at: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in a body that are not finite, and where they stand."""
    if isinstance(value, float) and not math.isfinite(value):
        yield at, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _not_finite(one, f"{at}.{name}" if at else str(name))
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            yield from _not_finite(one, f"{at}[{index}]")


def _unwritable(body: Mapping[str, Any]) -> str | None:
    """The first field of a body that cannot be written as JSON."""
    for name, value in body.items():
        try:
            msgspec.json.encode(value)
        except _UNWRITABLE:
            return name
    return None


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        half = ascii(error.object[error.start])[1:-1]
        return (
            f"it contains half a character: `{half}` is one half of a surrogate pair, and the "
            "other half is missing. Send the whole character, or leave it out."
        )
    if isinstance(error, RecursionError):
        return "it is nested too deeply, or contains itself."
    return str(error)


def check_number(name: str, value: float, lowest: float, highest: float) -> None:
    """Refuses what is no number from `lowest` to `highest`, such as NaN.

    Raises:
        InvalidRequest: that is so; `name` is the parameter that it names.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (is_number and lowest <= value <= highest):
        raise InvalidRequest(
            f"`{name}` is {value!r}; it must be a number from {lowest:g} to {highest:g}.",
            param=name,
        )


def deadline_in(wanted_s: float | None, usual_s: float) -> float:
    """When nobody wants an answer any more, by the monotonic clock.

    Args:
        wanted_s: seconds that the caller gave it; None for the usual ones.

    Raises:
        InvalidRequest: that is no such number; it is called `deadline_s`.
    """
    if wanted_s is None:
        return time.monotonic() + usual_s
    check_number("deadline_s", wanted_s, MIN_DEADLINE_S, MAX_DEADLINE_S)
    return time.monotonic() + wanted_s


def _check_word(name: str, value: object, words: Any) -> None:
    """Refuses what is neither None nor one of the words of a `Literal`.

    Raises:
        InvalidRequest: that is so; `name` is the parameter that it names.
    """
    if value is not None and value not in get_args(words):
        raise InvalidRequest(
            f"`{name}` is {value!r}. Use one of: {', '.join(get_args(words))}.", param=name
        )


def _check_session(session: str) -> None:
    """Refuses what the ledger could not give back.

    Raises:
        InvalidRequest: it is not a text, too long, or has half a character in it.
    """
    if not isinstance(session, str):
        raise InvalidRequest(f"`session` is {session!r}; it must be a string.", param="session")
    if len(session) > MAX_SESSION_CHARS:
        raise InvalidRequest(
            f"`session` has {len(session)} characters; it may have {MAX_SESSION_CHARS}.",
            param="session",
        )
    try:
        session.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(
            f"`session` is {session!r}, which is not valid Unicode.", param="session"
        ) from None


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `body` is the JSON that a client of the request's dialect would have
    received. `dropped` are the parameters that whoever answered has no words for and was not told,
    where the request lets them be left out."""

    body: bytes
    completion: Completion
    record: Record
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, answered: Answered) -> Answer:
        """What the library gives back of it."""
        finished = answered.finished
        dropped = finished.run.dropped(finished.run.deployment or "")
        return cls(answered.body, answered.completion(), finished.record(), dropped)

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


class LiveAnswer(Generic[Piece]):
    """An answer that is read as it comes, piece by piece.

    `run` and `cost_usd` are complete when the iteration is over. Leave the iteration early with
    `aclose`, which also ends the upstream call. `dropped` is as that of an `Answer`.
    """

    def __init__(self, streaming: Streaming) -> None:
        self.run = streaming.run
        self.model = streaming.model
        self.chunks = streaming.chunks
        self.dropped = streaming.run.dropped(streaming.deployment)

    def __aiter__(self) -> AsyncIterator[Piece]:
        raise NotImplementedError

    @property
    def decision(self) -> Decision:
        """The plan, what it was chosen from, and why."""
        return self.run.decision

    @property
    def cost_usd(self) -> float:
        """USD so far, every attempt billed."""
        return self.run.cost_usd

    async def aclose(self) -> None:
        """Ends the stream and the upstream call."""
        await self.chunks.aclose()


class AnswerStream(LiveAnswer[str]):
    """An answer whose text is read as it comes: iterate over its pieces, in an event loop.

    `model` is the one that answers, `decision` says why it does, and `cost_usd` is what all
    attempts cost so far, in USD: complete, as `finish_reason` is, when the iteration is over. Leave
    it early with `aclose`, which also ends the upstream call. `dropped` is as that of an `Answer`.
    While it is read it raises `TierwiseError`, as `Orchestrator.chat` does.
    """

    finish_reason: str | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        async for block in self.chunks:
            for data in sse.payloads(block):
                for choice in openai_chat.read_chunk(data).choices or ():
                    self.finish_reason = choice.finish_reason or self.finish_reason
                    if choice.delta is not None and (text := choice.delta.text):
                        yield text
