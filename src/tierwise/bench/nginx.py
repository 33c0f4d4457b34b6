"""nginx in two roles: the static upstream, and the plain proxy to be compared with."""

from __future__ import annotations

import subprocess  # nosec B404
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tierwise.bench.programs import find_program, listens, running, wait_until
from tierwise.bench.traffic import EVENT_BYTES, answer_text, stream_text

WHOLE = "/whole"
STREAM = "/stream"
"""What the paths of both servers begin with."""

_HEAD = """\
daemon off; master_process off; pid {home}/{name}.pid; error_log {home}/{name}.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off; tcp_nodelay on; server_tokens off; keepalive_requests 100000000;
  client_body_buffer_size 64k; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
"""
# A file that is read in pieces of just one event, with nothing put off, leaves as one event a
# write; and server-side includes, of which it has none, make its length unknown, so that each
# event is also a chunk of HTTP. Nothing but the core of nginx is needed for this.
_UPSTREAM = """\
  types {{ text/event-stream sse; }}
  server {{
    listen 127.0.0.1:{port}; root {home};
    location {whole}/ {{ default_type application/json; return 200 '{answer}'; }}
    location {stream}/ {{ error_page 405 =200 /stream.sse; return 405; }}
    location = /stream.sse {{
      sendfile off; postpone_output 0; output_buffers 1 {event_bytes};
      ssi on; ssi_types text/event-stream;
    }}
  }}
}}
"""
_PROXY = """\
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header Authorization "Bearer upstream";
    location {whole}/ {{ proxy_pass http://up; }}
    location {stream}/ {{ proxy_buffering off; proxy_pass http://up; }}
  }}
}}
"""


class Nginx:
    """The installed nginx. Raises `MissingProgram` if there is none."""

    def __init__(self, home: Path) -> None:
        self._program = find_program("nginx", "nginx-light")
        self._home = home

    def version(self) -> str:
        """Such as `1.22.1`."""
        told = subprocess.run(  # nosec B603 # no shell, a program that was found
            [self._program, "-v"], capture_output=True, text=True, check=True
        )
        return told.stderr.strip().rpartition("/")[2]

    @contextmanager
    def upstream(self, port: int, *, core: int | None) -> Iterator[int]:
        """Answers at once, with a whole answer or a stream; yields its process id."""
        (self._home / "stream.sse").write_text(stream_text())
        text = _UPSTREAM.format(
            home=self._home, port=port, whole=WHOLE, stream=STREAM, answer=answer_text(),
            event_bytes=EVENT_BYTES,
        )  # fmt: skip
        with self._running("upstream", text, port, core) as pid:
            yield pid

    @contextmanager
    def proxy(self, port: int, upstream: int, *, core: int | None) -> Iterator[int]:
        """Forwards to the upstream's port and does nothing else; yields its process id."""
        text = _PROXY.format(port=port, upstream=upstream, whole=WHOLE, stream=STREAM)
        with self._running("proxy", text, port, core) as pid:
            yield pid

    @contextmanager
    def _running(self, name: str, text: str, port: int, core: int | None) -> Iterator[int]:
        file = self._home / f"{name}.conf"
        file.write_text(_HEAD.format(home=self._home, name=name) + text)
        log = self._home / f"{name}.log"
        command = [self._program, "-e", str(log), "-p", str(self._home), "-c", str(file)]
        with running(command, core=core, log=log) as process:
            wait_until(lambda: listens(port), process, log, timeout_s=10.0)
            yield process.pid
