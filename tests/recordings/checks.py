"""Checks one recorded call: what is asked means the same, and every client reads the same answer."""

from __future__ import annotations

from collections.abc import Iterator

from builders import a_deployment
from recordings import meaning
from recordings.recorded import Interaction
from recordings.scope import Scope
from tierwise.config.presets import PRESETS
from tierwise.providers import Adapter, load_adapter

CLIENTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
"""The dialects of clients."""
CUTS = 3
"""How often a stream is cut anew."""


def problems(one: Interaction, scope: Scope) -> Iterator[str]:
    """What is wrong; nothing if all is well."""
    yield from _asking(one, scope)
    if one.status >= 300 or "json" not in one.headers.get("content-type", "json event"):
        yield from _refusing(one, scope)
        return
    expected = _expected(one, scope)
    for client in CLIENTS:
        if client == scope.dialect:
            task = _recorded_task(one, scope)
        else:
            task = _task(meaning.asked_by(client, one, scope))
        yield from (f"{client}: {problem}" for problem in _answering(one, scope, task, expected))


def adapter_for(one: Interaction, scope: Scope) -> Adapter:
    """What speaks to the provider of a recorded call."""
    root, _, model = _place(one, scope)
    quirks = PRESETS[scope.provider].quirks if scope.provider else frozenset[str]()
    deployment = a_deployment(
        dialect=scope.adapter, base_url=root, upstream_model=model, quirks=quirks, api_key="key"
    )
    return load_adapter(scope.adapter)(deployment)
