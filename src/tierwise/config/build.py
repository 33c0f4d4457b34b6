"""Config -> the values that requests run on: models, deployments, policies."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tierwise.catalog import Catalog, ModelOverride
from tierwise.config.certified import Certified, under_certificate
from tierwise.config.clients import limits_of, share_of
from tierwise.config.dashboard import OidcConfig
from tierwise.config.mistakes import Mistakes
from tierwise.config.places import Place, place_of
from tierwise.config.presets import PRESETS, Preset
from tierwise.config.schema import (
    AwsConfig,
    Config,
    ModelConfig,
    PolicyConfig,
    ProviderConfig,
    ServedModel,
    TimeoutsConfig,
)
from tierwise.errors import ConfigError
from tierwise.types import Aws, Deployment, Model, Policy, Prices, Tier, Timeouts, Weights

DEFAULT_POLICIES: dict[str, PolicyConfig] = {
    "auto": PolicyConfig(quality=0.95),
    "economy": PolicyConfig(quality=0.8),
    "best": PolicyConfig(quality=1.0),
}
"""Policies that exist without being written down; the file may change them."""


@dataclass(frozen=True)
class Setup:
    """What is configured, ready to be used.

    `models` holds every model that has a deployment; `deployments` lists those by model id.
    `certificates` are those of the policies that have one. `embeddings` are the deployments of
    models that give vectors, by model id; they answer nothing else.
    """

    catalog: Catalog
    models: Mapping[str, Model]
    deployments: Mapping[str, tuple[Deployment, ...]]
    policies: Mapping[str, Policy]
    certificates: Mapping[str, Certified] = field(default_factory=dict)
    embeddings: Mapping[str, tuple[Deployment, ...]] = field(default_factory=dict)

    def everywhere(self) -> list[Deployment]:
        """Every deployment of every model, those that give vectors among them."""
        vectors = [deployment for group in self.embeddings.values() for deployment in group]
        return [*self.all_deployments(), *vectors]

    def all_deployments(self) -> list[Deployment]:
        """Every deployment of every model that answers."""
        return [deployment for group in self.deployments.values() for deployment in group]

    def share(self, workers: int) -> Setup:
        """The same for one of several workers: each has its part of the deployments' limits."""

        def part(groups: Mapping[str, tuple[Deployment, ...]]) -> dict[str, tuple[Deployment, ...]]:
            return {
                model: tuple(
                    msgspec.structs.replace(d, limits=share_of(d.limits, workers)) for d in group
                )
                for model, group in groups.items()
            }

        return replace(self, deployments=part(self.deployments), embeddings=part(self.embeddings))


def build(config: Config, *, certificates: bool = True) -> Setup:
    """Resolves names, prices and defaults.

    Args:
        certificates: without, none is read: for those who are about to make one.

    Raises:
        ConfigError: a model without prices, an unknown name in a policy, a provider without URL, a
            certificate that does not fit its policy.
    """
    mistakes = Mistakes(config.origin)
    catalog = Catalog.builtin()
    for name, facts in config.models.items():
        with mistakes.noted():
            catalog = catalog.with_models({name: _override(facts)})
    mistakes.raise_any()
    deployments: dict[str, list[Deployment]] = {}
    models: dict[str, Model] = {}
    fields: dict[str, str] = {}
    for name, provider in config.providers.items():
        with mistakes.noted():
            preset = _preset(name, provider)
            place = place_of(name, provider, preset)
            for index, served in enumerate(provider.models):
                field = f"providers.{name}.models.{index}"
                item = ServedModel(model=served) if isinstance(served, str) else served
                with mistakes.noted(at=field):
                    model, deployment = _deploy(
                        name, provider, preset, place, item, catalog, config
                    )
                    group = deployments.setdefault(model.id, [])
                    _no_twin(deployment, group)
                    group.append(deployment)
                    models[model.id] = model
                    fields.setdefault(model.id, field)
    _check_passed_through(config, mistakes)
    mistakes.raise_any()
    for model_id, group in deployments.items():
        cheapest = min(group, key=lambda d: d.prices.input + d.prices.output)
        models[model_id] = msgspec.structs.replace(models[model_id], prices=cheapest.prices)
    policies = {**DEFAULT_POLICIES, **config.policies}
    for name, policy in policies.items():
        if name in models:
            mine = name in config.policies
            mistakes.add(_clash(name), at=f"policies.{name}" if mine else fields[name])
        _check_names(name, policy, deployments, set(config.providers), mistakes)
        _check_guardrails(name, policy, config.guardrails.keys(), mistakes)
    mistakes.raise_any()
    ready = {name: policy_of(name, policy) for name, policy in policies.items()}
    held = _certificates(config, ready, models, mistakes) if certificates else {}
    embeddings = _embeddings(config, catalog, deployments)
    _check_login(config.dashboard.oidc, {*models, *embeddings}, ready, mistakes)
    mistakes.raise_any()
    return Setup(
        catalog=catalog,
        models=models,
        deployments={model: tuple(group) for model, group in deployments.items()},
        policies=ready,
        certificates=held,
        embeddings=embeddings,
    )


