"""What is counted of processes and connections."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from tierwise.chaos.crowd import connections_to, resident_mb

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_process_has_memory_and_one_that_is_not_there_has_none() -> None:
    assert resident_mb(os.getpid()) > 1.0
    assert resident_mb(-1) == 0.0


def test_open_connections_to_a_port_are_counted_until_they_are_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert connections_to(url) == 0
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            assert connections_to(url) == 1
            accepted.close()
        assert connections_to(url) == 0
