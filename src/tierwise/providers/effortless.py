"""An adapter whose model is not told how much to think, which it cannot."""

from __future__ import annotations

from collections.abc import Mapping

from tierwise.errors import UpstreamError
from tierwise.providers.base import Adapter, Reply, StreamReader
from tierwise.providers.http import HttpRequest
from tierwise.types import Task
from tierwise.wire.unthinking import unthinking


class Effortless:
    """Stands before what speaks to a deployment, for the calls of one task."""

    def __init__(self, adapter: Adapter) -> None:
        self.deployment = adapter.deployment
        self.speaks = adapter.speaks
        self._adapter = adapter
        self._told: tuple[Task, Task] | None = None

    def request(self, task: Task) -> HttpRequest:
        """As in `Adapter`."""
        return self._adapter.request(self._spared(task))

    def reply(self, body: bytes, task: Task) -> Reply:
        """As in `Adapter`."""
        return self._adapter.reply(body, self._spared(task))

    def stream_reader(self, task: Task, *, keep: bool = False) -> StreamReader:
        """As in `Adapter`."""
        return self._adapter.stream_reader(self._spared(task), keep=keep)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """As in `Adapter`."""
        return self._adapter.error(status, headers, body)

    def _spared(self, task: Task) -> Task:
        """What is asked; made once for a call."""
        if self._told is None or self._told[0] is not task:
            self._told = task, unthinking(task)
        return self._told[1]
