"""The library in other dialects than OpenAI's chat: bodies as their SDKs take them, answers and
events as these give them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec.structs import replace

from tierwise.answer import Answer, LiveAnswer, deadline_in, encoded, with_wishes
from tierwise.chats import Asks
from tierwise.errors import InvalidRequest
from tierwise.types import Task
from tierwise.wire import sse
from tierwise.wire.translate import read_task

if TYPE_CHECKING:
    from tierwise.execution.embedding import Embedder
    from tierwise.vectors import Vectors

_WISHES = (
    *("quality", "max_cost_usd", "max_latency_s", "session", "drop_unsupported"),
    *("streams", "on_stream_break", "priority"),
)
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class EventStream(LiveAnswer[dict[str, Any]]):
    """An answer that is read as it comes: iterate over the events of its dialect, decoded."""

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        async for block in self.chunks:
            for data in sse.payloads(block):
                yield _decode(data)


class _Embeds(Protocol):
    """What embeds: an orchestrator."""

    def patience_s(self, name: str) -> float: ...

    @property
    def embedder(self) -> Embedder: ...


class Natively:
    """Calls that take a dialect's own body as keyword arguments.

    `model` is a policy, a model or `provider/model`. Beside the body each takes `quality`,
    `max_cost_usd`, `max_latency_s`, `session`, `deadline_s`, `drop_unsupported`, `streams`,
    `on_stream_break` and `priority`, as `Orchestrator.chat` does, and raises what that raises.
    """

    async def messages(self: Asks, **given: Any) -> Answer:
        """The answer to a body of Anthropic's Messages; its `json()` is a message.

        `betas` names the trials to take part in, as the SDK's own `beta.messages.create` has it.
        """
        return await _answer(self, "anthropic", given)

    async def messages_stream(self: Asks, **given: Any) -> EventStream:
        """As `messages`, event by event: `message_start` and what follows."""
        return await _stream(self, "anthropic", given)

    async def responses(self: Asks, **given: Any) -> Answer:
        """The answer to a body of OpenAI's Responses; its `json()` is a response.

        Responses are not kept: send the conversation rather than `previous_response_id`.
        """
        return await _answer(self, "openai-responses", given)

    async def responses_stream(self: Asks, **given: Any) -> EventStream:
        """As `responses`, event by event: `response.created` and what follows."""
        return await _stream(self, "openai-responses", given)

    async def generate_content(self: Asks, **given: Any) -> Answer:
        """The answer to a body of Gemini's generateContent, with `model` beside its fields."""
        return await _answer(self, "gemini", given)

    async def generate_content_stream(self: Asks, **given: Any) -> EventStream:
        """As `generate_content`, one answer in parts."""
        return await _stream(self, "gemini", given)

    async def embed(
        self: _Embeds,
        texts: str | Sequence[str],
        model: str,
        *,
        deadline_s: float | None = None,
        **params: Any,
    ) -> Vectors:
        """One vector for each text.

        Args:
            model: one that is configured for embeddings, or `provider/model`.
            deadline_s: seconds after which no answer is wanted, instead of those of "auto".
            params: anything else that the request body may hold, such as `dimensions`.

        Raises:
            TierwiseError: see `tierwise.errors`.
        """
        from tierwise.vectors import Vectors, make_asked

        asked = make_asked(texts, model, params)
        deadline = deadline_in(deadline_s, self.patience_s("auto"))
        return Vectors(await self.embedder.embed(asked, deadline))


async def _answer(asks: Asks, dialect: str, given: Mapping[str, Any]) -> Answer:
    answered = await asks.answer(_task(asks, dialect, given, stream=False))
    return Answer.of(answered)


async def _stream(asks: Asks, dialect: str, given: Mapping[str, Any]) -> EventStream:
    streaming = await asks.stream(_task(asks, dialect, given, stream=True))
    return EventStream(streaming)


def _task(asks: Asks, dialect: str, given: Mapping[str, Any], *, stream: bool) -> Task:
    """The task that the same request over HTTP would be.

    Raises:
        InvalidRequest: a parameter cannot be used.
    """
    body = dict(given)
    wishes = {name: body.pop(name, None) for name in _WISHES}
    deadline_s = body.pop("deadline_s", None)
    betas = _betas(body.pop("betas", None)) if dialect == "anthropic" else ()
    model = body.get("model", "auto")
    if not isinstance(model, str):
        raise InvalidRequest(f"`model` is {model!r}; it must be a string.", param="model")
    if body.pop("stream", None) is not None:
        raise InvalidRequest(
            "`stream` is not a parameter here: use the call whose name ends with `_stream`.",
            param="stream",
        )
    if dialect == "gemini":  # where model and stream stand in the path
        body.pop("model", None)
    else:
        body["model"] = model
        body |= {"stream": True} if stream else {}
    deadline = deadline_in(deadline_s, asks.patience_s(model))
    raw = encoded(body)
    task = replace(read_task(dialect, raw), model=model, stream=stream)
    task = with_wishes(task, **wishes)
    return replace(task, wants_stream_usage=stream, deadline=deadline, betas=betas)


def _betas(given: object) -> tuple[str, ...]:
    """What the header `anthropic-beta` would name.

    Raises:
        InvalidRequest: it is no list of names.
    """
    if given is None:
        return ()
    if not isinstance(given, (list, tuple)) or not all(isinstance(one, str) for one in given):
        raise InvalidRequest(f"`betas` is {given!r}; it must be a list of names.", param="betas")
    return tuple(given)
