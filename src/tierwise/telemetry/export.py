"""Sends spans and metrics by OTLP over HTTP, in a thread of its own.

What a collector does not take for the moment is tried again; what does not fit in the queue
meanwhile is dropped and counted. Nobody waits for any of it.
"""

from __future__ import annotations

import gzip
import logging
import random
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from tierwise.telemetry.protobuf import attributes, message, text
from tierwise.telemetry.settings import Settings

log = logging.getLogger("tierwise.telemetry")

SCOPE = "tierwise"
CLOSE_PATIENCE_S = 5.0
"""How long the last spans may take to be sent when the gateway stops, in seconds."""
_RETRIED = frozenset({429, 502, 503, 504})
_FIRST_RETRY_S, _MOST_RETRY_S, _TRIES = 0.5, 15.0, 5


class Exporter:
    """Takes spans at once, and sends them and the metrics soon.

    `waiting`, `sent` and `dropped` count spans: those that a collector is still to have, has taken,
    and will never see.

    Args:
        metrics: gives all metrics as they stand at a Unix time.
        version: of what tells all this.
    """

    def __init__(
        self, settings: Settings, metrics: Callable[[float], Iterable[bytes]], version: str
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._resource = message(1, attributes(1, settings.resource))
        self._scope = message(1, text(1, SCOPE), text(2, version))
        self._queue: deque[Sequence[bytes]] = deque()
        self.waiting = 0
        self._counting = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._give_up_at = float("inf")
        self._metrics_due = time.monotonic() + settings.interval_s
        self._failures = 0
        self._tls = _tls(settings)
        self.sent = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="tierwise-telemetry", daemon=True)
        self._thread.start()

    def add(self, spans: Sequence[bytes]) -> None:
        """Takes the spans of a request; or drops them, if too many wait."""
        count = len(spans)
        with self._counting:
            if self.waiting + count > self._settings.queue:
                self.dropped += count
                return
            self.waiting += count
        self._queue.append(spans)
        if self.waiting >= self._settings.batch:
            self._wake.set()

    def flush(self) -> None:
        """Has all that waits sent at once, the metrics too; does not wait for it."""
        self._metrics_due = 0.0
        self._wake.set()

    def close(self) -> None:
        """Sends what waits, and the metrics once more, and stops."""
        self._give_up_at = time.monotonic() + CLOSE_PATIENCE_S
        self._metrics_due = 0.0
        self._stop.set()
        self._wake.set()
        self._thread.join(CLOSE_PATIENCE_S + 1)

    def _run(self) -> None:
        settings = self._settings
        while True:
            self._wake.wait(min(settings.delay_s, settings.interval_s))
            self._wake.clear()
            stopping = self._stop.is_set()
            try:
                self._send_all()
            except Exception:
                log.exception("telemetry could not be sent")
            if stopping:
                return

    def _send_all(self) -> None:
        while batch := self._batch():
            url = self._settings.traces_url
            taken = url is not None and self._send(
                url, self._settings.traces_headers, self._body(batch)
            )
            with self._counting:
                self.waiting -= len(batch)
                if taken:
                    self.sent += len(batch)
                else:
                    self.dropped += len(batch)
        if time.monotonic() >= self._metrics_due:
            self._metrics_due = time.monotonic() + self._settings.interval_s
            if self._settings.metrics_url is not None:
                body = self._body(list(self._metrics(time.time())))
                self._send(self._settings.metrics_url, self._settings.metrics_headers, body)

    def _batch(self) -> list[bytes]:
        """The spans of some requests, as many as go out at once."""
        batch: list[bytes] = []
        while self._queue and len(batch) < self._settings.batch:
            batch += self._queue.popleft()
        return batch

    def _body(self, parts: Sequence[bytes]) -> bytes:
        """`TracesData` or `MetricsData`, which are alike down to the scope."""
        return message(1, self._resource, message(2, self._scope, *parts))

    def _send(self, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> bool:
        """Whether a collector has taken it."""
        sent = {"content-type": "application/x-protobuf", "user-agent": "tierwise", **dict(headers)}
        if self._settings.gzip:
            body = gzip.compress(body, 1)
            sent["content-encoding"] = "gzip"
        request = urllib.request.Request(url, body, sent, method="POST")  # noqa: S310 - checked
        for turn in range(_TRIES):
            why, again, wait = self._post(request)
            if why is None:
                self._failures = 0
                return True
            left = self._give_up_at - time.monotonic()
            if not again or left <= 0 or turn + 1 == _TRIES:
                break
            backoff = min(_MOST_RETRY_S, _FIRST_RETRY_S * 2**turn) * (0.5 + random.random())  # noqa: S311
            self._stop.wait(min(left, backoff if wait is None else wait))
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:
            log.warning(
                "the collector at %s does not take telemetry, %d times in a row so far: %s",
                url, self._failures, why,
            )  # fmt: skip
        return False

    def _post(self, request: urllib.request.Request) -> tuple[str | None, bool, float | None]:
        """Why it was not taken, whether another try may help, and when, in seconds."""
        left = max(0.1, self._give_up_at - time.monotonic())
        timeout = min(self._settings.timeout_s, left)
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=self._tls) as answer:  # noqa: S310
                answer.read()
        except urllib.error.HTTPError as error:
            wait = error.headers.get("retry-after", "")
            after = min(float(wait), _MOST_RETRY_S) if wait.isdigit() else None
            error.close()
            return f"HTTP status {error.code}", error.code in _RETRIED, after
        except (OSError, ValueError) as error:
            return f"{error}", True, None
        return None, False, None


def _tls(settings: Settings) -> ssl.SSLContext | None:
    urls = (settings.traces_url or "", settings.metrics_url or "")
    if not any(url.startswith("https:") for url in urls):
        return None
    return ssl.create_default_context(cafile=settings.certificate)
