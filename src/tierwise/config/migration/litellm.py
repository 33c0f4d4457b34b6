"""A LiteLLM proxy's `config.yaml` as a configuration of Tierwise, and what of it has no place here.

What its fields mean: https://docs.litellm.ai/docs/proxy/configs and config_settings there. One of
its `model_name`s is a name that clients send, with one or more deployments behind it. Here clients
send a model's own name or that of a policy, so that a name of one's own becomes a policy with one
tier, and the others behind the same name its fallbacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tierwise.catalog import Catalog
from tierwise.config.migration.accounts import Accounts
from tierwise.config.migration.facts import facts_of, prices_of
from tierwise.config.migration.left import LeftOfModels, left_sections, left_settings
from tierwise.config.migration.shared import cache_of, state_of, timeouts_of
from tierwise.config.migration.values import is_on, plain
from tierwise.errors import ConfigError

_BY_NAME = "litellm_credential_name"
_ANY = "*"
"""In `fallbacks`: whoever has none of its own."""


@dataclass
class Migrated:
    """`data` is of the shape of `tierwise.yaml`; `notes` are sentences about what is otherwise."""

    data: dict[str, Any]
    notes: list[str]


@dataclass
class _Group:
    """What stands behind one name that clients send, in the order of the file; `places` are the
    names of the accounts that serve it."""

    models: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    def add(self, model: str, place: str) -> None:
        if model not in self.models:
            self.models.append(model)
        if place not in self.places:
            self.places.append(place)


class _Migration:
    def __init__(self, catalog: Catalog, credentials: Mapping[str, dict[str, Any]]) -> None:
        self.credentials = credentials
        self.catalog = catalog
        self.notes: list[str] = []
        self.accounts = Accounts(self.notes)
        self.groups: dict[str, _Group] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.left = LeftOfModels()
        self.served: dict[str, set[str]] = {}

    def deployment(self, entry: Mapping[str, Any], number: int) -> None:
        name, params = str(entry.get("model_name") or ""), plain(entry.get("litellm_params"))
        info = plain(entry.get("model_info"))
        written = str(params.get("model") or "")
        params = {**self.credentials.get(str(params.get(_BY_NAME)), {}), **params}
        if params.get(_BY_NAME) in self.credentials:
            del params[_BY_NAME]
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
        self.left.note(name, params, info)
        upstream = account.upstream(written)
        prices = prices_of(params, info)
        model = self._known(upstream, account.catalog, name, info)
        if model is None:
            model = name
            self._unknown(name, info, priced=bool(prices), local=account.local)
        elif prices:
            self.notes.append(f"{name}: its prices count for all places that serve {model!r}.")
        if prices:
            self._price(model, prices)
        account.serve(model, upstream, params, embedding=mode == "embedding")
        if mode != "embedding":
            self.groups.setdefault(name, _Group()).add(model, account.name)
            self.served.setdefault(model, set()).add(account.name)
        elif model != name:
            self.notes.append(f"{name}: for embeddings clients send {model!r} instead.")

    def _known(self, upstream: str, catalog: str, name: str, info: Mapping[str, Any]) -> str | None:
        """The model's name here, None where nobody knows it."""
        base = str(info.get("base_model") or "").rpartition("/")[2]
        for word in filter(None, (base, upstream, name)):
            found = self.catalog.resolve(word, catalog)
            if found is not None:
                return found.id
        return None

    def _unknown(self, name: str, info: Mapping[str, Any], *, priced: bool, local: bool) -> None:
        """A model that nobody knows has the name that clients send, and the facts of the file."""
        facts = self.facts.setdefault(name, {})
        facts.update(facts_of(info))
        if local and facts and not priced:
            # Without facts it costs nothing anyway; what is written under `models` needs a price.
            facts.setdefault("prices", {"input": 0.0, "output": 0.0})
        elif not (local or priced or "prices" in facts):
            self.notes.append(
                f"{name}: its prices are not known. Add them under `models`, as "
                "`prices: {input: ..., output: ...}` in USD per million tokens."
            )

    def _price(self, model: str, prices: dict[str, float]) -> None:
        known = self.facts.setdefault(model, {}).setdefault("prices", prices)
        if known != prices:
            self.notes.append(
                f"{model}: its places have different prices; those that came first are taken."
            )

    def policies(self, aliases: Mapping[str, Any], fallbacks: Mapping[str, list[str]]) -> Any:
        groups = dict(self.groups)
        for alias, target in aliases.items():
            name = target.get("model") if isinstance(target, Mapping) else target
            if name in groups and alias not in groups:
                groups[alias] = groups[name]
                if name in fallbacks:
                    fallbacks = {alias: fallbacks[name], **fallbacks}
            elif name not in groups:
                self.notes.append(f"the alias {alias!r} is of no model_name; left out.")
        for name in fallbacks:
            if name not in groups and name != _ANY:
                self.notes.append(f"the fallbacks of {name!r} are of no model_name; left out.")
        made: dict[str, Any] = {}
        for name, group in groups.items():
            behind = self._groups_of(fallbacks.get(name, fallbacks.get(_ANY, ())))
            first, *rest = group.models
            others = [m for m in [*rest, *(m for g in behind for m in g.models)] if m != first]
            others = list(dict.fromkeys(others))
            # What the same model stood behind other names for is not this name's to go to.
            places = list(dict.fromkeys(p for g in (group, *behind) for p in g.places))
            elsewhere = set[str]().union(*(self.served[m] for m in (first, *others))) - {*places}
            if name == first and not others:
                if elsewhere:
                    self.notes.append(
                        f"{name}: is served by {', '.join(sorted(elsewhere))} too, as other names "
                        "were. Ask by a policy with `allow` to keep it where it was."
                    )
                continue
            policy = name
            if name in self.served:
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
            if elsewhere:
                made[policy]["allow"] = places
        return made

    def _groups_of(self, names: Iterable[str]) -> list[_Group]:
        for name in names:
            if name not in self.groups:
                self.notes.append(f"the fallback {name!r} is no model_name of the file; left out.")
        return [self.groups[name] for name in names if name in self.groups]


