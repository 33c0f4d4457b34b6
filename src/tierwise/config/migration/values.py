"""Values of a LiteLLM configuration, which may be text, or stand in the environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

FROM_ENVIRONMENT = "os.environ/"


def plain(value: Any) -> dict[str, Any]:
    """A mapping with names for keys; an empty one where there is none."""
    return {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else {}


def as_reference(value: Any) -> str:
    """A text; what LiteLLM takes from the environment is taken from there here, too."""
    text = str(value)
    if text.startswith(FROM_ENVIRONMENT):
        return f"${{{text.removeprefix(FROM_ENVIRONMENT)}}}"
    return text


def number_of(value: Any) -> int | float | None:
    """A number, also where it is written as text: YAML takes `1e-6` and `"100"` for that."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
        value = int(value) if math.isfinite(value) and value.is_integer() else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def amount_of(value: Any) -> int | float | str | None:
    """A number above 0, or a reference to where it stands."""
    if isinstance(value, str) and value.startswith(FROM_ENVIRONMENT):
        return as_reference(value)
    number = number_of(value)
    return number if number is not None and number > 0 else None


def is_on(value: Any) -> bool:
    """Whether something is switched on, also where that is written as text."""
    return value is True or str(value).lower() == "true"


def says_nothing(value: Any) -> bool:
    """Whether a setting is as good as not there; 0 and false of a switch that is on are not."""
    return value is None or value is False or value in ([], {}, "")
