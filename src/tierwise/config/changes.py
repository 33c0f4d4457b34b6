"""What differs between two configurations, to be read in a log: secrets are never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from pydantic import SecretStr

from tierwise.config.explain import Path as Steps
from tierwise.config.explain import dotted
from tierwise.config.schema import Config

_MOST_SHOWN = 60
"""Characters of a value."""
_IN_A_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")
"""A name and a password. The log hides both only where the `@` was not cut off."""


class Change(Struct, frozen=True):
    """A field that is otherwise now; None where it is not written at all."""

    field: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.field}: {self.after}"
        if self.after is None:
            return f"- {self.field}: {self.before}"
        return f"~ {self.field}: {self.before} -> {self.after}"


def changes(before: Config, after: Config) -> list[Change]:
    """Every field that differs, in the order of the new configuration; first what is gone.

    Of a section that is new or gone only what is written is told, and no defaults.
    """
    old, new = _all(before), _all(after)
    left, came = _written(before) - new.keys(), _written(after) - old.keys()
    gone = [Change(dotted(path), _shown(old[path]), None) for path in old if path in left]
    return gone + [
        Change(dotted(path), _shown(old[path]) if path in old else None, _shown(value))
        for path, value in new.items()
        if path in came or (path in old and old[path] != value)
    ]


def _all(config: Config) -> dict[Steps, Any]:
    return dict(_leaves(config.model_dump(), ()))


def _written(config: Config) -> set[Steps]:
    return {path for path, _ in _leaves(config.model_dump(exclude_unset=True), ())}


def _leaves(value: Any, path: Steps) -> Iterator[tuple[Steps, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list) and any(isinstance(item, dict | SecretStr) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif value is not None:
        yield path, value


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "(secret)"
    text = _IN_A_URL.sub("(secret)", str(value))
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
