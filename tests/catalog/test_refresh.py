"""The price list is generated, and importing the catalogue does not load what it came from."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from tierwise.catalog import Catalog, refresh


def test_the_price_list_is_what_genai_prices_gives() -> None:
    text = refresh.FILE.read_text(encoding="utf-8")
    source = json.loads(text)["source"]
    installed = f"genai-prices {version('genai-prices')}"
    if source != installed:
        pytest.skip(f"prices.json is from {source}, installed is {installed}")
    assert refresh.differences(text) == []


def test_a_changed_price_is_noticed() -> None:
    text = refresh.FILE.read_text(encoding="utf-8")
    tampered = text.replace('"usd":[2.5,10.0,', '"usd":[0.25,10.0,', 1)
    assert tampered != text
    found = refresh.differences(tampered)
    assert any(entry.startswith("- ") and "[0.25,10.0," in entry for entry in found)


def test_the_source_of_prices_says_of_which_day_they_are() -> None:
    header = json.loads(refresh.FILE.read_text(encoding="utf-8"))
    source = Catalog.builtin().source
    assert header["as_of"] in source
    assert header["source"] in source
    assert header["unit"] == refresh.UNIT


def test_importing_and_using_the_catalogue_loads_no_development_dependency() -> None:
    program = (
        "import sys; from tierwise.catalog import Catalog; "
        "assert Catalog.builtin().resolve('gpt-4o-mini') is not None; "
        "print([name for name in sys.modules if name.startswith('genai_prices')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
