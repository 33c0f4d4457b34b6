"""A usage is read leniently in its form and strictly in its amounts: money depends on it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from tierwise.types import Usage
from tierwise.wire.openai_usage import read_usage

COUNTS = {"prompt_tokens": 10, "completion_tokens": 5}


def read(usage: Any, *, with_cost: bool = True) -> Usage | None:
    raw = usage if isinstance(usage, bytes) else json.dumps(usage).encode()
    return read_usage(Raw(raw), with_cost=with_cost)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            Usage(input_tokens=10, output_tokens=5),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(input_tokens=10, output_tokens=5, cached_input_tokens=4, reasoning_tokens=3),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 8},
            Usage(input_tokens=10, output_tokens=5, cached_input_tokens=8),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.25},
            Usage(input_tokens=10, output_tokens=5, cost_usd=0.25),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cache_write_tokens": 7, "cached_tokens": None},
                "completion_tokens_details": None,
            },
            Usage(input_tokens=10, output_tokens=5, cache_write_tokens=7),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": None,
                "prompt_tokens_details": None,
            },
            Usage(input_tokens=10, output_tokens=5),
        ),
        (
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(input_tokens=32, output_tokens=103, reasoning_tokens=94),
        ),
        (
            {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
            Usage(input_tokens=35, output_tokens=74, reasoning_tokens=62),
        ),
    ],
)
def test_usage_is_read_as_each_provider_writes_it(usage: dict[str, Any], expected: Usage) -> None:
    assert read(usage) == expected


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10.0, "completion_tokens": 5.0},
        {"prompt_tokens": "10", "completion_tokens": "5"},
        {**COUNTS, "prompt_tokens_details": [], "completion_tokens_details": []},
        {**COUNTS, "prompt_tokens_details": {"cached_tokens": "0"}},
        {**COUNTS, "prompt_cache_hit_tokens": None, "cost": None},
        {**COUNTS, "queue_time": [1.5, {}], "num_sources_used": "many"},
    ],
)
def test_an_odd_form_is_no_reason_to_doubt_the_counts(usage: dict[str, Any]) -> None:
    assert read(usage) == Usage(input_tokens=10, output_tokens=5)


def test_a_cost_in_quotes_is_a_cost() -> None:
    assert read({**COUNTS, "cost": "0.5"}) == Usage(input_tokens=10, output_tokens=5, cost_usd=0.5)


@pytest.mark.parametrize(
    "usage",
    [
        {**COUNTS, "prompt_tokens": -1},
        {**COUNTS, "completion_tokens": -3_000_000},
        {**COUNTS, "completion_tokens": "-3"},
        {**COUNTS, "prompt_tokens": 10**12 + 1},
        {**COUNTS, "prompt_tokens": 10**25},
        {**COUNTS, "prompt_tokens": str(10**25)},
        {**COUNTS, "total_tokens": 10**13},
        {**COUNTS, "total_tokens": -15},
        {**COUNTS, "prompt_tokens": 10.5},
        {**COUNTS, "prompt_tokens": True},
        {**COUNTS, "prompt_tokens": "ten"},
        {**COUNTS, "prompt_tokens": [10]},
        {**COUNTS, "prompt_tokens_details": {"cached_tokens": -4}},
        {**COUNTS, "prompt_tokens_details": {"cached_tokens": 11}},
        {**COUNTS, "prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 5}},
        {**COUNTS, "prompt_cache_hit_tokens": 11},
        {**COUNTS, "completion_tokens_details": {"reasoning_tokens": -1}},
        b'{"prompt_tokens":1e400}',
        b'{"prompt_tokens":10,"x":' + b"[" * 100_000,
    ],
)
def test_counts_beyond_reason_are_no_usage(usage: Any) -> None:
    assert read(usage) is None


@pytest.mark.parametrize(
    "cost",
    [b"-5", b'"-0.1"', b"1e300", b"1e400", b"1000000.5", b'"nan"', b'"inf"', b"true", b"[]", b"{}"],
)
def test_a_cost_beyond_reason_is_only_believed_by_nobody(cost: bytes) -> None:
    usage = b'{"prompt_tokens":10,"completion_tokens":5,"cost":' + cost + b"}"
    assert read(usage) is None
    assert read(usage, with_cost=False) == Usage(input_tokens=10, output_tokens=5)


def test_the_largest_amounts_are_still_believed() -> None:
    assert read({"prompt_tokens": 10**12, "completion_tokens": 0, "cost": 1e6}) == Usage(
        input_tokens=10**12, cost_usd=1e6
    )


@pytest.mark.parametrize(
    "usage",
    [
        b"",
        b"null",
        b"[]",
        b'"none"',
        b"7",
        b"{}",
        {"prompt_tokens": 0},
        {"completion_tokens": None},
    ],
)
def test_where_nothing_is_counted_there_is_no_usage(usage: Any) -> None:
    assert read(usage) is None
