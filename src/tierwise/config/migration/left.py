"""What of a LiteLLM configuration is left out, each with what is like it here.

Nothing may go silently: whoever moves here would find out by an answer that is otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tierwise.config.migration.values import amount_of, number_of, says_nothing

_TAKEN_SECTIONS = {
    "model_list", "litellm_settings", "router_settings", "general_settings", "credential_list",
}  # fmt: skip
_TAKEN = frozenset(
    {
        "fallbacks", "default_fallbacks", "request_timeout", "timeout", "drop_params", "master_key",
        "model_group_alias", "cache", "cache_params", "redis_host", "redis_port",
        "redis_password", "redis_url",
    }
)  # fmt: skip
_CALLBACKS = "traces and metrics are `telemetry` here, and /metrics; see docs/observability.md"
_FAILING = "calls that fail go to the next deployment by themselves"
_WORDS = {
    "num_retries": _FAILING,
    "retry_policy": _FAILING,
    "allowed_fails": "breakers count failures by themselves",
    "allowed_fails_policy": "breakers count failures by themselves",
    "cooldown_time": "deployments rest for as long as their provider says",
    "routing_strategy": "calls are balanced by health, load and weight",
    "enable_pre_call_checks": "context windows are always looked at",
    "set_verbose": "the log says what matters",
    "json_logs": "`server.log_format: json` is like it",
    "store_model_in_db": "models stand in this file, and SIGHUP reads it again",
    "context_window_fallbacks": "a model with a larger window is chosen by itself",
    "content_policy_fallbacks": "the gate `refusal` of a policy hands on what is refused",
    "stream_timeout": "`timeouts.first_token` is like it",
    "callbacks": _CALLBACKS,
    "success_callback": _CALLBACKS,
    "failure_callback": _CALLBACKS,
    "database_url": "keys, teams and budgets are `accounts`, in the database of `ledger.url`",
    "max_parallel_requests": "`server.max_requests` is like it",
    "global_max_parallel_requests": "`server.max_requests` is like it",
    "max_budget": "`tierwise budgets set` is like it",
    "budget_duration": "`tierwise budgets set` is like it",
    "guardrails": "see docs/guardrails.md for what is like them",
    "include": "put what it names into this file, and take it over again",
    "ssl_verify": "certificates of providers are always looked at, by what the system trusts",
    "environment_variables": "set them where the gateway is started",
}
"""What need not be configured here, or is elsewhere."""

_DEFAULTS = "what callers do not say is the provider's choice"
_ROLE = "name a `profile` of ~/.aws/config that takes it under `aws`, or give it to the machine"
_ENTRA = "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, and no `api_key`"
_PARAMS_TAKEN = frozenset(
    {
        "model", "custom_llm_provider", "api_base", "api_version", "api_key", "rpm", "tpm",
        "max_parallel_requests", "weight", "region_name", "aws_region_name", "aws_profile_name",
        "vertex_project", "vertex_location", "aws_access_key_id", "aws_secret_access_key",
        "aws_session_token", "extra_headers", "organization", "input_cost_per_token",
        "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost",
    }
)  # fmt: skip
_PARAM_WORDS = {
    "timeout": "`timeouts.total` under a provider is like it",
    "stream_timeout": "`timeouts.first_token` under a provider is like it",
    "max_retries": _FAILING,
    "num_retries": _FAILING,
    "order": "`fallbacks` of a policy say who comes next",
    "drop_params": "`drop_unsupported` of a policy is like it",
    "temperature": _DEFAULTS,
    "top_p": _DEFAULTS,
    "max_tokens": _DEFAULTS,
    "aws_role_name": _ROLE,
    "aws_session_name": _ROLE,
    "aws_web_identity_token": _ROLE,
    "vertex_credentials": "set GOOGLE_APPLICATION_CREDENTIALS to it",
    "ssl_verify": "certificates of providers are always looked at, by what the system trusts",
    "tenant_id": _ENTRA,
    "client_id": _ENTRA,
    "client_secret": _ENTRA,
}
_MEANS_MUCH = frozenset({"ssl_verify"})
"""What says something by being false."""
_AMOUNTS = frozenset({"rpm", "tpm", "max_parallel_requests", "weight"})
_PRICES = frozenset(
    {
        "input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost",
        "cache_creation_input_token_cost",
    }
)  # fmt: skip
_INFO_TAKEN = frozenset(
    {
        "base_model", "mode", "input_cost_per_token", "output_cost_per_token",
        "cache_read_input_token_cost", "cache_creation_input_token_cost", "max_input_tokens",
        "max_output_tokens", "max_tokens", "supports_function_calling", "supports_vision",
        "supports_response_schema", "supports_reasoning", "id", "db_model", "description",
    }
)  # fmt: skip
"""The last three say nothing that an answer depends on."""


class LeftOfModels:
    """What was written with single models and has no place here, by its name."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[str]] = {}

    def note(self, name: str, params: Mapping[str, Any], info: Mapping[str, Any]) -> None:
        """Takes down what of a deployment of this name is left out; never a value."""
        for section, written, taken in (
            ("litellm_params", params, _PARAMS_TAKEN),
            ("model_info", info, _INFO_TAKEN),
        ):
            for word, value in written.items():
                unusable = word in _AMOUNTS and amount_of(value) is None and value is not None
                unread = word in _PRICES and number_of(value) is None and value is not None
                silent = says_nothing(value) and word not in _MEANS_MUCH
                if unusable or unread or (word not in taken and not silent):
                    names = self._found.setdefault((section, word), [])
                    if name not in names:
                        names.append(name)

    def notes(self) -> Iterator[str]:
        """A sentence about each."""
        for (section, word), names in self._found.items():
            whose = ", ".join(names)
            yield f"`{section}.{word}` of {whose} was left out{_why(_PARAM_WORDS, word)}."


def left_sections(source: Mapping[str, Any]) -> Iterator[str]:
    """A sentence about each section that is left out."""
    for name in sorted(map(str, source.keys() - _TAKEN_SECTIONS)):
        if name in _WORDS:
            yield f"`{name}` was left out: {_WORDS[name]}."
        else:
            yield f"`{name}` has no place here and was left out."


def left_settings(*sections: Mapping[str, Any]) -> Iterator[str]:
    """A sentence about each setting that is left out."""
    for section in sections:
        for name, value in section.items():
            silent = says_nothing(value) and name not in _WORDS and name not in _MEANS_MUCH
            if name not in _TAKEN and not silent:
                yield f"`{name}` was left out{_why(_WORDS, name)}."


def _why(words: Mapping[str, str], name: str) -> str:
    if name in words:
        return f": {words[name]}"
    return "; look in the documentation for what is like it"
