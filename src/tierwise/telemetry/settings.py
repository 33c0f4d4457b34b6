"""Where telemetry goes and how much of it: the configuration, then OpenTelemetry's variables.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import base64
import logging
import math
import os
import re
import socket
import urllib.parse
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TypeVar

from msgspec import Struct

from tierwise.config.keeping import TelemetryConfig

log = logging.getLogger("tierwise.telemetry")

_OTLP = "OTEL_EXPORTER_OTLP"
_PROTOCOL = "http/protobuf"
_RATIO = "traceidratio"
_Number = TypeVar("_Number", int, float)
_Headers = tuple[tuple[str, str], ...]


class Settings(Struct, frozen=True, kw_only=True):
    """All that sending needs. Times in seconds; a URL is None where nothing is to be sent.

    `queue` spans may wait to be sent, `batch` go out at once.
    """

    traces_url: str | None = None
    metrics_url: str | None = None
    traces_headers: _Headers = ()
    metrics_headers: _Headers = ()
    resource: tuple[tuple[str, str], ...] = ()
    sample: float = 1.0
    follow: bool = True
    content: bool = False
    older_names: bool = True
    timeout_s: float = 10.0
    gzip: bool = False
    certificate: str | None = None
    queue: int = 65_536
    batch: int = 4_096
    delay_s: float = 1.0
    interval_s: float = 60.0

    def __repr__(self) -> str:
        return f"Settings(traces_url={self.traces_url!r}, metrics_url={self.metrics_url!r})"


def settings_of(
    config: TelemetryConfig, environ: Mapping[str, str] | None = None
) -> Settings | None:
    """What is configured; None where nothing is sent."""
    env = os.environ if environ is None else environ
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    traces, traces_headers = _where("traces", config, env) if config.traces else (None, ())
    metrics, metrics_headers = _where("metrics", config, env) if config.metrics else (None, ())
    if traces is None and metrics is None:
        return None
    sample, follow = _sampling(config, env)
    return Settings(
        traces_url=traces,
        metrics_url=metrics,
        traces_headers=traces_headers,
        metrics_headers=metrics_headers,
        resource=_resource(config, env),
        sample=sample,
        follow=follow,
        content=config.content,
        older_names=config.older_names,
        timeout_s=_number(env, f"{_OTLP}_TIMEOUT", 10_000.0) / 1000,
        gzip=env.get(f"{_OTLP}_COMPRESSION", "") == "gzip",
        certificate=env.get(f"{_OTLP}_CERTIFICATE") or None,
        queue=_number(env, "OTEL_BSP_MAX_QUEUE_SIZE", 65_536),
        batch=_number(env, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 4_096),
        delay_s=_number(env, "OTEL_BSP_SCHEDULE_DELAY", 1000.0) / 1000,
        interval_s=_number(env, "OTEL_METRIC_EXPORT_INTERVAL", 60_000.0) / 1000,
    )


def _where(
    signal: str, config: TelemetryConfig, env: Mapping[str, str]
) -> tuple[str | None, _Headers]:
    """Where a signal is sent and with what headers. A name and a password in the URL become one of
    them, unless another is written: nobody who connects looks for them in a URL."""
    written = _url(signal, config, env)
    if written is None:
        return None, ()
    scheme, mark, rest = written.partition("://")
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    account, at, _ = place.rpartition("@")
    headers = _headers(signal, config, env)
    if at:
        credentials = urllib.parse.unquote(account).encode()
        headers.setdefault("authorization", f"Basic {base64.b64encode(credentials).decode()}")
    return f"{scheme}{mark}{rest[len(account) + len(at) :]}", tuple(headers.items())


def _url(signal: str, config: TelemetryConfig, env: Mapping[str, str]) -> str | None:
    """Where a signal is sent."""
    if config.otlp_endpoint is not None:
        return f"{config.otlp_endpoint.rstrip('/')}/v1/{signal}"
    if env.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp") != "otlp":
        return None
    own, base = env.get(f"{_OTLP}_{signal.upper()}_ENDPOINT"), env.get(f"{_OTLP}_ENDPOINT")
    url = own or (f"{base.rstrip('/')}/v1/{signal}" if base else None)
    if url is None:
        return None
    protocol = env.get(f"{_OTLP}_{signal.upper()}_PROTOCOL") or env.get(f"{_OTLP}_PROTOCOL")
    if (protocol or _PROTOCOL) != _PROTOCOL or not url.startswith(("http://", "https://")):
        log.warning(
            "no %s are sent to %s by %s: only %s is spoken here. Set `telemetry.otlp_endpoint`, or "
            "%s_PROTOCOL=%s and the collector's port for it (usually 4318).",
            signal, shown(url), protocol, _PROTOCOL, _OTLP, _PROTOCOL,
        )  # fmt: skip
        return None
    return url


def shown(url: str) -> str:
    """A URL without a password in it, even where one is written wrongly."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def _headers(signal: str, config: TelemetryConfig, env: Mapping[str, str]) -> dict[str, str]:
    written = env.get(f"{_OTLP}_{signal.upper()}_HEADERS") or env.get(f"{_OTLP}_HEADERS", "")
    found = {name.lower(): value for name, value in _pairs(written)}
    if config.otlp_endpoint is not None:
        found = {}  # keys of the collector that the variables name are none of another's business
    found.update({n.lower(): value.get_secret_value() for n, value in config.headers.items()})
    # Keys that come out of files often have a line break behind them.
    return {name: value.strip() for name, value in found.items()}


def _resource(config: TelemetryConfig, env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Who tells of all this, in OpenTelemetry's names."""
    found = dict(_pairs(env.get("OTEL_RESOURCE_ATTRIBUTES", "")))
    found.setdefault("service.version", version("tierwise"))
    found.setdefault("service.instance.id", f"{socket.gethostname()}:{os.getpid()}")
    found.setdefault("host.name", socket.gethostname())
    name = config.service_name or env.get("OTEL_SERVICE_NAME") or found.get("service.name")
    found["service.name"] = name or "tierwise"
    return tuple(found.items())


def _pairs(written: str) -> list[tuple[str, str]]:
    """`key=value,key=value`, percent-encoded."""
    halves = [one.partition("=") for one in written.split(",") if "=" in one]
    return [(key.strip(), urllib.parse.unquote(value.strip())) for key, _, value in halves]


def _sampling(config: TelemetryConfig, env: Mapping[str, str]) -> tuple[float, bool]:
    """The share of traces that are sent, and whether a caller who has one decides about it."""
    sampler = env.get("OTEL_TRACES_SAMPLER", "parentbased_always_on")
    follow = sampler.startswith("parentbased_")
    if config.sample is not None:
        return config.sample, follow
    kind = sampler.removeprefix("parentbased_")
    if kind == _RATIO:
        return min(1.0, _number(env, "OTEL_TRACES_SAMPLER_ARG", 1.0, none=True)), follow
    return (0.0 if kind == "always_off" else 1.0), follow


def _number(env: Mapping[str, str], name: str, default: _Number, *, none: bool = False) -> _Number:
    """A variable's number, which must be above 0, or may be 0 with `none`; else the default, and a
    word. Who waits for no time at all between two looks, or has no room, would do nothing else."""
    written = env.get(name, "").strip()
    if not written:
        return default
    read: Callable[[str], _Number] = type(default)
    try:
        value = read(written)
    except ValueError:
        value = read("-1")
    if 0 < value < math.inf or (none and value == 0):
        return value
    log.warning(
        "%s is %r and must be a number %s; %s is taken instead",
        name, written, "from 0 up" if none else "above 0", default,
    )  # fmt: skip
    return default
