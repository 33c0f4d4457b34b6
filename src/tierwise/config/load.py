"""Reads `tierwise.yaml`: references to the environment, checks, errors with line and remedy."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from tierwise.config.explain import Path as Steps
from tierwise.config.explain import dotted, explain, is_secret
from tierwise.config.keeping import LedgerConfig
from tierwise.config.mistakes import Mistakes
from tierwise.config.origin import Origin
from tierwise.config.reading import data_of
from tierwise.config.references import NoReference, References
from tierwise.config.schema import Config
from tierwise.errors import ConfigError

_PREFIX = "TIERWISE__"
_KEYS_VARIABLE = "TIERWISE_API_KEYS"
_QUOTES = "Check the indentation and the quotes there."
_TABS = "Indent with spaces: YAML takes no tabs."
_NO_NAMES = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:null")
"""What YAML makes of names such as `off`, `yes` and `null` that stand without quotes."""
_MOST_FIELDS = 100_000
"""Of a file, aliases written out: a few lines of them can stand for more than any machine holds."""

Section = TypeVar("Section", bound=pydantic.BaseModel)


def load(
    path: str | Path, environ: Mapping[str, str] | None = None, *, needs_keys: bool = True
) -> Config:
    """The configuration in a file.

    `${NAME}` and `${NAME:-default}` in any text are taken from the environment, `${file:PATH}` is
    what a file says, such as a mounted secret, and a variable such as
    `TIERWISE__SERVER__PORT=8080` overrides the field that its name spells.
    TIERWISE_API_KEYS adds keys for clients, separated by commas.

    Args:
        needs_keys: without, a key whose variable is not set is no error; `origin.unset` of the
            configuration lists them, and the reference stands in the key's place.

    Raises:
        ConfigError: with file, line, field and remedy.
    """
    data, origin = _read(Path(path))
    return _check(data, os.environ if environ is None else environ, origin, needs_keys)


def load_ledger(path: str | Path | None, environ: Mapping[str, str] | None = None) -> LedgerConfig:
    """The `ledger` section of a file, whatever values the others hold or lack.

    Without a file it is what the environment says, and the defaults.

    Raises:
        ConfigError: with file, line, field and remedy.
    """
    env = os.environ if environ is None else environ
    data, origin = _read(Path(path)) if path is not None else ({}, Origin())
    ours = {n: v for n, v in env.items() if f"{n}__".startswith(f"{_PREFIX}LEDGER__")}
    settled, origin, unset = _settle({"ledger": data.get("ledger")}, ours, env, origin)
    return _validate(
        LedgerConfig, settled.get("ledger", {}), origin, unset.values(), section=("ledger",)
    )


def from_mapping(data: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in a mapping of the same shape as the file."""
    return _check(dict(data), os.environ if environ is None else environ, Origin(), True)


def _read(file: Path) -> tuple[dict[str, Any], Origin]:
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
    return _parse(text, str(file))


def _parse(text: str, file: str) -> tuple[dict[str, Any], Origin]:
    lines: dict[str, int] = {}
    mistakes = Mistakes(Origin(file))
    try:
        # First what it is made of, since aliases are written out where it is read.
        _number(yaml.compose(text, Loader=yaml.SafeLoader), (), lines, mistakes)
        data = data_of(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            f"not valid YAML: {getattr(error, 'problem', None) or error}",
            file=file,
            line=mark.line + 1 if mark else None,
            remedy=_TABS if "'\\t'" in str(error) else _QUOTES,
        ) from None
    if not isinstance(data, dict):
        raise ConfigError(
            "the file must hold a mapping with `providers:`",
            file=file,
            remedy="Write one with `tierwise init`.",
        )
    mistakes.raise_any()
    return data, Origin(file, lines)


