"""A gateway that was started with a file."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import uvicorn

from gateway import RunningGateway
from tierwise.config import load
from tierwise.orchestrator import Orchestrator
from tierwise.server.app import Gateway
from tierwise.server.run import options
from tierwise.server.source import Source


class FromFile(RunningGateway):
    """A gateway whose configuration is in a file, so that it can be read again."""

    def __init__(self, file: Path) -> None:
        config = load(file, {})
        self.orchestrator = Orchestrator.from_config(config)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"http://{self.host}"
        self.application = Gateway(self.orchestrator, config, Source(str(file)))
        self._server = uvicorn.Server(uvicorn.Config(self.application, **options(config)))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._seen = 0
