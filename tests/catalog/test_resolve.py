"""One model, many spellings; and what happens to names that nobody knows."""

from __future__ import annotations

import pytest

from tierwise.catalog import Catalog, ModelOverride
from tierwise.catalog.catalog import UNKNOWN_CAPABILITIES
from tierwise.errors import ConfigError
from tierwise.types import Prices

CATALOG = Catalog.builtin()


@pytest.mark.parametrize(
    ("spelling", "model"),
    [
        # As its maker writes it, with and without date.
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
        ("gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
        ("gpt-35-turbo", "gpt-3.5-turbo"),
        ("claude-3-5-haiku-20241022", "claude-3-5-haiku"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("gemini-1.5-pro-preview-0409", "gemini-1.5-pro"),
        ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
        ("models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("mistral-large-2407", "mistral-large-2"),
        ("deepseek-chat", "deepseek-v3"),
        ("grok-4-0709", "grok-4"),
        # The more particular model wins over the one that it is derived from.
        ("gpt-4-turbo-2024-04-09", "gpt-4-turbo"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("claude-4-opus", "claude-opus-4"),
        ("qwen3-235b-a22b-instruct-2507", "qwen3-235b-a22b-2507"),
        # Through routers and clouds.
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("anthropic/claude-3.5-sonnet:beta", "claude-3-5-sonnet"),
        ("google/gemini-flash-1.5", "gemini-1.5-flash"),
        ("anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1"),
        ("us.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet"),
        ("us.meta.llama3-1-8b-instruct-v1:0", "llama-3.1-8b"),
        ("us.amazon.nova-pro-v1:0", "nova-pro"),
        ("us.deepseek.r1-v1:0", "deepseek-r1"),
        ("openai.gpt-oss-120b-1:0", "gpt-oss-120b"),
        ("claude-sonnet-4@20250514", "claude-sonnet-4"),
        # Open weights, as many names as there are hosts.
        ("meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo", "llama-3.1-70b"),
        ("accounts/fireworks/models/llama-v3p1-405b-instruct", "llama-3.1-405b"),
        ("llama-3.1-8b-instant", "llama-3.1-8b"),
        ("llama3.1:8b", "llama-3.1-8b"),
        ("@cf/meta/llama-3.1-8b-instruct-fp8-fast", "llama-3.1-8b"),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", "llama-4-maverick"),
        ("llama-3.3-70b-versatile", "llama-3.3-70b"),
        ("mixtral-8x7b-32768", "mixtral-8x7b"),
        ("mistral.mixtral-8x7b-instruct-v0:1", "mixtral-8x7b"),
        ("accounts/fireworks/models/deepseek-v3p2", "deepseek-v3.2"),
        ("accounts/fireworks/models/glm-5p3", "glm-5.3"),
        ("zai-org/GLM-4.5-Air", "glm-4.5-air"),
        ("moonshotai/Kimi-K2-Instruct-0905", "kimi-k2-0905"),
        ("Qwen/Qwen2.5-72B-Instruct-Turbo", "qwen2.5-72b"),
        ("gemma2-9b-it", "gemma-2-9b"),
        ("phi4", "phi-4"),
        ("gpt-oss:20b", "gpt-oss-20b"),
        # As recorded data sets write them.
        ("gpt-4-1106-preview", "gpt-4-1106-preview"),
        ("claude-v1", "claude-1"),
        ("claude-v2", "claude-2"),
        ("meta/llama-2-70b-chat", "llama-2-70b"),
        ("meta/code-llama-instruct-34b-chat", "code-llama-34b"),
        ("mistralai/mixtral-8x7b-chat", "mixtral-8x7b"),
        ("mistralai/mistral-7b-chat", "mistral-7b"),
        ("wizardlm/wizardlm-13b-v1.2", "wizardlm-13b"),
        ("zero-one-ai/yi-34b-chat", "yi-34b-chat"),
        ("qwen2.5-32b-coder-instruct", "qwen2.5-coder-32b"),
        ("Llama-3.1-405B-Inst@sambanova", "llama-3.1-405b"),
        ("meta-llama_Meta-Llama-3-70B-Instruct", "llama-3-70b"),
        ("mistral-large-2407-FC-Any", "mistral-large-2"),
        ("command-r-plus-FC", "command-r-plus"),
    ],
)
def test_a_model_is_found_however_it_is_spelt(spelling: str, model: str) -> None:
    found = CATALOG.resolve(spelling)
    assert found is not None
    assert found.id == model


@pytest.mark.parametrize(
    ("spelling", "not_model"),
    [
        ("gpt-4o-audio-preview", "gpt-4o"),
        ("claude-3-opus", "claude-3-sonnet"),
        ("llama-3-70b", "llama-3.1-70b"),
        ("deepseek-r1-distill-qwen-32b", "deepseek-r1"),
        ("metamath-mistral-7b", "mistral-7b"),
        ("gemini-2.5-flash-lite", "gemini-2.5-flash"),
    ],
)
def test_a_likely_confusion_is_not_made(spelling: str, not_model: str) -> None:
    found = CATALOG.resolve(spelling)
    assert found is None or found.id != not_model


def test_a_model_that_only_a_price_list_knows_is_taken_with_care() -> None:
    found = CATALOG.resolve("openai/o1-pro")
    assert found is not None
    assert CATALOG.get(found.id) is None
    assert found.capabilities == UNKNOWN_CAPABILITIES
    assert (found.prices.input, found.prices.output) == (150.0, 600.0)


@pytest.mark.parametrize("name", ["gpt-99", "text-embedding-3-small", "no-such-model", ""])
def test_a_name_without_a_price_by_the_token_is_no_model(name: str) -> None:
    assert CATALOG.resolve(name) is None


def test_the_same_model_has_its_own_price_at_each_provider() -> None:
    groq = CATALOG.price("groq", "openai/gpt-oss-120b", None)
    openrouter = CATALOG.price("openrouter", "openai/gpt-oss-120b", None)
    assert groq is not None
    assert openrouter is not None
    assert groq != openrouter


@pytest.mark.parametrize(
    ("provider", "base_url", "known"),
    [
        ("openai", None, True),
        ("my-openai", None, True),
        ("anything", "https://api.openai.com/v1", True),
        ("my-openai", "http://127.0.0.1:8000/v1", False),
        ("anything", None, False),
    ],
)
def test_who_bills_is_told_by_the_url_before_the_name(
    provider: str, base_url: str | None, known: bool
) -> None:
    assert (CATALOG.price(provider, "gpt-4o-mini", base_url) is not None) is known


def test_a_model_that_is_added_without_a_price_is_an_error_with_a_remedy() -> None:
    with pytest.raises(ConfigError) as caught:
        CATALOG.with_models({"gpt-4o-minni": ModelOverride(quality=0.9)})
    error = caught.value
    assert error.field == "models.gpt-4o-minni.prices"
    assert "gpt-4o-mini" in str(error.remedy)
    assert "not taken to be 0" in str(error)


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("gpt4o-mni", "gpt-4o-mini"),
        ("openai/gpt-4o-minii", "gpt-4o-mini"),
        ("llama-31-70", "llama-3.1-70b"),
        ("claude-sonet-4-5", "claude-sonnet-4-5"),
    ],
)
def test_a_typing_error_gets_the_model_that_was_meant(typo: str, meant: str) -> None:
    suggestions = CATALOG.suggest(typo)
    assert meant in suggestions
    assert len(suggestions) <= 3


def test_nothing_is_suggested_for_a_name_unlike_all_others() -> None:
    assert CATALOG.suggest("zzzzqqqq") == []


def test_a_configured_price_wins_over_the_list_and_leaves_the_rest() -> None:
    agreed = Prices(input=0.01, output=0.02)
    catalog = CATALOG.with_models({"gpt-4o-mini": ModelOverride(prices=agreed)})
    assert catalog.price("openai", "gpt-4o-mini", None) == agreed
    changed, before = catalog.get("gpt-4o-mini"), CATALOG.get("gpt-4o-mini")
    assert changed is not None
    assert before is not None
    assert changed.prices == agreed
    assert changed.capabilities == before.capabilities
    assert before.prices != agreed, "the catalogue that was added to stays what it was"


def test_an_added_model_is_known_by_its_name() -> None:
    own = ModelOverride(prices=Prices(input=0, output=0), quality=0.7, context_window=8192)
    catalog = CATALOG.with_models({"house-model": own})
    found = catalog.resolve("House-Model")
    assert found is not None
    assert (found.id, found.quality, found.context_window) == ("house-model", 0.7, 8192)
    assert len(catalog) == len(CATALOG) + 1
