"""What is expected of a model's speed before anybody has asked it."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from builders import a_profile
from tierwise.catalog import Catalog
from tierwise.routing import pace
from tierwise.routing.pace import pace_of
from tierwise.routing.predict import PriorPredictor
from tierwise.types import Estimate, Model, Prices

SHARED = Path(os.environ.get("TIERWISE_SHARED") or Path(__file__).parents[3] / "shared")
RECORDED = SHARED / "outcomes" / "cascades" / "outcomes.parquet"


def a_model(quality: float = 0.8, price: float = 1.0, *capabilities: str) -> Model:
    return Model(
        id="m",
        prices=Prices(input=price, output=price),
        quality=quality,
        capabilities=frozenset(capabilities),  # type: ignore[arg-type]
    )


def estimate(model: Model, latency: object = None, *requires: str) -> Estimate:
    profile = a_profile(output_tokens=100, requires=frozenset(requires))
    seen = {} if latency is None else {model.id: latency}
    return PriorPredictor().estimates(profile, None, [model], seen)[model.id]  # type: ignore[arg-type]


class Seen:
    def __init__(self, ttft_s: float | None, latency_s: float | None) -> None:
        self.ttft_s, self.latency_s = ttft_s, latency_s


def test_a_better_or_a_dearer_model_is_expected_to_be_slower() -> None:
    usual, better, dearer = (pace_of(m) for m in (a_model(), a_model(0.85), a_model(0.8, 2.0)))
    assert better.ttft_s > usual.ttft_s
    assert better.token_s > usual.token_s
    assert dearer.ttft_s > usual.ttft_s
    assert dearer.token_s > usual.token_s


def test_nothing_is_claimed_beyond_what_was_recorded() -> None:
    fast, slow = pace_of(a_model(0.1, 0.001)), pace_of(a_model(0.99, 100.0))
    assert (fast.ttft_s, slow.ttft_s) == pace.FIRST_S
    assert (fast.token_s, slow.token_s) == pace.TOKEN_S


def test_a_free_model_goes_by_its_quality() -> None:
    assert pace_of(a_model(0.5, 0.0)).token_s < pace_of(a_model(0.8, 0.0)).token_s


def test_a_model_that_thinks_first_keeps_its_caller_waiting_most_if_asked_to() -> None:
    plain, thinker = a_model(), a_model(0.8, 1.0, "reasoning")
    assert pace_of(plain).ttft_s < pace_of(thinker).ttft_s < pace_of(thinker, thinks=True).ttft_s
    assert pace_of(plain, thinks=True) == pace_of(plain)
    assert estimate(thinker, None, "reasoning").ttft_s == pace_of(thinker, thinks=True).ttft_s


def test_what_was_observed_overrules_what_was_expected() -> None:
    seen = estimate(a_model(), Seen(2.0, 7.0))
    assert (seen.ttft_s, seen.latency_s) == (2.0, 7.0)
    half = estimate(a_model(), Seen(2.0, None))
    assert half.latency_s == pytest.approx(2.0 + 100 * pace_of(a_model()).token_s)


@pytest.mark.skipif(not RECORDED.is_file(), reason="needs the recorded outcomes of `cascades`")
def test_the_lines_are_those_that_the_recorded_latencies_lie_on() -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(RECORDED, columns=["model", "latency_s", "output_tokens"])
    names = np.array(table.column("model").to_pylist())
    seconds, tokens = (table.column(name).to_numpy() for name in ("latency_s", "output_tokens"))
    catalog = Catalog.builtin()
    rows: list[tuple[float, float, float, float]] = []
    for name in sorted(set(names)):
        model = catalog.resolve(name)
        assert model is not None, name
        own = names == name
        first = float(np.median(seconds[own & (tokens <= 3)]))
        long = own & (tokens > 50)
        each = float(np.median((seconds[long] - first) / tokens[long]))
        price = (3 * model.prices.input + model.prices.output) / 4
        rows.append((model.quality, math.log10(price), math.log(first), math.log(each)))
    quality, price, first, each = (np.array(column) for column in zip(*rows, strict=True))
    assert len(rows) == 9
    for by, said, line in (
        (quality, first, pace.FIRST_BY_QUALITY),
        (price, first, pace.FIRST_BY_PRICE),
        (quality, each, pace.TOKEN_BY_QUALITY),
        (price, each, pace.TOKEN_BY_PRICE),
    ):
        slope, start = np.polyfit(by, said, 1)
        assert (start, slope) == pytest.approx(line, abs=0.02)
    for said, (least, most) in ((first, pace.FIRST_S), (each, pace.TOKEN_S)):
        assert (math.exp(said.min()), math.exp(said.max())) == pytest.approx((least, most), rel=0.1)
