"""What the tests of learning share: small recordings of two sorts of questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Row = tuple[str, str, float | None, float | None]
"""Prompt id, model, score, cost in USD."""

NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ida", "Jon")
THINGS = ("apples", "coins", "marbles", "stamps", "shells", "pencils", "cards")
WORKS = ("the treaty", "the sonata", "the novel", "the fresco", "the theorem", "the statute")
PLACES = ("Vienna", "Lisbon", "Prague", "Dublin", "Oslo", "Athens", "Turin", "Ghent")


def write(
    folder: Path, prompts: Mapping[str, str | None], rows: Sequence[Row], **columns: Any
) -> Path:
    """A folder of recordings; `columns` replace those of outcomes, `prompt_*` those of prompts."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "prompt_id": list(prompts),
        "prompt": list(prompts.values()),
        "dataset": [prompt_id.split("-")[0] for prompt_id in prompts],
        "category": [None] * len(prompts),
    }
    table = {
        "prompt_id": [row[0] for row in rows],
        "model": [row[1] for row in rows],
        "score": [row[2] for row in rows],
        "cost_usd": [row[3] for row in rows],
    }
    for name, values in columns.items():
        into, column = (about, name[8:]) if name.startswith("prompts_") else (table, name)
        if values is None:
            del into[column]
        else:
            into[column] = values
    pq.write_table(pa.table(about), folder / "prompts.parquet")
    pq.write_table(pa.table(table), folder / "outcomes.parquet")
    return folder


def questions(count: int, seed: int = 0) -> dict[str, str]:
    """Half sums (`sums-...`), half questions about works (`works-...`), all different."""
    random = np.random.default_rng(seed)
    found: dict[str, str] = {}
    for number in range(count // 2):
        name, thing = random.choice(NAMES), random.choice(THINGS)
        a, b = random.integers(2, 90, 2)
        found[f"sums-{number}"] = (
            f"{name} has {a} {thing} and buys {b} more. How many {thing} are there in all?"
        )
        found[f"works-{number}"] = (
            f"Who is the author of {random.choice(WORKS)} number {number} kept in "
            f"{random.choice(PLACES)}, and what was it called by contemporaries?"
        )
    return found


def outcomes(prompts: Mapping[str, str], seed: int = 1) -> list[Row]:
    """`big` is right nearly always; `small` with sums as often, with works hardly ever."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for prompt_id in prompts:
        easy = prompt_id.startswith("sums")
        rows.append((prompt_id, "big", float(random.random() < 0.95), 0.01))
        rows.append((prompt_id, "small", float(random.random() < (0.95 if easy else 0.1)), 0.001))
    return rows


@pytest.fixture(scope="session")
def record() -> Callable[..., Path]:
    return write


@pytest.fixture(scope="session")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 prompts, two models; routing sums to the small one saves nearly half."""
    prompts = questions(200)
    return write(tmp_path_factory.mktemp("traffic") / "traffic", prompts, outcomes(prompts))
