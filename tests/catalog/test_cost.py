"""Cost arithmetic, held against genai-prices, which has its own."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as GenaiUsage
from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from tierwise.catalog import TieredPrices, cost, curated, reference_cost
from tierwise.catalog.snapshot import Entry, Later, Snapshot
from tierwise.types import Prices, Usage

SNAPSHOT = Snapshot.builtin()
NOON = datetime.datetime.combine(SNAPSHOT.as_of, datetime.time(12), tzinfo=datetime.UTC)

USAGES = {
    "plain": Usage(input_tokens=1_200, output_tokens=340),
    "no answer": Usage(input_tokens=1_200),
    "reasoning is part of output": Usage(
        input_tokens=900, output_tokens=5_000, reasoning_tokens=4_500
    ),
    "cached": Usage(input_tokens=10_000, cached_input_tokens=9_000, output_tokens=50),
    "all cached": Usage(input_tokens=10_000, cached_input_tokens=10_000, output_tokens=50),
    "cache written": Usage(
        input_tokens=10_000, cached_input_tokens=2_000, cache_write_tokens=7_000, output_tokens=50
    ),
    "long": Usage(input_tokens=300_000, output_tokens=1_000),
    "long and cached": Usage(
        input_tokens=300_000, cached_input_tokens=250_000, output_tokens=1_000
    ),
    "at 200,000": Usage(input_tokens=200_000, output_tokens=1),
    "one over 200,000": Usage(input_tokens=200_001, output_tokens=1),
}


def _listed() -> list[str]:
    return sorted({facts.priced_as for facts in curated.load()})


def _genai_model(priced_as: str) -> genai.ModelInfo:
    provider_id, _, model_id = priced_as.partition("/")
    provider = next(p for p in get_snapshot().providers if p.id == provider_id)
    return next(m for m in provider.models if m.id == model_id)


def _prices(priced_as: str) -> Prices:
    provider_id, _, model_id = priced_as.partition("/")
    entry = next(e for e in SNAPSHOT.provider(provider_id).models if e.id == model_id)
    prices = entry.prices(SNAPSHOT.as_of)
    assert prices is not None
    return prices


def _genai_cost(model: genai.ModelInfo, usage: Usage, at: datetime.datetime) -> Decimal:
    counts = GenaiUsage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
    )
    return model.get_prices(at).calc_price(counts)["total_price"]


def _changes_within_the_day(model: genai.ModelInfo) -> bool:
    hours = [NOON + datetime.timedelta(hours=hour) for hour in range(-12, 12)]
    return len({repr(model.get_prices(hour)) for hour in hours}) > 1


@pytest.mark.parametrize("usage", USAGES.values(), ids=USAGES.keys())
def test_cost_is_what_genai_prices_calculates_for_every_curated_model(usage: Usage) -> None:
    compared = 0
    for priced_as in _listed():
        model = _genai_model(priced_as)
        if _changes_within_the_day(model):
            continue
        compared += 1
        theirs = float(_genai_cost(model, usage, NOON))
        assert cost(usage, _prices(priced_as)) == pytest.approx(theirs, rel=1e-9), priced_as
    assert compared > 150


def test_the_sample_has_prices_of_every_kind() -> None:
    prices = [_prices(priced_as) for priced_as in _listed()]
    assert sum(isinstance(p, TieredPrices) for p in prices) >= 10
    assert sum(p.cached_input is not None for p in prices) >= 50
    assert sum(p.cache_write is not None for p in prices) >= 20
    assert sum(p.cached_input is None for p in prices) >= 20


def test_the_providers_own_figure_wins() -> None:
    usage = Usage(input_tokens=1_000, output_tokens=1_000, cost_usd=0.42)
    prices = Prices(input=1.0, output=1.0)
    assert cost(usage, prices) == 0.42
    assert reference_cost(usage, prices) == pytest.approx(0.002)


def test_a_figure_of_zero_is_a_figure() -> None:
    usage = Usage(input_tokens=1_000, output_tokens=1_000, cost_usd=0.0)
    assert cost(usage, Prices(input=1.0, output=1.0)) == 0.0


def test_cached_and_written_tokens_without_a_price_of_their_own_cost_what_input_costs() -> None:
    usage = Usage(input_tokens=1_000, cached_input_tokens=400, cache_write_tokens=500)
    assert cost(usage, Prices(input=2.0, output=8.0)) == pytest.approx(0.002)


def test_past_a_threshold_every_token_costs_more() -> None:
    prices = TieredPrices(input=1.0, output=4.0, above=((1_000, Prices(input=2.0, output=6.0)),))
    at_it = cost(Usage(input_tokens=1_000, output_tokens=10), prices)
    over_it = cost(Usage(input_tokens=1_001, output_tokens=10), prices)
    assert at_it == pytest.approx(1_000e-6 + 40e-6)
    assert over_it == pytest.approx(2_002e-6 + 60e-6)


def test_of_several_thresholds_the_highest_that_is_passed_holds() -> None:
    tiers = tuple((n, Prices(input=float(n), output=0.0)) for n in (10, 20, 30))
    prices = TieredPrices(input=1.0, output=0.0, above=tiers)
    assert [prices.at(n).input for n in (10, 11, 20, 21, 31)] == [1.0, 10.0, 10.0, 20.0, 30.0]


def test_an_announced_price_holds_from_its_day_on() -> None:
    day = datetime.date(2027, 1, 1)
    entry = Entry(id="m", usd=[0.75, 3.75], later=[Later(since=day, usd=[1.5, 7.5, 0.15])])
    assert entry.prices(day - datetime.timedelta(days=1)) == Prices(input=0.75, output=3.75)
    assert entry.prices(day) == Prices(input=1.5, output=7.5, cached_input=0.15)
