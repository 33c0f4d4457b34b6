"""A LiteLLM proxy's `config.yaml` as a configuration of Tierwise, and what of it has no place here.

What its fields mean: https://docs.litellm.ai/docs/proxy/configs and config_settings there. One of
its `model_name`s is a name that clients send, with one or more deployments behind it. Here clients
send a model's own name or that of a policy, so that a name of one's own becomes a policy with one
tier, and the others behind the same name its fallbacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tierwise.catalog import Catalog
from tierwise.config.migration.accounts import Accounts, plain
from tierwise.errors import ConfigError

_TAKEN_ELSEWHERE = frozenset(
    {"fallbacks", "default_fallbacks", "request_timeout", "timeout", "drop_params", "master_key"}
)
_WORDS = {
    "num_retries": "calls that fail go to the next deployment by themselves",
    "allowed_fails": "breakers count failures by themselves",
    "cooldown_time": "deployments rest for as long as their provider says",
    "routing_strategy": "calls are balanced by health, load and weight",
    "set_verbose": "the log says what matters",
    "store_model_in_db": "models stand in this file, and SIGHUP reads it again",
    "context_window_fallbacks": "a model with a larger window is chosen by itself",
}
"""What need not be configured here, and why."""


@dataclass
class Migrated:
    """`data` is of the shape of `tierwise.yaml`; `notes` are sentences about what is otherwise."""

    data: dict[str, Any]
    notes: list[str]


@dataclass
class _Group:
    """What stands behind one name that clients send: models, in the order of the file."""

    models: list[str] = field(default_factory=list)

    def add(self, model: str) -> None:
        if model not in self.models:
            self.models.append(model)


class _Migration:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.notes: list[str] = []
        self.accounts = Accounts(self.notes)
        self.groups: dict[str, _Group] = {}
        self.facts: dict[str, dict[str, Any]] = {}

    def deployment(self, entry: Mapping[str, Any], number: int) -> None:
        name, params = str(entry.get("model_name", "")), plain(entry.get("litellm_params"))
        info = plain(entry.get("model_info"))
        written = str(params.get("model", ""))
        if not name or not written:
            self.notes.append(f"model_list[{number}] names no model and was left out.")
            return
        if "*" in name or "*" in written:
            self.notes.append(
                f"{name}: there are no wildcards here; list the models that clients use."
            )
            return
        account = self.accounts.of(written, params)
        if account is None:
            return
        mode = str(info.get("mode") or ("embedding" if _gives_vectors(written) else "chat"))
        if mode not in ("chat", "completion", "responses", "embedding"):
            self.notes.append(
                f"{name}: calls for {mode} are passed through as they are; see docs/endpoints.md."
            )
            return
        upstream = account.upstream(written)
        model = self._known(upstream, account.catalog, name, info, local=account.local)
        account.serve(model, upstream, params, embedding=mode == "embedding")
        if mode != "embedding":
            self.groups.setdefault(name, _Group()).add(model)
        elif model != name:
            self.notes.append(f"{name}: for embeddings clients send {model!r} instead.")

    def _known(
        self, upstream: str, catalog: str, name: str, info: Mapping[str, Any], *, local: bool
    ) -> str:
        """The model's name here; where nobody knows it, the one that clients send."""
        base = str(info.get("base_model") or "").rpartition("/")[2]
        for word in filter(None, (base, upstream, name)):
            found = self.catalog.resolve(word, catalog)
            if found is not None:
                return found.id
        prices = {
            ours: round(float(info[theirs]) * 1e6, 6)
            for ours, theirs in (
                ("input", "input_cost_per_token"),
                ("output", "output_cost_per_token"),
            )
            if isinstance(info.get(theirs), int | float)
        }
        facts = self.facts.setdefault(name, {})
        if len(prices) == 2:
            facts["prices"] = prices
        elif not facts and not local:
            self.notes.append(
                f"{name}: its prices are not known. Add them under `models`, as "
                "`prices: {input: ..., output: ...}` in USD per million tokens."
            )
        if isinstance(info.get("max_input_tokens"), int):
            facts["context_window"] = info["max_input_tokens"]
        return name

    def policies(self, aliases: Mapping[str, Any], fallbacks: Mapping[str, list[str]]) -> Any:
        served = {model for group in self.groups.values() for model in group.models}
        groups = dict(self.groups)
        for alias, target in aliases.items():
            name = target.get("model") if isinstance(target, Mapping) else target
            if name in groups and alias not in groups:
                groups[alias] = groups[name]
                fallbacks = {alias: fallbacks.get(name, []), **fallbacks}
        made: dict[str, Any] = {}
        for name, group in groups.items():
            behind = [m for g in fallbacks.get(name, ()) for m in self._models_of(g)]
            first, *rest = group.models
            others = [m for m in dict.fromkeys([*rest, *behind]) if m != first]
            if name == first and not others:
                continue
            policy = name
            if name in served:
                policy = f"{name}-or-others"
                self.notes.append(
                    f"{name}: clients that send this name get this model or an error; with "
                    f"{policy!r} they get {', '.join(others) or first} where it fails."
                )
            elif rest:
                self.notes.append(
                    f"{name}: several models stood behind this name. {first} answers, and "
                    f"{', '.join(rest)} where it fails."
                )
            made[policy] = {"tiers": [{"model": first}], "reference": first}
            if others:
                made[policy]["fallbacks"] = others
        return made

    def _models_of(self, group: str) -> list[str]:
        if group not in self.groups:
            self.notes.append(f"the fallback {group!r} is no model_name of the file; left out.")
            return []
        return self.groups[group].models


