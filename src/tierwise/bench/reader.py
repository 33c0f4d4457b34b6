"""Reads a chat stream as a client does, and notes when its first content is there."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from tierwise.bench.programs import BenchError


class _Delta(Struct):
    content: str | None = None


class _Choice(Struct):
    delta: _Delta


class _Chunk(Struct):
    model: str = ""
    choices: list[_Choice] = []


class Reader:
    """Reads a stream line by line. `first` is the point of the clock of its first content."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._decode = msgspec.json.Decoder(_Chunk).decode
        self.began = clock()
        self.first: float | None = None
        self.model = ""
        self.parts: list[str] = []

    def line(self, line: bytes) -> None:
        """One line; comments and the mark of the end say nothing.

        Raises:
            BenchError: it is no chunk, but for example an error.
        """
        data = line.removeprefix(b"data: ").strip()
        if data == line.strip() or data == b"[DONE]":
            return
        try:
            chunk = self._decode(data)
        except msgspec.MsgspecError:
            chunk = _Chunk()
        if not chunk.model:
            raise BenchError(f"a stream failed: {data.decode('utf-8', 'replace')[:300]}")
        self.model = chunk.model
        for choice in chunk.choices:
            if choice.delta.content:
                if self.first is None:
                    self.first = self._clock()
                self.parts.append(choice.delta.content)