def _embeddings(
    config: Config, catalog: Catalog, answering: Collection[str]
) -> dict[str, tuple[Deployment, ...]]:
    """The deployments of models that give vectors.

    Raises:
        ConfigError: one has no price, is listed twice, or answers as well.
    """
    mistakes = Mistakes(config.origin)
    found: dict[str, list[Deployment]] = {}
    for name, provider in config.providers.items():
        for index, served in enumerate(provider.embeddings):
            item = ServedModel(model=served) if isinstance(served, str) else served
            with mistakes.noted(at=f"providers.{name}.embeddings.{index}"):
                preset = _preset(name, provider)
                place = place_of(name, provider, preset)
                _, deployment = _deploy(name, provider, preset, place, item, catalog, config)
                if deployment.model in answering:
                    raise ConfigError(
                        f"{deployment.model!r} is listed under `models` as well",
                        remedy="List it under one of them: a model answers or gives vectors.",
                    )
                group = found.setdefault(deployment.model, [])
                _no_twin(deployment, group)
                group.append(deployment)
    mistakes.raise_any()
    return {model: tuple(group) for model, group in found.items()}


def _certificates(
    config: Config, policies: dict[str, Policy], models: Collection[str], mistakes: Mistakes
) -> dict[str, Certified]:
    """The policies' certificates; each policy gets the tiers that its certificate is for."""
    found: dict[str, Certified] = {}
    artifact = config.router.file
    for name, policy in config.policies.items():
        if policy.certificate is None:
            continue
        at = f"policies.{name}.certificate"
        with mistakes.noted():
            try:
                policies[name], found[name] = under_certificate(
                    policies[name], Path(policy.certificate), policy.on_void, artifact
                )
            except ConfigError as error:
                if error.field is None:  # it is about the file, which the field names
                    raise _of_file(error, at) from error
                raise
        with mistakes.noted(at=at):
            for tier in policies[name].tiers:
                _must_know(tier.model, models)
    return found


def _of_file(error: ConfigError, at: str) -> ConfigError:
    """The error of a certificate's file, as one of the field that names it."""
    return ConfigError(f"{error.file}: {error.message}", field=at, remedy=error.remedy)


def _override(model: ModelConfig) -> ModelOverride:
    values = model.model_dump(exclude_none=True)
    if "prices" in values:
        values["prices"] = Prices(**values["prices"])
    for many in ("capabilities", "specialises"):
        if many in values:
            values[many] = frozenset(values[many])
    return ModelOverride(**values)


def _preset(name: str, provider: ProviderConfig) -> Preset:
    wanted = provider.preset or (name if name in PRESETS else None)
    if wanted is None:
        wanted = "openai_compatible"
    preset = PRESETS.get(wanted)
    if preset is None:
        near = difflib.get_close_matches(wanted, PRESETS) or sorted(PRESETS)
        raise ConfigError(
            f"unknown preset {wanted!r}",
            field=f"providers.{name}.preset",
            remedy=f"Use one of: {', '.join(near)}; or leave it out and give `base_url`.",
        )
    if not (provider.base_url or preset.base_url):
        raise ConfigError(
            "no base URL is known for this provider",
            field=f"providers.{name}.base_url",
            remedy="Add it, for example `base_url: http://127.0.0.1:8000/v1`.",
        )
    url = provider.base_url or preset.base_url
    if not url.startswith(("http://", "https://")):
        raise ConfigError(
            f"{url!r} is not an http or https URL",
            field=f"providers.{name}.base_url",
            remedy="Start it with http:// or https://.",
        )
    if not _has_address(url):
        raise ConfigError(
            "this names no host, or no port that there is",
            field=f"providers.{name}.base_url",
            remedy="Write it like http://127.0.0.1:8000/v1.",
        )
    _check_quirks(name, provider)
    return preset


