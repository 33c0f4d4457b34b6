"""LiteLLM's cache, Redis and time limits as the sections `cache`, `state` and `timeouts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tierwise.config.migration.values import amount_of, as_reference, is_on, number_of, plain

Secret = Callable[[Any, str, str], str]
"""Makes a reference of a secret, given a variable for it and where it stood."""
_LONGEST_S = 31_536_000
_PORT = 6379
_REDIS = ("host", "port", "password", "url")


def cache_of(library: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The section `cache`, empty where nothing was kept."""
    if not is_on(library.get("cache")):
        return {}
    params = plain(library.get("cache_params"))
    found: dict[str, Any] = {"mode": "exact"}
    ttl = number_of(params.get("ttl"))
    if ttl is not None and 0 < ttl <= _LONGEST_S:
        found["ttl_s"] = ttl
    elif params.get("ttl") is not None:
        notes.append("`cache_params.ttl` is no number of seconds up to a year, and was left out.")
    if "semantic" in str(params.get("type")):
        notes.append(
            "`cache_params.type`: answers are given again to the same request only. For likeness "
            "write `cache.mode: semantic`, and choose `cache.similarity` by `tierwise likeness`."
        )
    others = sorted(params.keys() - {"type", "ttl", "ssl", *_REDIS})
    if others:
        notes.append(f"of `cache_params` {', '.join(others)} was left out; see docs/cache.md.")
    notes.append("the cache gives nobody what another key was answered; see docs/cache.md.")
    return found


def state_of(
    library: Mapping[str, Any], router: Mapping[str, Any], secret: Secret, notes: list[str]
) -> dict[str, Any]:
    """The section `state`, empty where there was no Redis: that of the router, else the cache's."""
    where, fields = "router_settings", {word: router.get(f"redis_{word}") for word in _REDIS}
    params = plain(library.get("cache_params")) if is_on(library.get("cache")) else {}
    of_cache = {word: params.get(word) for word in _REDIS}
    if not (fields["host"] or fields["url"]):
        where, fields = "cache_params", of_cache
    elif any(of_cache.values()) and of_cache["host"] != fields["host"]:
        notes.append("`state` is the Redis of `router_settings`; that of `cache_params` is left.")
    if not (fields["host"] or fields["url"]):
        return {}
    found: dict[str, Any] = {}
    if fields["url"]:
        # It may hold a password.
        found["url"] = secret(fields["url"], "REDIS_URL", f"the URL of Redis in {where}")
    else:
        port = as_reference(fields["port"] or _PORT)
        scheme = "rediss" if where == "cache_params" and is_on(params.get("ssl")) else "redis"
        found["url"] = f"{scheme}://{as_reference(fields['host'])}:{port}/0"
    if fields["password"]:
        where = f"the password of Redis in {where}"
        found["password"] = secret(fields["password"], "REDIS_PASSWORD", where)
    notes.append("`state` needs the extra `shared`: pip install 'tierwise[shared]'.")
    return found


def timeouts_of(
    library: Mapping[str, Any], router: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    """The section `timeouts`, empty where nothing was said of it."""
    written: list[tuple[str, float | str]] = []
    for name, value in (
        ("litellm_settings.request_timeout", library.get("request_timeout")),
        ("router_settings.timeout", router.get("timeout")),
    ):
        amount = amount_of(value)
        if amount is not None:
            written.append((name, amount if isinstance(amount, str) else min(amount, 86_400.0)))
        elif value is not None:
            notes.append(f"`{name}` is no number of seconds, and was left out.")
    if not written:
        return {}
    (name, total), *others = written
    if any(value != total for _, value in others):
        notes.append(f"`timeouts.total` is `{name}`; `{others[0][0]}` was left out.")
    return {"total": total if isinstance(total, str) else float(total)}
