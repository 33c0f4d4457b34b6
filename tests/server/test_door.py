"""A port is closed when nobody stands at it, and nobody new comes meanwhile."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator

import pytest

from tierwise.server.door import Door


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


async def test_it_waits_for_those_who_are_connected_and_not_accepted(
    listening: socket.socket,
) -> None:
    with socket.create_connection(listening.getsockname()) as client:
        shutting = asyncio.create_task(Door(listening).shut())
        await asyncio.sleep(0.2)
        assert not shutting.done()
        accepted, _ = listening.accept()
        with accepted:
            await shutting
            listening.close()
            client.sendall(b"asked")
            assert accepted.recv(5) == b"asked"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux leaves them unanswered")
async def test_who_comes_later_is_not_let_in_and_then_refused(listening: socket.socket) -> None:
    await Door(listening).shut()
    with socket.socket() as late:
        late.setblocking(False)
        loop = asyncio.get_running_loop()
        connecting = asyncio.create_task(loop.sock_connect(late, listening.getsockname()))
        await asyncio.sleep(0.2)
        assert not connecting.done()
        listening.close()
        # TCP asks again after a second.
        with pytest.raises(ConnectionRefusedError):
            await connecting


async def test_a_port_that_is_closed_already_is_no_mistake(listening: socket.socket) -> None:
    listening.close()
    await Door(listening).shut()