def _has_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", url)
    except ValueError:
        return False


def _check_quirks(name: str, provider: ProviderConfig) -> None:
    """Raises `ConfigError` for one that is misspelt; dialects of others have their own."""
    known = {quirk for preset in PRESETS.values() for quirk in preset.quirks}
    for index, quirk in enumerate(provider.quirks or ()):
        near = difflib.get_close_matches(quirk, known, n=1, cutoff=0.8)
        if near and quirk not in known:
            raise ConfigError(
                f"unknown quirk {quirk!r}",
                field=f"providers.{name}.quirks.{index}",
                remedy=f"Did you mean {near[0]!r}?",
            )


def _deploy(
    name: str,
    provider: ProviderConfig,
    preset: Preset,
    place: Place,
    item: ServedModel,
    catalog: Catalog,
    config: Config,
) -> tuple[Model, Deployment]:
    upstream = item.upstream or item.model
    lister = preset.catalog or name
    model = catalog.get(item.model) or catalog.resolve(item.model, lister)
    configured = config.models.get(item.model)
    prices = (
        Prices(**configured.prices.model_dump())
        if configured is not None and configured.prices is not None
        else catalog.price(lister, upstream, provider.base_url)
    )
    if prices is None and preset.local:
        prices = Prices(input=0.0, output=0.0)  # the tokens of one's own hardware are not billed
    if prices is None and model is not None:
        prices = model.prices
    if prices is None:
        near = catalog.suggest(item.model)
        hint = f" Or did you mean {', '.join(near)}?" if near else ""
        raise ConfigError(
            f"the catalogue knows neither {item.model!r} nor its price",
            remedy=f"Add `models.{item.model}.prices` with `input` and `output` in USD per million "
            f"tokens.{hint}",
        )
    if model is None:
        model = Model(id=item.model, prices=prices, quality=0.5, context_window=32_768)
    if "/" in item.model or model.id != item.model:
        # A slash is how callers name provider/model, so ids have none.
        model = msgspec.structs.replace(model, id=item.model.rsplit("/", 1)[-1])
    deployment = Deployment(
        id=f"{name}/{model.id}",
        model=model.id,
        provider=name,
        dialect=place.dialect,
        base_url=place.base_url,
        upstream_model=upstream,
        prices=prices,
        max_output_tokens=model.max_output_tokens,
        api_key=provider.api_key.get_secret_value() if provider.api_key else None,
        headers=tuple((k.lower(), v.get_secret_value()) for k, v in provider.headers.items()),
        region=item.region or place.region,
        weight=item.weight,
        timeouts=_timeouts(provider.timeouts or config.timeouts),
        limits=limits_of(item.limits, provider.limits),
        quirks=frozenset(provider.quirks) if provider.quirks is not None else preset.quirks,
        lacks=preset.lacks_of(place.dialect, upstream, model.id)
        if provider.lacks is None
        else frozenset(provider.lacks),
        aws=_aws(provider.aws),
    )
    return model, deployment


def _timeouts(config: TimeoutsConfig) -> Timeouts:
    return Timeouts(**config.model_dump())


def _aws(config: AwsConfig | None) -> Aws | None:
    if config is None:
        return None
    keys = config.model_dump(exclude={"profile", "guardrail"})
    return Aws(
        profile=config.profile,
        guardrail=config.guardrail,
        **{name: key.get_secret_value() if key else None for name, key in keys.items()},
    )


def _no_twin(deployment: Deployment, group: list[Deployment]) -> None:
    if any(other.id == deployment.id for other in group):
        raise ConfigError(
            f"{deployment.model!r} is listed twice",
            remedy="Remove one, or make a second provider entry for the second account.",
        )


def _clash(name: str) -> ConfigError:
    return ConfigError(
        f"{name!r} is both a policy and a model",
        remedy="Rename one of them: clients name either in the same field.",
    )


