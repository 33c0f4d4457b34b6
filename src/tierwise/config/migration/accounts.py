"""Accounts at providers, gathered from deployments that each bring their own key and address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, count
from typing import Any

from tierwise.config.migration.values import FROM_ENVIRONMENT, amount_of, as_reference, plain
from tierwise.config.presets import PRESETS

_PREFIXES = {
    "openai": "openai",
    "text-completion-openai": "openai",
    "anthropic": "anthropic",
    "azure": "azure",
    "azure_ai": "azure",
    "gemini": "gemini",
    "vertex_ai": "vertex",
    "vertex_ai_beta": "vertex",
    "bedrock": "bedrock",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "mistral": "mistral",
    "groq": "groq",
    "deepseek": "deepseek",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "openrouter": "openrouter",
    "xai": "xai",
    "voyage": "voyage",
    "hosted_vllm": "vllm",
    "vllm": "vllm",
    "ollama": "ollama",
    "ollama_chat": "ollama",
    "lm_studio": "lmstudio",
    "custom_openai": "openai_compatible",
    "litellm_proxy": "openai_compatible",
}
"""LiteLLM's name of a provider, the part before the first slash, and ours."""
_BY_NAME = (("claude", "anthropic"), ("gemini", "gemini"), ("command", "cohere"))
_ROUTES = ("converse/", "invoke/", "responses/", "chat/")
"""What may stand between the provider's name and the model's, to choose an API."""
_KEYS_ELSEWHERE = ("bedrock", "vertex", "openai_compatible")
"""Providers that find keys by themselves, or need none."""
_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)


class Account:
    """One account or server, as a section of `providers`."""

    def __init__(self, name: str, preset: str, written: dict[str, Any]) -> None:
        self.name = name
        self.preset = preset
        self.written = written
        self.catalog = PRESETS[preset].catalog or preset
        self.local = PRESETS[preset].local
        self._models: dict[tuple[str, str, bool], dict[str, Any]] = {}

    def upstream(self, written: str) -> str:
        """The provider's name of a model that LiteLLM calls by this one."""
        head, slash, rest = written.partition("/")
        name = rest if slash and head in _PREFIXES else written
        for route in _ROUTES:
            name = name.removeprefix(route)
        return name

    def serve(
        self, model: str, upstream: str, params: Mapping[str, Any], *, embedding: bool
    ) -> None:
        """Adds a model, once, with its limits and its weight."""
        item: dict[str, Any] = {"model": model}
        if upstream != model:
            item["upstream"] = upstream
        limits = {
            ours: amount
            for ours, theirs in (
                ("rpm", "rpm"),
                ("tpm", "tpm"),
                ("concurrency", "max_parallel_requests"),
            )
            if (amount := amount_of(params.get(theirs))) is not None
        }
        if limits:
            item["limits"] = limits
        if (weight := amount_of(params.get("weight"))) is not None:
            item["weight"] = weight
        self._models.setdefault((model, upstream, embedding), item)

    def section(self) -> dict[str, Any]:
        """As it stands in the file."""
        found: dict[str, Any] = dict(self.written)
        for name, wanted in (("models", False), ("embeddings", True)):
            listed = [
                item if len(item) > 1 else item["model"]
                for (_, _, embedding), item in self._models.items()
                if embedding is wanted
            ]
            if listed:
                found[name] = listed
        return found


class Accounts:
    """All of them; those of the same provider with other keys or addresses are told apart."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self._found: dict[str, Account] = {}
        self._variables: dict[str, str] = {}

    @property
    def used(self) -> bool:
        """Whether there is any."""
        return bool(self._found)

    def of(self, written: str, params: Mapping[str, Any]) -> Account | None:
        """The account that a deployment is of, None if its provider is unknown here."""
        preset = self._preset(written, params)
        if preset is None:
            self._notes.append(
                f"{written}: its provider is not known here. If it speaks OpenAI's API, add it "
                "with `preset: openai_compatible` and its `base_url`."
            )
            return None
        section = self._section(preset, params)
        number = 1
        while True:
            name = preset if number == 1 else f"{preset}-{number}"
            known = self._found.get(name)
            wanted = section if name in PRESETS else {"preset": preset, **section}
            if known is None:
                self._found[name] = known = Account(name, preset, wanted)
            if known.written == wanted:
                return known
            number += 1

    def secret(self, value: Any, variable: str, where: str) -> str:
        """A reference to the environment; a secret that stood in the file stays there."""
        text = str(value)
        if text.startswith(FROM_ENVIRONMENT):
            return as_reference(text)
        names = chain([variable], (f"{variable}_{number}" for number in count(2)))
        # Two keys of one provider need two variables.
        free = next(name for name in names if self._variables.setdefault(name, text) == text)
        self._notes.append(
            f"{where} stood in the file as it is, and was not taken over: set {free} to it."
        )
        return f"${{{free}}}"

    def written(self) -> dict[str, Any]:
        """The section `providers`."""
        return {name: account.section() for name, account in self._found.items()}

    def _preset(self, written: str, params: Mapping[str, Any]) -> str | None:
        head, slash, _ = written.partition("/")
        if "custom_llm_provider" in params:
            head, slash = str(params["custom_llm_provider"]), "/"
        if slash:
            found = _PREFIXES.get(head)
            # Their way to name any server that speaks OpenAI's API.
            if found == "openai" and params.get("api_base"):
                return "openai_compatible"
            return found
        near = (ours for word, ours in _BY_NAME if word in written.lower())
        return "openai_compatible" if params.get("api_base") else next(near, "openai")

    def _section(self, preset: str, params: Mapping[str, Any]) -> dict[str, Any]:
        section: dict[str, Any] = {}
        base, version = params.get("api_base"), params.get("api_version")
        if base:
            url = as_reference(base)
            section["base_url"] = f"{url}?api-version={as_reference(version)}" if version else url
        key = params.get("api_key")
        if key and str(key).lower() not in ("none", "dummy", "empty"):
            section["api_key"] = self.secret(key, _key_variable(preset), f"the key of {preset}")
        elif not key and not PRESETS[preset].local and preset not in _KEYS_ELSEWHERE:
            section["api_key"] = f"${{{_key_variable(preset)}}}"
        region = params.get("aws_region_name") or params.get("region_name")
        if region:
            section["region"] = as_reference(region)
        for ours, theirs in (("project", "vertex_project"), ("location", "vertex_location")):
            if preset == "vertex" and params.get(theirs):
                section[ours] = as_reference(params[theirs])
        if preset == "bedrock" and params.get("aws_access_key_id"):
            section["aws"] = {
                name: self.secret(params[theirs], theirs.upper(), f"`{theirs}`")
                for name, theirs in (
                    ("access_key_id", "aws_access_key_id"),
                    ("secret_access_key", "aws_secret_access_key"),
                    ("session_token", "aws_session_token"),
                )
                if params.get(theirs)
            }
            section.pop("api_key", None)
        elif preset == "bedrock" and params.get("aws_profile_name"):
            section["aws"] = {"profile": as_reference(params["aws_profile_name"])}
        headers = plain(params.get("extra_headers"))
        if params.get("organization"):
            headers["openai-organization"] = params["organization"]
        if headers:
            section["headers"] = {
                name: self.secret(value, _variable(name), f"the header {name}")
                if _SECRET_HEADER.search(name)
                else as_reference(value)
                for name, value in headers.items()
            }
        return section


def _key_variable(preset: str) -> str:
    return next(iter(PRESETS[preset].key_variables), f"{_variable(preset)}_API_KEY")


def _variable(name: str) -> str:
    return re.sub(r"\W+", "_", name).upper()
