"""The models of recorded outcomes resolve, so that replays know their windows and prices."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tierwise.catalog import Catalog

SHARED = Path(os.environ.get("TIERWISE_SHARED") or Path(__file__).parents[3] / "shared")
WITHOUT_A_PRICE = {"claude-instant-v1"}
"""No price list knows it any more."""


@pytest.mark.parametrize("source", ["routerbench", "cascades", "paretobandit", "routellm"])
def test_every_recorded_model_with_a_price_is_curated(source: str) -> None:
    path = SHARED / "outcomes" / source / "outcomes.parquet"
    if not path.is_file():
        pytest.skip(f"no recorded outcomes at {path}; set TIERWISE_SHARED to their folder")
    parquet = pytest.importorskip("pyarrow.parquet", reason="the outcomes extra is not installed")
    recorded = set(parquet.read_table(path, columns=["model"]).column(0).unique().to_pylist())
    catalog = Catalog.builtin()
    resolved = {name: catalog.resolve(name) for name in recorded}
    unknown = {name for name, model in resolved.items() if model is None}
    assert unknown <= WITHOUT_A_PRICE
    known = [model for model in resolved.values() if model is not None]
    assert [model.id for model in known if catalog.get(model.id) is None] == []
    assert len({model.id for model in known}) == len(known), "two recorded models became one"
