"""What is written in one turn of the event loop goes out at once."""

from __future__ import annotations

import asyncio
from typing import Any

from tierwise.server.corked import CorkedTransport


class Recorder(asyncio.Transport):
    """A connection that notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[object] = []
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("closed")
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing


def corked(recorder: Recorder) -> CorkedTransport:
    return CorkedTransport(recorder, asyncio.get_running_loop())


async def test_head_parts_and_end_are_one_write() -> None:
    recorder = Recorder()
    transport = corked(recorder)
    for part in (b"head", b"part", b"end"):
        transport.write(part)
    assert recorder.done == []
    await asyncio.sleep(0)
    assert recorder.done == [b"headpartend"]


async def test_each_turn_sends_what_it_wrote() -> None:
    recorder = Recorder()
    transport = corked(recorder)
    transport.write(b"one")
    await asyncio.sleep(0)
    transport.write(b"two")
    await asyncio.sleep(0)
    assert recorder.done == [b"one", b"two"]


async def test_closing_sends_first_what_waits() -> None:
    recorder = Recorder()
    transport = corked(recorder)
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert recorder.done == [b"last words", "closed"]


async def test_nothing_is_sent_to_a_client_that_has_gone() -> None:
    recorder = Recorder()
    transport = corked(recorder)
    transport.write(b"too late")
    recorder.closing = True
    await asyncio.sleep(0)
    assert recorder.done == []