def migrate(source: Any, catalog: Catalog) -> Migrated:
    """The configuration that does what a LiteLLM configuration does.

    Secrets that stand in it are not taken over: the environment is referred to, and a note says so.

    Args:
        source: the file's content.

    Raises:
        ConfigError: it is none, or no model of it can be served.
    """
    if not isinstance(source, Mapping) or not isinstance(source.get("model_list"), list):
        raise ConfigError(
            "this is no configuration of a LiteLLM proxy",
            field="model_list",
            remedy="Name its config.yaml, which has a `model_list`.",
        )
    work = _Migration(catalog)
    for number, entry in enumerate(source["model_list"]):
        work.deployment(plain(entry), number)
    if not work.accounts.used:
        raise ConfigError(
            "no model of it can be served: " + " ".join(work.notes).rstrip("."),
            field="model_list",
            remedy="Write one with `tierwise init`, and add your providers.",
        )
    general = plain(source.get("general_settings"))
    library, router = plain(source.get("litellm_settings")), plain(source.get("router_settings"))
    data: dict[str, Any] = {}
    key = general.get("master_key")
    if key:
        reference = work.accounts.secret(key, "TIERWISE_MASTER_KEY", "general_settings.master_key")
        data["server"] = {"api_keys": [{"key": reference, "name": "master", "admin": True}]}
    data["providers"] = work.accounts.written()
    if any(work.facts.values()):
        data["models"] = {name: facts for name, facts in work.facts.items() if facts}
    policies = work.policies(plain(router.get("model_group_alias")), _fallbacks(library, router))
    if library.get("drop_params"):
        for name in ("auto", "economy", "best", *policies):
            policies.setdefault(name, {})["drop_unsupported"] = True
    if policies:
        data["policies"] = policies
    total = library.get("request_timeout") or router.get("timeout")
    if isinstance(total, int | float) and total > 0:
        data["timeouts"] = {"total": min(float(total), 86_400.0)}
    work.notes += _left(source, library, router, general)
    return Migrated(data, list(dict.fromkeys(work.notes)))


def _gives_vectors(model: str) -> bool:
    """Whether a model is for embeddings by its name, where nothing says what it is for."""
    return "embed" in model or model.startswith("voyage/")


def _fallbacks(*sections: Mapping[str, Any]) -> dict[str, list[str]]:
    """Who stands in for each name; written as a list of mappings with one name each."""
    found: dict[str, list[str]] = {}
    for section in sections:
        for item in section.get("fallbacks") or ():
            for name, others in plain(item).items():
                if isinstance(others, list):
                    found.setdefault(str(name), []).extend(map(str, others))
    return found


def _left(source: Mapping[str, Any], *sections: Mapping[str, Any]) -> Iterator[str]:
    known = {"model_list", "litellm_settings", "router_settings", "general_settings"}
    for name in sorted(map(str, source.keys() - known)):
        yield f"`{name}` has no place here and was left out."
    for section in sections:
        for name in section.keys() - _TAKEN_ELSEWHERE - {"model_group_alias"}:
            if name in _WORDS:
                yield f"`{name}` was left out: {_WORDS[name]}."
            elif section[name] not in (None, False, [], {}):
                yield f"`{name}` was left out; look in the documentation for what is like it."
