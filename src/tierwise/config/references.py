"""References in a configuration: to the environment, and to files such as mounted secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tierwise.config.explain import Path as Steps
from tierwise.config.explain import dotted, is_secret
from tierwise.errors import ConfigError

_REFERENCE = re.compile(
    r"\$\{(?:file:(?P<file>[^}:]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))(?::-(?P<default>[^}]*))?\}"
)
_ALIKE = re.compile(r"\$\{|^\$[A-Z_][A-Z0-9_]*$")
"""What somebody meant for a reference, such as `$NAME` or `${my-key}`."""
_LARGEST = 1024 * 1024
"""Bytes of a file that is referred to; a larger one is no secret but a mistake."""


class NoReference(ConfigError):
    """What looks like a reference, and is none."""


class References:
    """Replaces `${NAME}`, `${NAME:-default}`, `${file:PATH}` and `${file:PATH:-default}`.

    Those that lead nowhere stay as they are, and are noted in `unset` by where they stand. So is
    what was only meant for one: within another, or in the place of a secret.

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
        if _is_meant_for_one(value, path):
            self.unset[path] = NoReference(
                "this looks like a reference to the environment, and is none",
                field=dotted(path),
                remedy="Write ${NAME}, of letters, digits and _ alone, or ${file:PATH}, and no "
                "other within it. What really begins like that comes from a variable or a file.",
            )
            return value
        return _REFERENCE.sub(lambda found: self._lookup(found, path), value)

    def _lookup(self, match: re.Match[str], path: Steps) -> str:
        name, file, default = match["name"], match["file"], match["default"]
        if file is None:
            found = self._env.get(name)
            # It may be the copy of a file, and end like one.
            found = default if found is None else found.rstrip("\r\n")
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


def _is_meant_for_one(value: str, path: Steps) -> bool:
    if any("${" in (found["default"] or "") for found in _REFERENCE.finditer(value)):
        return True  # one within another, which is not looked up
    return is_secret(path) and bool(_ALIKE.search(_REFERENCE.sub("", value)))


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
