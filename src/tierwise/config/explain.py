"""Pydantic's complaints in our words: the field, what is wrong, what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

import pydantic
from pydantic_core import ErrorDetails

from tierwise.config import dashboard, keeping, schema, serving
from tierwise.config.guarding import GuardrailConfig
from tierwise.errors import ConfigError

Path = tuple[str | int, ...]
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


_LISTS = ("models", "embeddings")
"""Where a provider's models are listed."""


def _in_listed_model(path: Path) -> bool:
    """Whether the fifth step is pydantic's label for one of the two ways to list a model."""
    return len(path) > 4 and path[0] == "providers" and path[2] in _LISTS


def _in_words(complaint: ErrorDetails, path: Path) -> ConfigError:
    message = complaint["msg"].removeprefix("Value error, ")
    message = message.removesuffix(" or instance of KeyConfig")  # a name of our code, not of theirs
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
        remedy = _remedy(path)
    return ConfigError(message, field=dotted(path), remedy=remedy)


def _remedy(path: Path) -> str:
    """What to write instead of a value that cannot be used."""
    if "limits" in path[:-1]:
        return "Give a number above 0, or leave it out: then there is no limit."
    if path[:2] == ("server", "api_keys") and len(path) <= 3:
        return 'Write a list of keys in quotes, or of mappings: ["...", {key: "...", name: batch}].'
    if path[-1] == "weight":
        return "Give a number above 0; to keep calls away, take the model out of the list."
    return "`tierwise init --schema` prints what may stand there."


def _fields_at(path: Path) -> list[str]:
    """The fields that may stand at a place, for suggestions."""
    sections: dict[str, type[pydantic.BaseModel]] = {
        "server": serving.ServerConfig,
        "ledger": keeping.LedgerConfig,
        "telemetry": keeping.TelemetryConfig,
        "dashboard": dashboard.DashboardConfig,
        "oidc": dashboard.OidcConfig,
        "cache": keeping.CacheConfig,
        "accounts": keeping.AccountsConfig,
        "state": keeping.StateConfig,
        "tls": serving.TlsConfig,
        "limits": serving.LimitsConfig,
        "router": schema.RouterConfig,
        "timeouts": schema.TimeoutsConfig,
        "prices": schema.PricesConfig,
        "tiers": schema.TierConfig,
    }
    section: type[pydantic.BaseModel] = schema.Config
    if path:
        names = [step for step in path if isinstance(step, str)]
        if names[-1] in sections:
            section = sections[names[-1]]
        elif len(names) >= 3 and names[0] == "providers" and names[-1] in _LISTS:
            section = schema.ServedModel
        elif names[0] == "providers":
            section = schema.ProviderConfig
        elif names[:2] == ["server", "api_keys"]:
            section = serving.KeyConfig
        elif names[0] == "models":
            section = schema.ModelConfig
        elif names[0] == "policies":
            section = schema.PolicyConfig
        elif names[0] == "guardrails":
            section = GuardrailConfig
    return sorted(section.model_fields)
