"""The library in other dialects than OpenAI's chat: bodies as their SDKs take them, answers and
events as these give them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec.structs import replace

from tierwise.answer import Answer, LiveAnswer, deadline_in, encoded, with_wishes
from tierwise.chats import Asks
from tierwise.errors import InvalidRequest
from tierwise.finished import Streaming
from tierwise.names import new_id
from tierwise.types import Task
from tierwise.wire import sse
from tierwise.wire.translate import read_task

if TYPE_CHECKING:
    from tierwise.execution.embedding import Embedded
    from tierwise.vectors import Vectors
    from tierwise.wire.embeddings import EmbeddingsAsked

_WISHES = (
    *("quality", "max_cost_usd", "max_latency_s", "session", "drop_unsupported"),
    *("streams", "on_stream_break", "priority", "cache"),
)
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class EventStream(LiveAnswer[dict[str, Any]]):
    """An answer that is read as it comes: iterate over the events of its dialect, decoded."""

    def __init__(
        self, streaming: Streaming, shown: Callable[[bytes], bytes] = lambda block: block
    ) -> None:
        """`shown` makes of each block of events what the caller reads."""
        super().__init__(streaming)
        self._shown = shown

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        async for block in self.chunks:
            for data in sse.payloads(self._shown(block)):
                yield _decode(data)


class _Embeds(Protocol):
    """What embeds: an orchestrator."""

    def patience_s(self, name: str) -> float: ...

    async def embedded(self, asked: EmbeddingsAsked, deadline: float, *, name: str) -> Embedded: ...


class Natively:
    """Calls that take a dialect's own body as keyword arguments.

    `model` is a policy, a model or `provider/model`. Beside the body each takes `quality`,
    `max_cost_usd`, `max_latency_s`, `session`, `deadline_s`, `drop_unsupported`, `streams`,
    `on_stream_break`, `priority` and `cache`, as `Orchestrator.chat` does, and raises what that
    raises.
    """

    async def messages(self: Asks, **given: Any) -> Answer:
        """The answer to a body of Anthropic's Messages; its `json()` is a message.

        Args:
            given: the fields of the body, as keywords. `model` is a policy, a model or
                `provider/model`; "auto" if it is missing. `betas` names the trials to take part in,
                as the SDK's own `beta.messages.create` has it. Beside the body stand `quality`,
                `max_cost_usd`, `max_latency_s`, `session`, `deadline_s`, `drop_unsupported`,
                `streams`, `on_stream_break`, `priority` and `cache`, as `chat` has them.

        Raises:
            TierwiseError: as `chat`.
        """
        return await _answer(self, "anthropic", given)

    async def messages_stream(self: Asks, **given: Any) -> EventStream:
        """As `messages`, event by event: `message_start` and what follows, as dictionaries."""
        return await _stream(self, "anthropic", given)

    async def generate_content(self: Asks, **given: Any) -> Answer:
        """The answer to a body of Gemini's generateContent; its `json()` is what that gives.

        Args:
            given: as for `messages`, but for `betas`; `model` stands beside the body's own fields.
                They are those of the REST API, so `contents` is a list of objects.

        Raises:
            TierwiseError: as `chat`.
        """
        return await _answer(self, "gemini", given)

    async def generate_content_stream(self: Asks, **given: Any) -> EventStream:
        """As `generate_content`, one answer in parts, as dictionaries."""
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
            texts: one text, or several.
            model: one that is configured for embeddings, or `provider/model`.
            deadline_s: seconds after which no answer is wanted, instead of those of "auto".
            params: anything else that the request body may hold, such as `dimensions`.

        Raises:
            UnknownModel: it is none for embeddings.
            TierwiseError: as `chat`.
        """
        from tierwise.vectors import Vectors, make_asked

        asked = make_asked(texts, model, params)
        deadline = deadline_in(deadline_s, self.patience_s("auto"))
        name = new_id()
        return Vectors(await self.embedded(asked, deadline, name=name), name)


async def _answer(asks: Asks, dialect: str, given: Mapping[str, Any]) -> Answer:
    asked = asked_of(asks, dialect, given, stream=False)
    return Answer.of(await asks.answer(asked.task(read_task(dialect, asked.body))))


async def _stream(asks: Asks, dialect: str, given: Mapping[str, Any]) -> EventStream:
    asked = asked_of(asks, dialect, given, stream=True)
    return EventStream(await asks.stream(asked.task(read_task(dialect, asked.body))))


@dataclass(frozen=True, slots=True)
class Asked:
    """The same request over HTTP: its body, and what stands beside that there."""

    body: bytes
    model: str
    stream: bool
    deadline: float
    betas: tuple[str, ...]
    wishes: Mapping[str, Any]

    def task(self, read: Task) -> Task:
        """What was read from the body, with the rest.

        Raises:
            InvalidRequest: a wish cannot be used.
        """
        task = replace(with_wishes(read, **self.wishes), model=self.model, stream=self.stream)
        return replace(
            task, wants_stream_usage=self.stream, deadline=self.deadline, betas=self.betas
        )


def asked_of(asks: Asks, dialect: str, given: Mapping[str, Any], *, stream: bool) -> Asked:
    """What keyword arguments ask in a dialect.

    Raises:
        InvalidRequest: a parameter cannot be used.
    """
    body = dict(given)
    wishes = {name: body.pop(name, None) for name in _WISHES}
    deadline_s = body.pop("deadline_s", None)
    betas = _betas(body.pop("betas", None)) if dialect == "anthropic" else ()
    if body.pop("stream", None) is not None:
        raise InvalidRequest(
            "`stream` is not a parameter here: use the call whose name ends with `_stream`.",
            param="stream",
        )
    model = model_of(body)
    if dialect == "gemini":  # where model and stream stand in the path
        body.pop("model", None)
    else:
        body["model"] = model
        body |= {"stream": True} if stream else {}
    deadline = deadline_in(deadline_s, asks.patience_s(model))
    return Asked(encoded(body), model, stream, deadline, betas, wishes)


def model_of(given: Mapping[str, Any]) -> str:
    """The model that keyword arguments name, "auto" if none.

    Raises:
        InvalidRequest: that is no text.
    """
    model = given.get("model", "auto")
    if not isinstance(model, str):
        raise InvalidRequest(f"`model` is {model!r}; it must be a string.", param="model")
    return model


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
