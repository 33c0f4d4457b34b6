"""What is written in one turn of the event loop goes out at once."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway import config_for
from tierwise.config import from_mapping
from tierwise.server.corked import CorkedTransport, QuickCycle
from tierwise.server.run import options

UVICORNS = QuickCycle.__bases__[0]


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


Headers = list[tuple[bytes, bytes]]
ANSWER: Headers = [
    (b"content-type", b"application/json"),
    (b"x-tierwise-model", b"gpt-5-mini"),
    (b"x-tierwise-cost-usd", b"0.00012300"),
    (b"content-length", b"2"),
]


EVERY_ANSWERS: Headers = [
    (name.encode(), value.encode())
    for name, value in options(from_mapping(config_for("http://127.0.0.1:1")))["headers"]
]
"""What the gateway has uvicorn put before those of each answer."""


async def written(kind: type[RequestResponseCycle], status: int, headers: Headers) -> list[object]:
    """What a connection is told of an answer, by uvicorn's cycle or by ours."""
    recorder = Recorder()
    cycle = kind(
        scope=cast(Any, {"method": "POST"}),
        transport=recorder,
        flow=FlowControl(recorder),
        logger=logging.getLogger("test"),
        access_logger=logging.getLogger("test"),
        access_log=False,
        default_headers=EVERY_ANSWERS,
        message_event=asyncio.Event(),
        expect_100_continue=True,
        keep_alive=True,
        on_response=lambda: recorder.done.append("over"),
    )
    try:
        await cycle.send({"type": "http.response.start", "status": status, "headers": headers})
        await cycle.send({"type": "http.response.body", "body": b"{}"})
    except RuntimeError as error:
        recorder.done.append(str(error))
    return recorder.done


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, ANSWER),
        (201, ANSWER),
        (200, [*ANSWER, (b"Set-Cookie", b"a=b")]),
        (200, [*ANSWER, (b"connection", b"close")]),
        (200, ANSWER[:-1]),
        (200, [*ANSWER[:-1], (b"transfer-encoding", b"chunked")]),
        (200, [*ANSWER[:-1], (b"content-length", b"1")]),
        (200, [*ANSWER[:-1], (b"content-length", b"3")]),
        (200, [(b"x-tierwise-model", b"a\r\nx-evil: 1"), *ANSWER]),
        (200, [(b"x-tierwise-model", b"a\nb"), *ANSWER]),
        (200, [(b"x-tierwise-model", b"a\x00b"), *ANSWER]),
        (200, [(b"x-tierwise-model", b"a\tb"), *ANSWER]),
        (200, [(b"bad name", b"1"), *ANSWER]),
        (200, [(b"age", b"3"), *ANSWER]),
    ],
)
async def test_a_head_is_written_as_uvicorn_would_write_it(status: int, headers: Headers) -> None:
    usual = await written(UVICORNS, status, headers)
    assert await written(QuickCycle, status, headers) == usual


async def test_usual_heads_are_not_left_to_uvicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = await written(UVICORNS, 200, ANSWER)
    parts: list[str] = []
    monkeypatch.setattr(UVICORNS, "send", _noting(UVICORNS.send, parts))
    assert await written(QuickCycle, 200, ANSWER) == usual
    assert parts == ["http.response.body"]


def _noting(send: Any, parts: list[str]) -> Any:
    async def noting(cycle: Any, message: Any) -> None:
        parts.append(message["type"])
        await send(cycle, message)

    return noting