def migrate(source: Any, catalog: Catalog) -> Migrated:
    """The configuration that does what a LiteLLM configuration does.

    Secrets that stand in it are not taken over: the environment is referred to, and a note says so.

    Args:
        source: the file's content.

    Raises:
        ConfigError: it is none, or no model of it can be served.
    """
    _check(source)
    work = _Migration(catalog, _credentials(source))
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
    if is_on(library.get("drop_params")):
        for name in ("auto", "economy", "best", *policies):
            policies.setdefault(name, {})["drop_unsupported"] = True
    if policies:
        data["policies"] = policies
    data |= {
        name: section
        for name, section in (
            ("cache", cache_of(library, work.notes)),
            ("state", state_of(library, router, work.accounts.secret, work.notes)),
            ("timeouts", timeouts_of(library, router, work.notes)),
        )
        if section
    }
    work.notes += [
        *work.left.notes(),
        *left_sections(source),
        *left_settings(library, router, general),
    ]
    return Migrated(data, list(dict.fromkeys(work.notes)))


def _check(source: Any) -> None:
    """Raises `ConfigError` for what is no configuration of a LiteLLM proxy, or not all of it."""
    if isinstance(source, Mapping) and "include" in source and "model_list" not in source:
        raise ConfigError(
            "its models are in other files, and only one file is taken over",
            field="include",
            remedy="Put the `model_list` of those into this one.",
        )
    if not isinstance(source, Mapping) or not isinstance(source.get("model_list"), list):
        raise ConfigError(
            "this is no configuration of a LiteLLM proxy",
            field="model_list",
            remedy="Name its config.yaml, which has a `model_list`.",
        )


def _credentials(source: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What `credential_list` has for models that name one of it."""
    listed = source.get("credential_list")
    return {
        str(plain(one).get("credential_name")): plain(plain(one).get("credential_values"))
        for one in (listed if isinstance(listed, list) else ())
    }


def _gives_vectors(model: str) -> bool:
    """Whether a model is for embeddings by its name, where nothing says what it is for."""
    return "embed" in model or model.startswith("voyage/")


def _fallbacks(*sections: Mapping[str, Any]) -> dict[str, list[str]]:
    """Who stands in for each name; written as a list of mappings with one name each."""
    found: dict[str, list[str]] = {}
    for section in sections:
        listed = section.get("fallbacks") or ()
        for item in (listed,) if isinstance(listed, Mapping) else listed:
            for name, others in plain(item).items():
                if isinstance(others, list):
                    found.setdefault(str(name), []).extend(map(str, others))
        default = section.get("default_fallbacks")
        if isinstance(default, list):
            found.setdefault(_ANY, []).extend(map(str, default))
    return found
