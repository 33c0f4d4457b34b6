"""Reads `tierwise.yaml`: references to the environment, checks, errors with line and remedy."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
import yaml
from pydantic_core import ErrorDetails

from tierwise.config.schema import Config
from tierwise.errors import ConfigError

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_SECRET = re.compile(r"key|headers|secret|token|password|url", re.IGNORECASE)
_PREFIX = "TIERWISE__"
_KEYS_VARIABLE = "TIERWISE_API_KEYS"

Lines = dict[tuple[str | int, ...], int]


def load(path: str | Path, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in a file.

    `${NAME}` and `${NAME:-default}` in any text are taken from the environment, and a variable
    such as `TIERWISE__SERVER__PORT=8080` overrides the field that its name spells.
    TIERWISE_API_KEYS adds keys for clients, separated by commas.

    Raises:
        ConfigError: with file, line, field and remedy.
    """
    env = os.environ if environ is None else environ
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration: {error.strerror or error}",
            file=str(file),
            remedy="Write one with `tierwise init`.",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(
            "not a text file in UTF-8", file=str(file), remedy="Save it as UTF-8."
        ) from None
    data, lines = _parse(text, str(file))
    return _check(data, env, file=str(file), lines=lines)


def from_mapping(data: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in a mapping of the same shape as the file."""
    return _check(dict(data), os.environ if environ is None else environ, file=None, lines={})


def _parse(text: str, file: str) -> tuple[dict[str, Any], Lines]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            f"not valid YAML: {getattr(error, 'problem', None) or error}",
            file=file,
            line=mark.line + 1 if mark else None,
            remedy="Check the indentation and the quotes there.",
        ) from None
    if not isinstance(data, dict):
        raise ConfigError(
            "the file must hold a mapping with `providers:`",
            file=file,
            remedy="Write one with `tierwise init`.",
        )
    lines: Lines = {}
    _number(node, (), lines)
    return data, lines


def _number(node: yaml.Node | None, path: tuple[str | int, ...], lines: Lines) -> None:
    """Notes the line of every key and item."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            lines[here] = key.start_mark.line + 1
            _number(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            here = (*path, index)
            lines[here] = item.start_mark.line + 1
            _number(item, here, lines)


def _check(
    data: dict[str, Any], env: Mapping[str, str], *, file: str | None, lines: Lines
) -> Config:
    data = _resolve(data, env, (), file, lines)
    # A section whose lines are all commented out is as good as none.
    data = {name: section for name, section in data.items() if section is not None}
    _override(data, env)
    try:
        return Config.model_validate(data)
    except pydantic.ValidationError as error:
        raise _explain(error, file, lines) from None


def _resolve(
    value: Any, env: Mapping[str, str], path: tuple[str | int, ...], file: Any, lines: Lines
) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _resolve(item, env, (*path, str(key)), file, lines)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_resolve(item, env, (*path, i), file, lines) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def lookup(match: re.Match[str]) -> str:
        found = env.get(match["name"], match["default"])
        if found is None:
            raise ConfigError(
                f"the environment variable {match['name']} is not set",
                field=_dotted(path),
                file=file,
                line=_line(path, lines),
                remedy=f"Set {match['name']}, or write ${{{match['name']}:-default}}.",
            )
        return found

    return _REFERENCE.sub(lookup, value)


def _override(data: dict[str, Any], env: Mapping[str, str]) -> None:
    keys = [key.strip() for key in env.get(_KEYS_VARIABLE, "").split(",") if key.strip()]
    if keys:
        server = data.setdefault("server", {})
        if isinstance(server, dict):
            written = server.get("api_keys") or []
            server["api_keys"] = [*written, *keys] if isinstance(written, list) else written
    for name, value in env.items():
        if not name.startswith(_PREFIX):
            continue
        *parents, last = name[len(_PREFIX) :].lower().split("__")
        place = data
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError(
                    f"{name} points into a field that has no fields of its own",
                    remedy="Check the name; parts are separated by two underscores.",
                )
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(
                f"the value of {name} is not valid YAML",
                remedy="Quote it as it would stand in the file.",
            ) from None
        # A key may be all digits and is text all the same.
        text = _is_secret((last,)) and not isinstance(parsed, (dict, list))
        place[last] = value if text else parsed


def _explain(error: pydantic.ValidationError, file: str | None, lines: Lines) -> ConfigError:
    """The first of pydantic's complaints, with its line and what to write instead."""
    first = _fullest(error.errors())
    path = tuple(p for p in first["loc"] if not _is_union_label(p))
    message = first["msg"].removeprefix("Value error, ")
    remedy = None
    if first["type"] == "extra_forbidden":
        message = f"unknown field {str(path[-1])!r}"
        known = _fields_at(path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Use any of: {', '.join(known)}."
    elif first["type"] == "missing":
        message = "missing"
        remedy = "Add it; `tierwise init --print` shows an example."
    else:
        shown = first.get("input")
        if isinstance(shown, (str, int, float, bool)) and not _is_secret(path):
            message += f" (got {shown!r})"
        remedy = "`tierwise init --schema` prints what may stand there."
    return ConfigError(
        message, field=_dotted(path), remedy=remedy, file=file, line=_line(path, lines)
    )


def _fullest(complaints: list[ErrorDetails]) -> ErrorDetails:
    """The first complaint; of a value that fits no member of a union, the one that says most."""
    first = complaints[0]
    if not first["loc"] or not _is_union_label(first["loc"][-1]):
        return first
    place = first["loc"][:-1]
    return [c for c in complaints if c["loc"][: len(place)] == place][-1]


def _is_secret(path: tuple[str | int, ...]) -> bool:
    return any(isinstance(step, str) and _SECRET.search(step) for step in path)


def _is_union_label(step: str | int) -> bool:
    return step in ("str", "ServedModel")


def _fields_at(path: tuple[str | int, ...]) -> list[str]:
    """The fields that may stand at a place, for suggestions."""
    from tierwise.config import schema

    sections: dict[str, type[pydantic.BaseModel]] = {
        "server": schema.ServerConfig,
        "ledger": schema.LedgerConfig,
        "timeouts": schema.TimeoutsConfig,
        "prices": schema.PricesConfig,
        "tiers": schema.TierConfig,
    }
    section: type[pydantic.BaseModel] = Config
    if path:
        names = [step for step in path if isinstance(step, str)]
        if names[-1] in sections:
            section = sections[names[-1]]
        elif len(names) >= 3 and names[0] == "providers" and names[-1] == "models":
            section = schema.ServedModel
        elif names[0] == "providers":
            section = schema.ProviderConfig
        elif names[0] == "models":
            section = schema.ModelConfig
        elif names[0] == "policies":
            section = schema.PolicyConfig
    return sorted(section.model_fields)


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(step) for step in path)


def _line(path: tuple[str | int, ...], lines: Lines) -> int | None:
    """The line of the nearest place that stands in the file."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None