def _check_names(
    name: str,
    config: PolicyConfig,
    deployments: Mapping[str, Sequence[Deployment]],
    providers: set[str],
    mistakes: Mistakes,
) -> None:
    """Notes every name in a policy that is not configured."""
    field = f"policies.{name}"
    models = deployments.keys()
    regions = {d.region for group in deployments.values() for d in group if d.region is not None}
    if config.reference is not None:
        with mistakes.noted(at=f"{field}.reference"):
            _must_know(config.reference, models)
    for index, tier in enumerate(config.tiers):
        with mistakes.noted(at=f"{field}.tiers.{index}.model"):
            _must_know(tier.model, models)
    _check_probes(field, config, models, mistakes)
    for part, names, known in (
        ("fallbacks", config.fallbacks, models),
        ("allow", config.allow, {*models, *providers}),
        ("deny", config.deny, {*models, *providers, *regions}),
        ("regions", config.regions, regions),
    ):
        for index, listed in enumerate(names):
            with mistakes.noted(at=f"{field}.{part}.{index}"):
                _must_know(listed, known)


def _check_probes(
    field: str, config: PolicyConfig, models: Collection[str], mistakes: Mistakes
) -> None:
    """Notes a model that probes are to ask and that is not configured, and a judge without one."""
    for part, model in (("judge", config.judge), ("second", config.second)):
        if model is not None:
            with mistakes.noted(at=f"{field}.{part}"):
                _must_know(model, models)
    listed = [config.gates, *(tier.gates or () for tier in config.tiers)]
    if config.judge is None and any("judge" in gates for gates in listed):
        near = f", for example `judge: {min(models)}`" if models else ""
        mistakes.add(
            ConfigError(
                "the gate 'judge' has no model to ask (`judge` is not set)",
                remedy=f"Add a model that is configured{near}; or leave the gate out.",
            ),
            at=f"{field}.judge",
        )


def _check_guardrails(
    name: str, config: PolicyConfig, known: Collection[str], mistakes: Mistakes
) -> None:
    """Notes every guardrail that a policy names and nobody has written down."""
    for index, guardrail in enumerate(config.guardrails):
        if guardrail not in known:
            near = difflib.get_close_matches(guardrail, known) or sorted(known)
            others = f"Use one of: {', '.join(near)}; or add" if near else "Add"
            mistakes.add(
                ConfigError(
                    f"{guardrail!r} is not configured",
                    remedy=f"{others} it under `guardrails`.",
                ),
                at=f"policies.{name}.guardrails.{index}",
            )


def _check_passed_through(config: Config, mistakes: Mistakes) -> None:
    """Notes every provider that clients are let through to and nobody has written down."""
    for index, name in enumerate(config.server.passthrough):
        with mistakes.noted(at=f"server.passthrough.{index}"):
            _must_know(name, config.providers.keys())


def _check_login(
    config: OidcConfig | None,
    models: Collection[str],
    policies: Collection[str],
    mistakes: Mistakes,
) -> None:
    """Notes what those who sign in may ask and is not configured."""
    if config is None:
        return
    for part, names, known, under in (
        ("models", config.models, models, "providers"),
        ("policies", config.policies, policies, "policies"),
    ):
        for index, listed in enumerate(names):
            with mistakes.noted(at=f"dashboard.oidc.{part}.{index}"):
                _must_know(listed, known, under)


def policy_of(name: str, config: PolicyConfig) -> Policy:
    """A policy as it is written, before any certificate."""
    gates = tuple(config.gates)
    return Policy(
        name=name,
        reference=config.reference,
        quality=config.quality,
        max_cost_usd=config.max_cost_usd,
        max_latency_s=config.max_latency_s,
        weights=Weights(cost=config.weights.cost, latency=config.weights.latency),
        allow=tuple(config.allow),
        deny=tuple(config.deny),
        regions=tuple(config.regions),
        tiers=tuple(
            Tier(
                model=tier.model,
                accept=tier.accept,
                gates=gates if tier.gates is None else tuple(tier.gates),
            )
            for tier in config.tiers
        ),
        gates=gates,
        fallbacks=tuple(config.fallbacks),
        judge=config.judge,
        second=config.second,
        rubric=config.rubric,
        probe_share=config.probe_share,
        hand_over=config.hand_over,
        streams=config.streams,
        hold_s=config.hold_s,
        on_stream_break=config.on_stream_break,
        deadline_s=config.deadline_s,
        wait_s=config.wait_s,
        hedge=config.hedge,
        drop_unsupported=config.drop_unsupported,
        guardrails=tuple(config.guardrails),
    )


def _must_know(name: str, known: Collection[str], under: str = "providers") -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known) or sorted(known)
        others = f"Use one of: {', '.join(near)}; or add" if near else "Add"
        raise ConfigError(f"{name!r} is not configured", remedy=f"{others} it under `{under}`.")
