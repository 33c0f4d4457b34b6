"""The orchestrator for code without an event loop: the same, run on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from tierwise.answer import Answer, Messages
from tierwise.config import Config
from tierwise.orchestrator import Orchestrator

T = TypeVar("T")


class SyncOrchestrator:
    """As `Orchestrator`, without `await`. Use it in a `with` block, or `close` it."""

    def __init__(self, config: Config | Mapping[str, Any] | str | Path | None = None) -> None:
        self._orchestrator = Orchestrator.from_config(config)
        self._orchestrator.start()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="tierwise-sync", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> SyncOrchestrator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def chat(self, messages: Messages, policy: str = "auto", **params: Any) -> Answer:
        """See `Orchestrator.chat`."""
        return self._run(self._orchestrator.chat(messages, policy, **params))

    def stream(self, messages: Messages, policy: str = "auto", **params: Any) -> Iterator[str]:
        """The answer's pieces of text as they come; see `Orchestrator.chat_stream`."""
        stream = self._run(self._orchestrator.chat_stream(messages, policy, **params))
        pieces = stream.__aiter__()
        try:
            while True:
                piece = self._run(_next(pieces))
                if piece is None:
                    return
                yield piece
        finally:
            self._run(stream.aclose())

    def close(self) -> None:
        """Closes connections and writes what the ledger still holds."""
        if self._loop.is_closed():
            return
        self._run(self._orchestrator.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _next(pieces: Any) -> str | None:
    async for piece in pieces:
        return str(piece)
    return None
