"""What can be made to go wrong at a provider: frozen values, checked when they are set."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from tierwise.errors import ConfigError
from tierwise.fleet.draw import draw

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Events = Annotated[int, Meta(ge=0, le=100_000)]


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing that goes wrong.

    `share` is the fraction of requests that it hits, drawn by seed and request number.
    `models` limits it to requests for models of these ids; empty means all.
    """

    share: Share = 1.0
    models: tuple[str, ...] = ()


class Slow(Fault, frozen=True, kw_only=True):
    """Latency times `factor`, and `seconds` more before the first byte."""

    factor: Annotated[float, Meta(ge=1, le=10_000)] = 1.0
    seconds: Seconds = 0.0


class RateLimit(Fault, frozen=True, kw_only=True):
    """429 for more than `requests` in `window_s` seconds; with 0 requests it is always 429.

    Every answer carries `x-ratelimit-*-requests`. A refused one says when to come back in
    `retry_after`: as seconds, as milliseconds (`retry-after-ms`), as a date, or not at all.
    `wait_s` is the delay that is asked for; None is the honest one.
    """

    requests: Annotated[int, Meta(ge=0)] = 0
    window_s: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    retry_after: Literal["seconds", "ms", "date", "none"] = "seconds"
    headers: bool = True
    wait_s: Seconds | None = None


class Errors(Fault, frozen=True, kw_only=True):
    """An error status instead of an answer, with the body that providers send with it."""

    status: Literal[400, 401, 402, 403, 404, 408, 429, 500, 502, 503, 504, 529] = 500


class Hang(Fault, frozen=True, kw_only=True):
    """The request is read and nothing more comes: before or after the answer's headers."""

    when: Literal["before_headers", "after_headers"] = "before_headers"


class Cut(Fault, frozen=True, kw_only=True):
    """The connection ends after so many events of a stream, or in the middle of a body.

    With `pause_s` it falls silent that long first. `reset` ends it with a TCP reset, which may
    also take away what the client has not read yet. A stream with fewer events stays whole.
    """

    after_events: Events = 3
    pause_s: Seconds = 0.0
    reset: bool = False


class Stall(Fault, frozen=True, kw_only=True):
    """A stream falls silent for good after so many events; the connection stays open."""

    after_events: Events = 3


class Garbage(Fault, frozen=True, kw_only=True):
    """An answer that is not one.

    `body` is status 200 with broken JSON, in a stream a broken event after `after_events` good
    ones; `html` is a web page with status 200; `bytes` is not even HTTP.
    """

    kind: Literal["body", "html", "bytes"] = "body"
    after_events: Events = 0


class ErrorEvent(Fault, frozen=True, kw_only=True):
    """A stream that began with 200 carries an error after so many events, and ends."""

    after_events: Events = 3


class CloseConnections(Fault, frozen=True, kw_only=True):
    """Keep-alive connections are closed under the client.

    `idle` closes right after an answer, without notice; `reuse` resets the connection when the
    next request comes over it.
    """

    when: Literal["idle", "reuse"] = "idle"


class Repeat(Fault, frozen=True, kw_only=True):
    """Asked to go on with an answer that was cut off, it says the last `words` words again."""

    words: Annotated[int, Meta(ge=1, le=1000)] = 5


class Faults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All that is wrong at one provider; the empty value is a healthy one.

    They combine. A request meets them in this order: `blackhole`, `close_connections` (reuse),
    `hang` (before headers), `garbage` (bytes), `errors`, `rate_limit`, `slow`, `garbage`, `hang`
    (after headers), `repeat`, `cut`, `stall`, `error_event`, `close_connections` (idle).

    `blackhole` accepts connections and never reads from them.
    """

    slow: Slow | None = None
    rate_limit: RateLimit | None = None
    errors: Errors | None = None
    hang: Hang | None = None
    cut: Cut | None = None
    stall: Stall | None = None
    garbage: Garbage | None = None
    error_event: ErrorEvent | None = None
    close_connections: CloseConnections | None = None
    repeat: Repeat | None = None
    blackhole: bool = False

    def hitting(self, model: str, *seed: object) -> Faults:
        """Those that hit one request, drawn by `seed`."""
        if self == HEALTHY:
            return self
        hit = {
            name: fault
            for name in _BY_FIELD
            if (fault := getattr(self, name)) is not None
            and (not fault.models or model in fault.models)
            and (fault.share >= 1 or draw("fault", name, *seed) < fault.share)
        }
        return Faults(**hit, blackhole=self.blackhole)

    def check_models(self, provider: str, models: Sequence[str]) -> None:
        """Raises `ConfigError` if a fault is limited to a model that is not among `models`."""
        for name in _BY_FIELD:
            fault = getattr(self, name)
            for model in fault.models if fault is not None else ():
                if model not in models:
                    near = difflib.get_close_matches(model, models) or models
                    raise ConfigError(
                        f"{provider} serves no model {model!r}",
                        field=f"faults.{name}.models",
                        remedy=f"Use one of: {', '.join(near)}.",
                    )


HEALTHY = Faults()
"""Nothing is wrong."""

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`")
_BY_FIELD: dict[str, type[Fault]] = {
    "slow": Slow,
    "rate_limit": RateLimit,
    "errors": Errors,
    "hang": Hang,
    "cut": Cut,
    "stall": Stall,
    "garbage": Garbage,
    "error_event": ErrorEvent,
    "close_connections": CloseConnections,
    "repeat": Repeat,
}


def read_faults(data: Faults | Mapping[str, Any] | bytes) -> Faults:
    """Faults from a mapping or from JSON; a `Faults` is checked for its ranges.

    Raises:
        ConfigError: an unknown field, with the nearest known ones, or a value out of range.
    """
    try:
        if isinstance(data, bytes):
            return msgspec.json.decode(data, type=Faults)
        return msgspec.convert(msgspec.to_builtins(data), Faults)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the faults are not valid JSON: {error}",
            remedy='Send an object such as {"errors": {"status": 503, "share": 0.3}}.',
        ) from None


def _explain(text: str) -> ConfigError:
    found = _PATH.search(text)
    path = found["path"] if found else ""
    text = _PATH.sub("", text)
    unknown = _UNKNOWN.match(text)
    if unknown is None:
        return ConfigError(text, field=f"faults.{path}" if path else "faults")
    fields = _BY_FIELD.get(path, Faults).__struct_fields__
    near = difflib.get_close_matches(unknown["name"], fields) or sorted(fields)
    return ConfigError(
        f"unknown field {unknown['name']!r}",
        field=f"faults.{path}" if path else "faults",
        remedy=f"Use one of: {', '.join(near)}.",
    )
