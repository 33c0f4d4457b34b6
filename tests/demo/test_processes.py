"""Starting the processes of the demo: a port at which nobody listens yet may be one's own."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

from tierwise.demo.processes import _wait_until_ready


def test_a_gateway_is_waited_for_though_a_call_before_it_listens_hears_itself(
    tmp_path: Path,
) -> None:
    said = [None, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            for one in said:
                connection, _ = listening.accept()
                with connection:
                    asked = connection.recv(65_536)
                    connection.sendall(asked if one is None else one)

        server = threading.Thread(target=answer)
        server.start()
        waits = [sys.executable, "-c", "input()"]
        with subprocess.Popen(waits, stdin=subprocess.PIPE) as process:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            _wait_until_ready(url, process, tmp_path / "log")
            process.kill()
        server.join()
