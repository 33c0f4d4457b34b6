"""First run without a config: which providers have a key here, which local servers answer."""

from __future__ import annotations

import concurrent.futures
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tierwise.config.presets import PRESETS, Preset

_PROBE_TIMEOUT_S = 0.3


@dataclass(frozen=True)
class Found:
    """What was found: providers as they would stand in the file, and where each came from."""

    providers: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def discover(environ: Mapping[str, str], *, probe_local: bool = True) -> Found:
    """Looks for API keys in the environment and for local servers on their usual ports.

    Keys become references to their variables, so that nothing secret gets into a file.
    """
    found = Found()
    for name, preset in PRESETS.items():
        variable = next((v for v in preset.key_variables if environ.get(v, "").strip()), None)
        if variable is not None and preset.offers:
            found.providers[name] = {
                "api_key": f"${{{variable}}}",
                "models": list(preset.offers),
            }
            found.sources[name] = variable
    if probe_local:
        for name, preset, models in _local_servers():
            found.providers[name] = {"base_url": preset.base_url, "models": models}
            found.sources[name] = preset.base_url
    return found


def _local_servers() -> list[tuple[str, Preset, list[Any]]]:
    local = [(name, preset) for name, preset in PRESETS.items() if preset.local]
    with concurrent.futures.ThreadPoolExecutor(len(local)) as pool:
        lists = pool.map(lambda item: _models_at(item[1].base_url), local)
    return [
        (name, preset, models)
        for (name, preset), models in zip(local, lists, strict=True)
        if models
    ]


def _models_at(base_url: str) -> list[Any]:
    """The models that a local server lists; empty if none answers."""
    # Loopback only, so proxies from the environment must not be asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{base_url}/models", timeout=_PROBE_TIMEOUT_S) as answer:
            listed = json.load(answer)
        names = [str(entry["id"]) for entry in listed["data"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [
        name if "/" not in name else {"model": name.rsplit("/", 1)[-1], "upstream": name}
        for name in names
    ]
