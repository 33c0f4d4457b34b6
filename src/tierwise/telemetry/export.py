"""Sends spans and metrics by OTLP over HTTP, in a thread of its own.

What a collector does not take for the moment is tried again; what does not fit in the queue
meanwhile is dropped and counted. Nobody waits for any of it.
"""

from __future__ import annotations

import gzip
import http.client
import logging
import random
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from tierwise.telemetry.protobuf import attributes, beginning, message, text
from tierwise.telemetry.rejected import rejected
from tierwise.telemetry.settings import Settings, shown

log = logging.getLogger("tierwise.telemetry")

SCOPE = "tierwise"
CLOSE_PATIENCE_S = 5.0
"""How long the last spans may take to be sent when the gateway stops, in seconds."""
_RETRIED = frozenset({429, 502, 503, 504})
_FIRST_RETRY_S, _MOST_RETRY_S, _TRIES = 0.5, 15.0, 5
_MOST_AT_ONCE = 4 * 1024 * 1024
"""Bytes of spans in one request; collectors take from 4 MiB up (their own default is 20)."""
_MOST_ANSWER = 64 * 1024
"""Bytes of an answer that are read."""
MOST_WAITING = 64 * 1024 * 1024
"""Bytes of spans that may wait. Most are of some hundred; prompts and answers may be much more."""


class _Batch:
    """Spans that go out together, one behind the other. In one piece, as thousands of small ones
    that live for a second cost more to keep than to write."""

    __slots__ = ("count", "spans")

    def __init__(self) -> None:
        self.count = 0
        self.spans = bytearray()


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
        self._filling = _Batch()
        self._full: deque[_Batch] = deque()
        self.waiting = 0
        self._bytes = 0
        self._counting = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._give_up_at = float("inf")
        self._metrics_due = time.monotonic() + settings.interval_s
        self._failures = 0
        self._rejections = 0
        self._opener = urllib.request.build_opener(
            _NoRedirects, urllib.request.HTTPSHandler(context=_tls(settings))
        )
        self.sent = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="tierwise-telemetry", daemon=True)
        self._thread.start()

    def add(self, spans: Sequence[bytes]) -> None:
        """Takes the spans of a request; or drops them, if too many wait."""
        count, written = len(spans), b"".join(spans)
        with self._counting:
            waiting, size = self.waiting + count, self._bytes + len(written)
            if waiting > self._settings.queue or size > MOST_WAITING:
                self.dropped += count
                return
            self.waiting, self._bytes = waiting, size
            filling = self._filling
            if filling.count and len(filling.spans) + len(written) > _MOST_AT_ONCE:
                filling = self._next_one()
            filling.count += count
            filling.spans += written
            if filling.count >= self._settings.batch:
                self._next_one()
            full = len(self._full)
        if full:
            self._wake.set()

    def _next_one(self) -> _Batch:
        """Another batch to fill, as the one before is full. Called by who has the lock."""
        self._full.append(self._filling)
        self._filling = _Batch()
        return self._filling

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
        while (batch := self._next()).count:
            url, lost = self._settings.traces_url, batch.count
            try:
                if url is not None:
                    body = self._body(batch.spans)
                    refused = self._send(url, self._settings.traces_headers, body)
                    lost = batch.count if refused is None else min(refused, batch.count)
            finally:
                with self._counting:
                    self.waiting -= batch.count
                    self._bytes -= len(batch.spans)
                    self.sent += batch.count - lost
                    self.dropped += lost
        if time.monotonic() >= self._metrics_due:
            self._metrics_due = time.monotonic() + self._settings.interval_s
            if self._settings.metrics_url is not None:
                body = self._body(b"".join(self._metrics(time.time())))
                self._send(self._settings.metrics_url, self._settings.metrics_headers, body)

    def _next(self) -> _Batch:
        """The spans of some requests, as many as go out at once; of none if none wait."""
        with self._counting:
            if self._full:
                return self._full.popleft()
            batch, self._filling = self._filling, _Batch()
            return batch

    def _body(self, parts: bytes | bytearray) -> bytes:
        """`TracesData` or `MetricsData`, which are alike down to the scope."""
        inner = beginning(2, len(self._scope) + len(parts))
        size = len(self._resource) + len(inner) + len(self._scope) + len(parts)
        return b"".join((beginning(1, size), self._resource, inner, self._scope, parts))

    def _send(self, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> int | None:
        """How much of it a collector has rejected; None if it has taken nothing."""
        sent = {"content-type": "application/x-protobuf", "user-agent": "tierwise", **dict(headers)}
        if self._settings.gzip:
            body = gzip.compress(body, 1)
            sent["content-encoding"] = "gzip"
        request = urllib.request.Request(url, body, sent, method="POST")  # noqa: S310 - checked
        for turn in range(_TRIES):
            answer, why, again, wait = self._post(request)
            if answer is not None:
                self._failures = 0
                return self._rejected(url, answer)
            left = self._give_up_at - time.monotonic()
            if not again or left <= 0 or turn + 1 == _TRIES:
                break
            backoff = min(_MOST_RETRY_S, _FIRST_RETRY_S * 2**turn) * (0.5 + random.random())  # noqa: S311
            self._stop.wait(min(left, backoff if wait is None else wait))
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:
            log.warning(
                "the collector at %s does not take telemetry, %d times in a row so far: %s",
                shown(url), self._failures, why,
            )  # fmt: skip
        return None

    def _rejected(self, url: str, answer: bytes) -> int:
        """How much an answer says was rejected, which another try would not help."""
        count, said = rejected(answer)
        if count or said:
            self._rejections += 1
            if self._rejections & (self._rejections - 1) == 0:
                log.warning(
                    "the collector at %s has rejected %d of what it was sent, and said so %d times "
                    "so far: %r",
                    shown(url), count, self._rejections, said,
                )  # fmt: skip
        return count

    def _post(
        self, request: urllib.request.Request
    ) -> tuple[bytes | None, str, bool, float | None]:
        """The answer, if it was taken; else why not, whether another try may help, and when, in
        seconds."""
        left = max(0.1, self._give_up_at - time.monotonic())
        timeout = min(self._settings.timeout_s, left)
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return answer.read(_MOST_ANSWER), "", False, None
        except urllib.error.HTTPError as error:
            wait = error.headers.get("retry-after", "")
            after = min(float(wait), _MOST_RETRY_S) if wait.isdecimal() else None
            error.close()
            return None, f"HTTP status {error.code}", error.code in _RETRIED, after
        except OSError as error:
            return None, f"{error}", True, None
        except http.client.BadStatusLine:
            why = "its answer is no HTTP; is this its port for gRPC, and another (4318) for HTTP?"
            return None, why, False, None
        except (http.client.HTTPException, ValueError) as error:
            # Its words quote the URL or the header, where secrets may be.
            why = f"it cannot be asked ({type(error).__name__}): see its URL and headers"
            return None, why, False, None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that is sent on becomes a GET, which brings nothing and takes the keys along."""

    def redirect_request(self, *_: object) -> None:
        """Nowhere: the redirect counts as a refusal."""


def _tls(settings: Settings) -> ssl.SSLContext | None:
    urls = (settings.traces_url or "", settings.metrics_url or "")
    if not any(url.startswith("https:") for url in urls):
        return None
    try:
        return ssl.create_default_context(cafile=settings.certificate)
    except OSError as error:
        log.warning(
            "OTEL_EXPORTER_OTLP_CERTIFICATE names %r, which cannot be used (%s): only who this "
            "machine trusts may have signed a collector's certificate",
            settings.certificate, error,
        )  # fmt: skip
        return ssl.create_default_context()
