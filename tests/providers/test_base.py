"""Adapters are found by the name of their dialect."""

from __future__ import annotations

import pytest

from tierwise.errors import ConfigError
from tierwise.providers import load_adapter
from tierwise.providers.openai_compatible import OpenAICompatible


def test_the_adapter_that_comes_along_is_found() -> None:
    assert load_adapter("openai_compatible") is OpenAICompatible


def test_an_unknown_dialect_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="openai_compatible") as caught:
        load_adapter("openai_compatable")
    assert caught.value.field == "providers.dialect"
