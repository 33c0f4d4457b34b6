"""The orchestrator for code without an event loop: the same, run on a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from tierwise.answer import Answer, AnswerStream, LiveAnswer, Messages, Piece
from tierwise.config import Config
from tierwise.errors import Closed
from tierwise.ledger import Feedback
from tierwise.orchestrator import Orchestrator
from tierwise.telling import Shape
from tierwise.through import PassedStream, PassedThrough
from tierwise.types import Decision

if TYPE_CHECKING:
    from tierwise.vectors import Vectors

T = TypeVar("T")
Given = TypeVar("Given", covariant=True)


class _Live(Protocol[Given]):
    """What is read as it comes."""

    def __aiter__(self) -> AsyncIterator[Given]: ...

    async def aclose(self) -> None: ...


class _SyncPieces(Generic[Piece]):
    """What is read as it comes, without `await`."""

    def __init__(
        self, stream: _Live[Piece], run: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        self._live = stream
        self._run = run

    def __iter__(self) -> Iterator[Piece]:
        pieces = self._live.__aiter__()
        try:
            while (piece := self._run(_next(pieces))) is not None:
                yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Ends the stream and the upstream call. Does nothing if it is over."""
        try:
            self._run(self._live.aclose())
        except Closed:
            return  # closing the orchestrator has ended every stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _SyncStream(_SyncPieces[Piece]):
    """As `LiveAnswer`, without `await`. Leave it early with `close`, or use a `with` block."""

    def __init__(
        self, stream: LiveAnswer[Piece], run: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        super().__init__(stream, run)
        self._stream = stream

    @property
    def model(self) -> str:
        """The model that answers."""
        return self._stream.model

    @property
    def dropped(self) -> tuple[str, ...]:
        """As in `LiveAnswer`."""
        return self._stream.dropped

    @property
    def decision(self) -> Decision:
        """The plan, what it was chosen from, and why."""
        return self._stream.decision

    @property
    def cost_usd(self) -> float:
        """USD so far, every attempt billed."""
        return self._stream.cost_usd


class SyncAnswerStream(_SyncStream[str]):
    """As `AnswerStream`, without `await`. Leave it early with `close`, or use a `with` block."""

    _stream: AnswerStream

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped; None before it has."""
        return self._stream.finish_reason


class SyncEventStream(_SyncStream[dict[str, Any]]):
    """As `EventStream`, without `await`. Leave it early with `close`, or use a `with` block."""


class SyncPassedStream(_SyncPieces[bytes]):
    """As `PassedStream`, without `await`. Leave it early with `close`, or use a `with` block."""

    def __init__(
        self, stream: PassedStream, run: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        super().__init__(stream, run)
        self.provider = stream.provider
        self.status = stream.status
        self.headers = stream.headers
        self.decision_id = stream.decision_id


class SyncOrchestrator:
    """As `Orchestrator`, without `await`; any number of threads may use it at once.

    Use it in a `with` block, or `close` it. It belongs to the process that made it: one that is
    forked from it, such as a worker of a server that loads the application first, needs its own.
    """

    def __init__(self, config: Config | Mapping[str, Any] | str | Path | None = None) -> None:
        self._orchestrator = Orchestrator.from_config(config)
        self._orchestrator.start()
        self._closed = False
        self._process = os.getpid()
        self._closing = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="tierwise-sync", daemon=True
        )
        self._thread.start()
        self._run(self._look_after())

    @classmethod
    def from_config(
        cls, config: Config | Mapping[str, Any] | str | Path | None = None
    ) -> SyncOrchestrator:
        """See `Orchestrator.from_config`; this one is ready for use at once."""
        return cls(config)

    def __enter__(self) -> SyncOrchestrator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def chat(self, messages: Messages, policy: str = "auto", **params: Any) -> Answer:
        """See `Orchestrator.chat`.

        Raises:
            TierwiseError: see `tierwise.errors`.
            RuntimeError: the orchestrator is closed, or was made before this process was forked.
        """
        return self._run(self._orchestrator.chat(messages, policy, **params))

    def chat_stream(
        self, messages: Messages, policy: str = "auto", **params: Any
    ) -> SyncAnswerStream:
        """See `Orchestrator.chat_stream`: iterate over what this returns."""
        stream = self._run(self._orchestrator.chat_stream(messages, policy, **params))
        return SyncAnswerStream(stream, self._run)

    def messages(self, **given: Any) -> Answer:
        """See `Orchestrator.messages`."""
        return self._run(self._orchestrator.messages(**given))

    def messages_stream(self, **given: Any) -> SyncEventStream:
        """See `Orchestrator.messages_stream`."""
        stream = self._run(self._orchestrator.messages_stream(**given))
        return SyncEventStream(stream, self._run)

    def responses(self, **given: Any) -> Answer:
        """See `Orchestrator.responses`."""
        return self._run(self._orchestrator.responses(**given))

    def responses_stream(self, **given: Any) -> SyncEventStream:
        """See `Orchestrator.responses_stream`."""
        stream = self._run(self._orchestrator.responses_stream(**given))
        return SyncEventStream(stream, self._run)

    def responses_retrieve(self, response_id: str) -> dict[str, Any]:
        """See `Orchestrator.responses_retrieve`."""
        return self._run(self._orchestrator.responses_retrieve(response_id))

    def responses_delete(self, response_id: str) -> dict[str, Any]:
        """See `Orchestrator.responses_delete`."""
        return self._run(self._orchestrator.responses_delete(response_id))

    def responses_input_items(self, response_id: str, **page: Any) -> dict[str, Any]:
        """See `Orchestrator.responses_input_items`."""
        return self._run(self._orchestrator.responses_input_items(response_id, **page))

    def generate_content(self, **given: Any) -> Answer:
        """See `Orchestrator.generate_content`."""
        return self._run(self._orchestrator.generate_content(**given))

    def generate_content_stream(self, **given: Any) -> SyncEventStream:
        """See `Orchestrator.generate_content_stream`."""
        stream = self._run(self._orchestrator.generate_content_stream(**given))
        return SyncEventStream(stream, self._run)

    def messages_count_tokens(self, **given: Any) -> dict[str, Any]:
        """See `Orchestrator.messages_count_tokens`."""
        return self._run(self._orchestrator.messages_count_tokens(**given))

    def responses_input_tokens(self, **given: Any) -> dict[str, Any]:
        """See `Orchestrator.responses_input_tokens`."""
        return self._run(self._orchestrator.responses_input_tokens(**given))

    def count_tokens(self, **given: Any) -> dict[str, Any]:
        """See `Orchestrator.count_tokens`."""
        return self._run(self._orchestrator.count_tokens(**given))

    def models_list(self, shape: Shape = "openai", **page: Any) -> dict[str, Any]:
        """See `Orchestrator.models_list`."""
        return self._run(self._orchestrator.models_list(shape, **page))

    def models_retrieve(self, model: str, shape: Shape = "openai") -> dict[str, Any]:
        """See `Orchestrator.models_retrieve`."""
        return self._run(self._orchestrator.models_retrieve(model, shape))

    def decision(self, decision_id: str) -> dict[str, Any]:
        """See `Orchestrator.decision`."""
        return self._run(self._orchestrator.decision(decision_id))

    def certificates(self) -> dict[str, Any]:
        """See `Orchestrator.certificates`."""
        return self._run(self._orchestrator.certificates())

    def embed(self, texts: str | Sequence[str], model: str, **params: Any) -> Vectors:
        """See `Orchestrator.embed`."""
        return self._run(self._orchestrator.embed(texts, model, **params))

    def pass_through(self, method: str, path: str, **given: Any) -> PassedThrough:
        """See `Orchestrator.pass_through`."""
        return self._run(self._orchestrator.pass_through(method, path, **given))

    def pass_through_stream(self, method: str, path: str, **given: Any) -> SyncPassedStream:
        """See `Orchestrator.pass_through_stream`."""
        stream = self._run(self._orchestrator.pass_through_stream(method, path, **given))
        return SyncPassedStream(stream, self._run)

    def feedback(self, decision_id: str, **given: Any) -> Feedback:
        """See `Orchestrator.feedback`."""
        return self._run(self._orchestrator.feedback(decision_id, **given))

    def close(self) -> None:
        """Ends open calls, closes connections and writes what the ledger still holds.

        Does nothing if it is closed, or another process's.
        """
        if os.getpid() != self._process:
            return
        with self._closing:
            if self._closed:
                return
            self._closed = True
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _look_after(self) -> None:
        self._orchestrator.look_after()

    async def _shut_down(self) -> None:
        open_calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in open_calls:
            call.cancel()
        await asyncio.gather(*open_calls, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_asyncgens()
        await self._orchestrator.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if os.getpid() != self._process:
            # Its thread was not forked: nobody would ever answer.
            work.close()
            raise Closed(
                f"this orchestrator was made by process {self._process}, from which this one was "
                "forked. Make one here, after the fork."
            )
        with self._closing:
            if self._closed:
                work.close()
                raise Closed
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Closed("this orchestrator was closed while it was in use") from None
        except BaseException:
            future.cancel()  # such as Ctrl-C while waiting: nobody wants the answer any more
            raise


async def _next(pieces: AsyncIterator[Piece]) -> Piece | None:
    async for piece in pieces:
        return piece
    return None
