"""nginx, as it is deployed, before gateways of a test."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator

from deployment.checks import nginx_command, nginx_folder, tool, upstream_of
from gateway import PATIENCE_S, call, until
from required import lacking


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@contextlib.contextmanager
def nginx_before(*hosts: str) -> Iterator[str]:
    """Its URL until the block ends; skips the test if it is not installed."""
    program = tool("nginx")
    if program is None:
        lacking("nginx is not installed")
    port = free_port()
    with nginx_folder(upstream_of(*hosts), port) as folder:
        log = folder / "log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                nginx_command(program, folder), stdout=said, stderr=subprocess.STDOUT
            )
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return call(url, "GET", "/nginx-health", key=None).status == 204
            except OSError:
                return False

        try:
            until(answers, "nginx")
            yield url
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
