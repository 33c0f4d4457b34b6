"""The log: text or JSON, with the ids of the request in hand and without secrets."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec

from tierwise.config import Config
from tierwise.errors import ConfigError
from tierwise.providers.errors import redact
from tierwise.telemetry.in_hand import IN_HAND

Format = Literal["text", "json"]
VARIABLE = "TIERWISE_LOG_FORMAT"
_FORMATS: tuple[Format, ...] = ("text", "json")
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}
"""What every record of a log has; all else was said with `extra`."""


def log_format(config: Config, environ: Mapping[str, str] | None = None) -> Format:
    """What lines of the log are.

    Raises:
        ConfigError: the variable for it says something else.
    """
    written = (os.environ if environ is None else environ).get(VARIABLE)
    if not written:
        return config.server.log_format
    for known in _FORMATS:
        if written.strip().lower() == known:
            return known
    raise ConfigError(
        f"{VARIABLE} is {written!r}",
        field="server.log_format",
        remedy=f"Set it to one of: {', '.join(_FORMATS)}; or unset it.",
    )


def secrets_in(config: Config) -> tuple[str, ...]:
    """All that the configuration keeps secret, the longest first."""
    found: set[str] = set()
    _collect(config, found)
    return tuple(sorted(found, key=len, reverse=True))


def _collect(value: object, found: set[str]) -> None:
    if hasattr(value, "get_secret_value"):
        found.add(str(value.get_secret_value()))
    elif hasattr(value, "model_fields_set"):
        _collect(dict(value.__dict__), found)  # of a section of the configuration
    elif isinstance(value, Mapping):
        for one in value.values():
            _collect(one, found)
    elif isinstance(value, list | tuple):
        for one in value:
            _collect(one, found)


class TextLines(logging.Formatter):
    """The message, and the traceback below it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(message)s")
        self.secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """One entry, which has several lines where there is a traceback."""
        return redact(super().format(record), self.secrets)


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message, the ids of the request in hand, what was
    said with `extra`, and a traceback where there is one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self.secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage(), self.secrets),
        }
        held = IN_HAND.get()
        if held is not None:
            line.update(held.ids())
        for name, value in record.__dict__.items():
            if name not in _OWN:
                line.setdefault(name, redact(str(value), self.secrets))
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info), self.secrets)
        return msgspec.json.encode(line).decode()


def iso(at: float) -> str:
    """A Unix time as RFC 3339 has it, in UTC."""
    return _millisecond(int(at * 1000))


@lru_cache(maxsize=8)
def _millisecond(whole: int) -> str:
    seconds, milliseconds = divmod(whole, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=8)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def set_up(config: Config) -> Format:
    """From now on this process logs as configured, to stderr; returns the format.

    Raises:
        ConfigError: see `log_format`.
    """
    wanted = log_format(config)
    secrets = secrets_in(config)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(secrets) if wanted == "json" else TextLines(secrets))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    return wanted


def learn(config: Config) -> None:
    """The log hides the secrets of this configuration, too, from now on."""
    secrets = secrets_in(config)
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, TextLines | JsonLines):
            handler.formatter.secrets = tuple({*handler.formatter.secrets, *secrets})
