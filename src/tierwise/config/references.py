"""References in a configuration: to the environment, and to files such as mounted secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tierwise.config.explain import Path as Steps
from tierwise.config.explain import dotted
from tierwise.errors import ConfigError

_REFERENCE = re.compile(
    r"\$\{(?:file:(?P<file>[^}:]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))(?::-(?P<default>[^}]*))?\}"
)
_LARGEST = 1024 * 1024
"""Bytes of a file that is referred to; a larger one is no secret but a mistake."""


class References:
    """Replaces `${NAME}`, `${NAME:-default}`, `${file:PATH}` and `${file:PATH:-default}`.

    Those that lead nowhere stay as they are, and are noted in `unset` by where they stand.

    Args:
        folder: where relative paths begin, which is where the configuration lies.
    """

    def __init__(self, env: Mapping[str, str], folder: Path | None = None) -> None:
        self._env = env
        self._folder = folder or Path()
        self.unset: dict[Steps, ConfigError] = {}

    def resolve(self, value: Any, path: Steps) -> Any:
        """The value with its references replaced; mappings and lists are gone through."""
        if isinstance(value, dict):
            return {str(key): self.resolve(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, (*path, i)) for i, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        return _REFERENCE.sub(lambda found: self._lookup(found, path), value)

    def _lookup(self, match: re.Match[str], path: Steps) -> str:
        name, file, default = match["name"], match["file"], match["default"]
        if file is None:
            found: str | None = self._env.get(name, default)
            problem = f"the environment variable {name} is not set"
            remedy = f"Set {name}, or write ${{{name}:-default}}."
        else:
            found, problem = _read(self._folder / file)
            if found is None:
                found = default
            remedy = f"Write it, or mount the secret there, or write ${{file:{file}:-default}}."
        if found is not None:
            return found
        self.unset[path] = ConfigError(problem, field=dotted(path), remedy=remedy)
        return match[0]


def _read(file: Path) -> tuple[str | None, str]:
    """What a file says, without the newline that editors end it with; or else what is wrong."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
    except OSError as error:
        return None, f"the file {file} cannot be read: {error.strerror or error}"
    if len(data) > _LARGEST:
        return None, f"the file {file} is larger than 1 MiB"
    try:
        return data.decode().rstrip("\r\n"), ""
    except UnicodeDecodeError:
        return None, f"the file {file} is not text in UTF-8"
