"""What a first run without a config makes use of, provider by provider."""

from __future__ import annotations

import pytest

from tierwise.catalog import Catalog
from tierwise.config.build import Setup, build
from tierwise.config.discover import discover
from tierwise.config.presets import PRESETS
from tierwise.config.schema import Config

HOSTED = sorted(name for name, preset in PRESETS.items() if preset.key_variables and preset.offers)
SERVES_ONE_MODEL = {"deepseek"}
CATALOG = Catalog.builtin()


def _first_run(*providers: str) -> Setup:
    keys = {PRESETS[name].key_variables[0]: "a-key-of-some-length" for name in providers}
    found = discover(keys, probe_local=False)
    assert sorted(found.providers) == sorted(providers)
    return build(Config.model_validate({"providers": found.providers}))


@pytest.mark.parametrize("provider", HOSTED)
def test_every_offered_model_builds_with_that_providers_price(provider: str) -> None:
    setup = _first_run(provider)
    deployments = setup.all_deployments()
    assert len(deployments) == len(PRESETS[provider].offers)
    for deployment in deployments:
        listed = CATALOG.price(
            PRESETS[provider].catalog or provider,
            deployment.upstream_model,
            PRESETS[provider].base_url,
        )
        assert listed is not None, deployment.id
        assert deployment.prices == listed, deployment.id
        assert deployment.prices.output > 0, deployment.id


@pytest.mark.parametrize("provider", HOSTED)
def test_offers_are_curated_models_under_their_catalogue_names(provider: str) -> None:
    for model_id in _first_run(provider).models:
        assert CATALOG.get(model_id) is not None, model_id


@pytest.mark.parametrize("provider", [name for name in HOSTED if name not in SERVES_ONE_MODEL])
def test_offers_span_small_to_large(provider: str) -> None:
    models = _first_run(provider).models.values()
    assert 3 <= len(models) <= 6
    dearest = max(models, key=lambda model: model.prices.output)
    cheapest = min(models, key=lambda model: model.prices.output)
    assert dearest.prices.output > 2 * cheapest.prices.output
    assert dearest.quality > cheapest.quality


def test_with_every_key_one_model_at_two_providers_becomes_two_deployments_of_it() -> None:
    setup = _first_run(*HOSTED)
    by_provider = {d.provider for d in setup.deployments["gpt-oss-120b"]}
    assert by_provider == {"fireworks", "groq", "together"}
    assert {d.provider for d in setup.deployments["gpt-6-luna"]} == {"openai", "openrouter"}


def test_local_presets_offer_nothing_since_they_are_asked_what_they_serve() -> None:
    assert [name for name, preset in PRESETS.items() if preset.local and preset.offers] == []
