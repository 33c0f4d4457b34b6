"""Recorded answers: exact, complete, and refused where they cannot be served."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tierwise.config import build, from_mapping
from tierwise.errors import ConfigError
from tierwise.fleet import Fleet

PROJECT = Path(__file__).parents[2]


def shared(source):
    """A folder of the shared recordings, or a skip."""
    root = Path(os.environ.get("TIERWISE_SHARED", PROJECT.parent / "shared"))
    folder = root / "outcomes" / source
    if not (folder / "outcomes.parquet").is_file():
        pytest.skip(f"no recorded outcomes at {folder}; TIERWISE_SHARED names another place")
    return folder


async def test_a_model_says_what_was_recorded_at_the_recorded_cost(recording, client):
    fleet = Fleet.recorded(recording, speed=0)
    item = fleet.workload(1)[0]
    number = int(item.id[1:])
    async with fleet:
        large = (await client.ask(fleet.providers["beta"], item, "gpt-4-test")).json()
        small = (await client.ask(fleet.providers["gamma"], item, "maker/tiny-7b")).json()
    assert large["choices"][0]["message"]["content"] == f"It is {2 * number}, surely."
    assert large["usage"]["cost"] == pytest.approx(0.002 + number * 1e-5)
    assert small["choices"][0]["message"]["content"] == fleet.expected(item, "tiny-7b")
    assert small["model"] == "maker/tiny-7b"
    assert fleet.cost(item, "maker/tiny-7b") == fleet.cost(item, "tiny-7b") == 0.0001


async def test_a_prompt_is_found_whatever_its_white_space(recording, client):
    fleet = Fleet.recorded(recording, speed=0)
    item = fleet.workload(1)[0]
    prompt = item.request["messages"][0]["content"].replace("\n", "   ") + " "
    async with fleet:
        said = (await client.ask(fleet.providers["alpha"], prompt, "gpt-4-test")).json()
        unknown = (await client.ask(fleet.providers["alpha"], "Hello?", "gpt-4-test")).json()
    assert said["choices"][0]["message"]["content"] == fleet.expected(item, "gpt-4-test")
    assert "recorded fleet" in unknown["choices"][0]["message"]["content"]
    assert "cost" not in unknown["usage"]


def test_scores_are_the_recorded_ones_and_only_for_the_recorded_text(recording):
    fleet = Fleet.recorded(recording)
    for item in fleet.workload(100):
        right = int(item.id[1:]) % 2 == 0
        assert fleet.score(item, "tiny-7b", fleet.expected(item, "tiny-7b")) == float(right)
        assert fleet.score(item, "tiny-7b", "something else") is None


def test_the_reference_is_the_best_and_homes_follow_the_maker(recording):
    fleet = Fleet.recorded(recording)
    assert fleet.reference == "gpt-4-test"
    assert fleet.simulated_answers is False
    assert fleet.providers["alpha"].models == fleet.providers["beta"].models == ("gpt-4-test",)
    assert fleet.providers["gamma"].models == fleet.providers["delta"].models == ("tiny-7b",)
    setup = build(from_mapping(fleet.config()))
    assert {d.upstream_model for d in setup.deployments["tiny-7b"]} == {"maker/tiny-7b"}


def test_the_workload_has_none_of_the_prompts_that_quality_comes_from(recording):
    fleet = Fleet.recorded(recording)
    used = {item.id for item in fleet.workload(1000)}
    calibration = {f"p{i}" for i in range(40)} - used
    assert 4 <= len(calibration) <= 20
    half_right = sum(int(i[1:]) % 2 == 0 for i in calibration) / len(calibration)
    assert fleet.models["tiny-7b"].quality == pytest.approx(half_right, abs=1e-4)


def test_incomplete_and_repeated_prompts_are_dropped_and_counted(tmp_path, record):
    prompts = {f"p{i}": f"Question {i}" for i in range(6)} | {"p6": "Question 1", "p7": None}
    rows = [(p, m, 1.0, f"{m} {p}", 0.01) for p in prompts for m in ("gpt-4-a", "b")]
    rows = [r for r in rows if r[:2] != ("p0", "b")]
    rows = [(p, m, None if p == "p2" else s, r, c) for p, m, s, r, c in rows]
    rows = [(p, m, s, None if (p, m) == ("p3", "b") else r, c) for p, m, s, r, c in rows]
    fleet = Fleet.recorded(record(tmp_path, prompts, rows))
    kept = {item.id for item in fleet._source._by_text.values()}
    assert kept == {"p1", "p4", "p5"}
    assert "3 prompts kept; dropped 3" in fleet.notes[-1]
    assert "1 whose text" in fleet.notes[-1]


def test_a_model_without_answers_is_left_out_and_named(tmp_path, record):
    rows = [(f"p{i}", m, 1.0, "x" if m == "a" else None, 0.01) for i in range(9) for m in "ab"]
    fleet = Fleet.recorded(record(tmp_path, {f"p{i}": f"Q{i}" for i in range(9)}, rows))
    assert list(fleet.models) == ["a"]
    assert "no answers recorded: b" in fleet.notes[0]


def test_without_recorded_cost_list_prices_are_used_where_they_are_known(tmp_path, record):
    rows = [(f"p{i}", m, 1.0, "x", None) for i in range(9) for m in ("gpt-4o", "made-up-1")]
    folder = record(
        tmp_path, {f"p{i}": f"Q{i}" for i in range(9)}, rows, cost_usd=[None] * len(rows)
    )
    fleet = Fleet.recorded(folder)
    assert list(fleet.models) == ["gpt-4o"]
    assert fleet.models["gpt-4o"].prices.output > fleet.models["gpt-4o"].prices.input > 0
    assert any("made-up-1" in note for note in fleet.notes)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"score": [1.0, 7.0]}, ["outcomes.parquet", "score", "row 1", "7.0"]),
        ({"score": ["good", "bad"]}, ["score", "row 0", "'good'"]),
        ({"cost_usd": [0.1, -2.0]}, ["cost_usd", "row 1", "-2.0"]),
        ({"model": ["a", None]}, ["model", "row 1", "None"]),
        ({"response": [1, 2]}, ["response", "row 0", "1"]),
        ({"prompt_id": ["p0", "p0"], "model": ["a", "a"]}, ["row 1 repeats", "'a'", "'p0'"]),
        ({"response": [None, None]}, ["response", "can be served"]),
        ({"score": [None, None]}, ["no prompt has a score", "can be served"]),
    ],
)
def test_bad_data_is_an_error_with_file_column_and_row(tmp_path, record, columns, words):
    rows = [("p0", "a", 1.0, "x", 0.1), ("p1", "a", 1.0, "y", 0.1)]
    folder = record(tmp_path, {"p0": "Q", "p1": "R"}, rows, **columns)
    with pytest.raises(ConfigError) as wrong:
        Fleet.recorded(folder)
    for word in words:
        assert word in str(wrong.value)


def test_a_source_without_a_column_of_answers_says_which_can_be_served(tmp_path, record):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = record(tmp_path, {"p0": "Q"}, [("p0", "a", 1.0, "x", 0.1)])
    pq.write_table(pa.table({"prompt_id": ["p0"], "model": ["a"]}), folder / "outcomes.parquet")
    with pytest.raises(ConfigError, match=r"'score'.*can be served"):
        Fleet.recorded(folder)


def test_a_folder_without_the_files_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"prompts\.parquet.*Name a folder"):
        Fleet.recorded(tmp_path / "nowhere")


def test_without_pyarrow_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="tierwise\\[outcomes\\]"):
        Fleet.recorded(tmp_path)


def test_routerbench_reproduces_its_base_rates():
    fleet = Fleet.recorded(shared("routerbench"))
    items = list(fleet._source._by_text.values())
    assert len(items) == 2335
    # Score and USD per 1,000 requests as the README of the recordings has them.
    published = {
        "gpt-4-1106-preview": (0.879, 5.02),
        "yi-34b-chat": (0.773, 0.33),
        "gpt-3.5-turbo-1106": (0.732, 0.42),
        "mixtral-8x7b-chat": (0.741, 0.25),
        "mistral-7b-chat": (0.584, 0.08),
    }
    for model, (score, cost) in published.items():
        scores = [fleet.score(i, model, fleet.expected(i, model)) for i in items]
        costs = [fleet.cost(i, model) for i in items]
        # 12 of 2,347 prompts are dropped, which moves a mean by half a point at most.
        assert sum(scores) / len(scores) == pytest.approx(score, abs=0.006)
        assert 1000 * sum(costs) / len(costs) == pytest.approx(cost, abs=0.006)
    assert fleet.reference == "gpt-4-1106-preview"


def test_prices_fitted_to_cascades_are_the_list_prices():
    fleet = Fleet.recorded(shared("cascades"))
    prices = {name: model.prices for name, model in fleet.models.items()}
    assert (prices["gpt-4o"].input, prices["gpt-4o"].output) == pytest.approx((2.5, 10.0), 0.01)
    assert prices["llama3.1-405b"].output == pytest.approx(3.0, 0.01)


def test_a_source_without_answers_cannot_be_served():
    with pytest.raises(ConfigError, match="can be served"):
        Fleet.recorded(shared("paretobandit"))