def _number(
    node: yaml.Node | None,
    path: Steps,
    lines: dict[str, int],
    mistakes: Mistakes,
    above: tuple[yaml.Node, ...] = (),
) -> None:
    """Notes the line of every key and item, and keys that stand twice.

    YAML's own reader keeps the last of two without a word.

    Raises:
        ConfigError: there are too many.
    """
    if len(lines) > _MOST_FIELDS:
        raise ConfigError(
            f"the file has more than {_MOST_FIELDS:,} fields, with its aliases written out",
            file=mistakes.file,
            remedy="Take out aliases that stand for others.",
        )
    if any(node is one for one in above):
        mistakes.add(
            ConfigError("the alias refers to what it stands in", remedy="Write it out."),
            at=dotted(path),
        )
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            here = (*path, name)
            if name in first:
                mistakes.add(_twice(here, line, first[name], mistakes.file))
                continue
            first[name] = lines[dotted(here)] = line
            if key.tag in _NO_NAMES:
                mistakes.add(_no_name(here, line, mistakes.file))
            _number(value, here, lines, mistakes, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            here = (*path, index)
            lines[dotted(here)] = item.start_mark.line + 1
            _number(item, here, lines, mistakes, (*above, node))


def _no_name(path: Steps, line: int, file: str | None) -> ConfigError:
    return ConfigError(
        f"YAML takes the name {str(path[-1])!r} for something else than text",
        field=dotted(path),
        remedy="Put it in quotes.",
        file=file,
        line=line,
    )


def _twice(path: Steps, line: int, first: int, file: str | None) -> ConfigError:
    return ConfigError(
        f"{str(path[-1])!r} stands here already, in line {first}",
        field=dotted(path),
        remedy="Join the two, or rename one.",
        file=file,
        line=line,
    )


def _check(
    data: dict[str, Any], env: Mapping[str, str], origin: Origin, needs_keys: bool
) -> Config:
    settled, origin, unset = _settle(data, env, env, origin)
    known = {path for path, error in unset.items() if not isinstance(error, NoReference)}
    tolerated = [] if needs_keys else [path for path in unset if path in known and _is_key(path)]
    spared = tuple(origin.place(unset.pop(path)) for path in tolerated)
    config = _validate(Config, settled, origin, unset.values())
    return config.with_origin(replace(origin, unset=spared))


def _settle(
    data: dict[str, Any],
    overrides: Mapping[str, str],
    env: Mapping[str, str],
    origin: Origin,
) -> tuple[dict[str, Any], Origin, dict[Steps, ConfigError]]:
    """The data with everything from the environment, and the references that lead nowhere."""
    references = References(env, Path(origin.file).parent if origin.file is not None else None)
    settled = {str(name): references.resolve(s, (str(name),)) for name, s in data.items()}
    # A section whose lines are all commented out is as good as none.
    settled = {name: section for name, section in settled.items() if section is not None}
    variables: dict[str, str] = {}
    _override(settled, overrides, variables)
    origin = replace(origin, variables=variables)
    unset = {p: e for p, e in references.unset.items() if dotted(p) not in variables}
    return settled, origin, unset


def _validate(
    shape: type[Section],
    data: Any,
    origin: Origin,
    unset: Collection[ConfigError],
    section: Steps = (),
) -> Section:
    """The data as what it should be, if nothing is wrong with it."""
    mistakes = Mistakes(origin)
    for error in unset:
        mistakes.add(error)
    # The text of such a reference may be wrong in its place too, and nothing can be done there.
    told = {error.field for error in unset}
    checked: Section | None = None
    try:
        checked = shape.model_validate(data)
    except pydantic.ValidationError as invalid:
        for error in explain(invalid, section):
            if error.field not in told:
                mistakes.add(error)
    mistakes.raise_any()
    assert checked is not None  # noqa: S101
    return checked


def _is_key(path: Steps) -> bool:
    """Whether a key stands there, of a provider or of a client."""
    if path[0] == "providers":
        return path[2:3] in (("api_key",), ("headers",))
    return path[:2] == ("server", "api_keys")


def _override(data: dict[str, Any], env: Mapping[str, str], variables: dict[str, str]) -> None:
    """Sets what the environment sets, and notes which variable did."""
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
        for depth, parent in enumerate(parents, start=1):
            if parent not in place:
                place[parent] = {}
                variables[dotted(tuple(parents[:depth]))] = name
            place = place[parent]
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
        text = is_secret((last,)) and not isinstance(parsed, (dict, list))
        place[last] = value if text else parsed
        variables[dotted((*parents, last))] = name
