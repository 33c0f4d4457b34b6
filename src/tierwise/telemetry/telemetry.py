"""Traces and metrics of all requests, by OpenTelemetry's protocol."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version

from tierwise.ledger import Aside, Told
from tierwise.telemetry.asides import AsideSpans
from tierwise.telemetry.context import Tracing
from tierwise.telemetry.export import Exporter
from tierwise.telemetry.metrics import GenAiMetrics
from tierwise.telemetry.places import Places
from tierwise.telemetry.settings import Settings
from tierwise.telemetry.spans import Spans
from tierwise.types import Deployment, Record, Trace


class Telemetry:
    """All of it, for one process: begins traces, and tells of what is over."""

    def __init__(self, settings: Settings, deployments: Iterable[Deployment]) -> None:
        self.settings = settings
        places = Places(deployments)
        self._tracing = None
        if settings.traces_url is not None:
            self._tracing = Tracing(settings.sample, follow=settings.follow)
        self._spans = Spans(places, content=settings.content)
        self._asides = AsideSpans(places)
        self._metrics = GenAiMetrics(places, time.time(), older=settings.older_names)
        self.exporter = Exporter(settings, self._metrics.encoded, version("tierwise"))

    def begin(
        self, headers: Mapping[bytes, bytes], given: Iterable[tuple[bytes, bytes]]
    ) -> Trace | None:
        """The trace of a request with these headers, and as they were given, where some may have
        come several times; None where no traces are sent."""
        return None if self._tracing is None else self._tracing.begin(headers, given)

    def observe(self, record: Record) -> None:
        """Tells of a request that is over; called by the ledger's thread."""
        if self.settings.metrics_url is not None:
            self._metrics.observe(record)
        trace = record.trace
        if trace is not None and trace.sampled and self._tracing is not None:
            self.exporter.add(self._spans.of(record, trace))

    def observe_aside(self, aside: Aside) -> None:
        """The same of one that was for no answer."""
        if self.settings.metrics_url is not None:
            self._metrics.observe_aside(aside)
        told = aside.told
        trace = told.trace if isinstance(told, Told) else None
        if trace is not None and trace.sampled and self._tracing is not None:
            assert isinstance(told, Told)  # noqa: S101 - it has the trace
            self.exporter.add(self._asides.of(aside, told, trace))

    def follow(self, deployments: Iterable[Deployment]) -> None:
        """Other deployments are configured from now on."""
        places = self._metrics.places = Places(deployments)
        self._spans = Spans(places, content=self.settings.content)
        self._asides = AsideSpans(places)

    def close(self) -> None:
        """Sends the rest."""
        self.exporter.close()
