"""Pydantic's complaints in our words: the field, what is wrong, what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pydantic
from pydantic_core import ErrorDetails

from tierwise.config.schema import Config
from tierwise.errors import ConfigError

Path = tuple[str | int, ...]
_OUR_NAME = re.compile(r" or instance of \w+$")
"""Of our code: nobody who writes a configuration knows it."""
_SECRET = re.compile(r"key|headers|secret|token|password|url|endpoint", re.IGNORECASE)


def explain(error: pydantic.ValidationError, section: Path = ()) -> Iterator[ConfigError]:
    """Each complaint about a section, with its field and remedy and without any secret."""
    for complaint in error.errors():
        path = (*section, *complaint["loc"])
        if _in_listed_model(path):
            if path[4] == "str":
                continue  # neither a name nor a mapping: the complaint about the latter says more
            path = (*path[:4], *path[5:])
        if path[:2] == ("server", "api_keys") and len(path) > 3:
            if path[3] != "KeyConfig":
                continue  # neither a key nor a mapping: as above
            path = (*path[:3], *path[4:])
        yield _in_words(complaint, path)


def dotted(path: Path) -> str:
    """How a field is written in messages."""
    return ".".join(str(step) for step in path)


def is_secret(path: Path) -> bool:
    """Whether a value may be none to show."""
    if "limits" in path[:-1]:
        return False
    return any(isinstance(step, str) and _SECRET.search(step) for step in path)


_MANY = (dict, list, type(None))
_LISTS = ("models", "embeddings")
"""Where a provider's models are listed."""


def _in_listed_model(path: Path) -> bool:
    """Whether the fifth step is pydantic's label for one of the two ways to list a model."""
    return len(path) > 4 and _lists_models(path)


def _lists_models(path: Path) -> bool:
    return len(path) > 2 and path[0] == "providers" and path[2] in _LISTS


def _in_words(complaint: ErrorDetails, path: Path) -> ConfigError:
    message = complaint["msg"].removeprefix("Value error, ")
    message = _OUR_NAME.sub("", message)
    if complaint["type"] == "extra_forbidden":
        message = f"unknown field {str(path[-1])!r}"
        known = _fields_at(path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Use any of: {', '.join(known)}."
    elif complaint["type"] == "missing":
        message = "missing"
        remedy = "Add it; `tierwise init --print` shows an example."
    else:
        shown = complaint.get("input")
        if isinstance(shown, (str, int, float, bool)) and not is_secret(path):
            message += f" (got {shown!r})"
        remedy = _remedy(path, complaint)
    return ConfigError(message, field=dotted(path), remedy=remedy)


def _remedy(path: Path, complaint: ErrorDetails) -> str:
    """What to write instead of a value that cannot be used."""
    if complaint["type"] == "string_type" and not isinstance(complaint["input"], _MANY):
        return "Put it in quotes: without, YAML takes it for something else than text."
    if "limits" in path[:-1]:
        return "Give a number above 0, or leave it out: then there is no limit."
    if path[:2] == ("server", "api_keys") and len(path) <= 3:
        return 'Write a list of keys in quotes, or of mappings: ["...", {key: "...", name: batch}].'
    if path[-1] == "tiers":
        return "List models in the order in which to ask them, or leave it out to have them chosen."
    if _lists_models(path) and len(path) == 4:
        return "Write a name, in quotes where it is a number or a date, or a mapping: {model: ...}."
    if path[-1] == "weight":
        return "Give a number above 0; to keep calls away, take the model out of the list."
    return "`tierwise init --schema` prints what may stand there."


def _fields_at(path: Path) -> list[str]:
    """The fields that may stand at a place, for suggestions."""
    shape: Any = Config
    for step in path:
        shape = _within(shape, step)
    return sorted(shape.model_fields)


def _within(shape: Any, step: str | int) -> Any:
    """What may stand at a step within a section, a list or a mapping of names."""
    if get_origin(shape) is None:
        shape = shape.model_fields[step].annotation
    else:
        shape = get_args(shape)[-1]
    if get_origin(shape) in (Union, UnionType):
        # Where a text may stand as well, nothing stands within it.
        (shape,) = (one for one in get_args(shape) if _has_parts(one))
    return shape


def _has_parts(shape: Any) -> bool:
    return get_origin(shape) in (list, dict) or (
        isinstance(shape, type) and issubclass(shape, pydantic.BaseModel)
    )
