"""How long to wait is read in every way that providers say it, and never misread."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tierwise.providers.cooldown import (
    LONGEST_REST_S,
    LONGEST_WAIT_S,
    rest_after_answer,
    retry_after,
    retry_info,
)

SHARED = Path(os.environ.get("TIERWISE_SHARED", Path(__file__).parents[2].parent / "shared"))
CASSETTES = SHARED / "cassettes"
NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "7s"}, 7.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:12:50 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "9" * 400}, 86_400.0),
        ({"retry-after": "Mon, 01 Jan 99999 00:00:00 GMT"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30.5s"}, 90.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2h1m"}, 7260.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "9s"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "7.66s",
            },
            7.66,
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000045000"}, 45.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000012"}, 12.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "3"}, 3.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:50Z",
            },
            30.0,
        ),
        (
            {
                "anthropic-ratelimit-requests-remaining": "9",
                "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:50Z",
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2023-11-14T23:14:20+01:00",
            },
            60.0,
        ),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:50",
            },
            None,
        ),
        (
            {
                "retry-after": "2",
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:50Z",
            },
            2.0,
        ),
    ],
)
def test_the_delay_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=1_700_000_000.0) == pytest.approx(seconds)


def used_up(what: str, reset: str, limit: str | None = None) -> dict[str, str]:
    headers = {f"x-ratelimit-remaining-{what}": "0", f"x-ratelimit-reset-{what}": reset}
    return headers if limit is None else {**headers, f"x-ratelimit-limit-{what}": limit}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"content-type": "application/json"}, None),
        ({"x-ratelimit-remaining-requests": "12", "x-ratelimit-reset-requests": "1s"}, None),
        (used_up("requests", "60s", "60"), 1.0),
        (used_up("requests", "1s", "60"), 1 / 60),
        (used_up("requests", "20ms"), 0.02),
        (used_up("requests", "8h0m0s"), LONGEST_REST_S),
        (used_up("requests", "soon", "60"), None),
        (used_up("tokens", "1m0s", "150000"), 3.0),
        ({**used_up("tokens", "1m0s"), **used_up("requests", "100s", "20")}, 5.0),
        (
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2023-11-14T22:14:20Z",
            },
            1.2,
        ),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2023-11-14T22:00:00Z",
            },
            None,
        ),
    ],
)
def test_an_answer_that_uses_a_limit_up_says_when_the_next_is_worth_a_try(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert rest_after_answer(headers, now=NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (None, None),
        ("text", None),
        ({"details": "x"}, None),
        ({"details": [None, {"@type": 3}]}, None),
        ({"details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "34s"}]}, 34.0),
        ({"details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "0.5s"}]}, 0.5),
        ({"details": [{"@type": "x/google.rpc.RetryInfo"}]}, None),
        ({"details": [{"@type": "x/google.rpc.Help", "retryDelay": "34s"}]}, None),
    ],
)
def test_google_says_it_in_the_details(error: object, seconds: float | None) -> None:
    assert retry_info(error) == seconds


NAMES = st.sampled_from(
    [
        *("retry-after", "retry-after-ms"),
        *(f"x-ratelimit-{what}" for what in ("remaining-tokens", "reset-tokens", "limit-tokens")),
        *(f"anthropic-ratelimit-tokens-{what}" for what in ("remaining", "reset", "limit")),
    ]
)
VALUES = st.text("0123456789.:-+smhTZ aé²", max_size=30) | st.sampled_from(
    ["0", "-1", "nan", "inf", "1e9", "6m0s", "20ms"]
)
VALUES |= st.datetimes().map(lambda moment: moment.isoformat() + "Z")
VALUES |= st.integers(-(10**30), 10**30).map(str)


@given(headers=st.dictionaries(NAMES, VALUES))
def test_any_headers_give_a_wait_within_bounds_or_none(headers: dict[str, Any]) -> None:
    wait = retry_after(headers, NOW)
    assert wait is None or 0 <= wait <= LONGEST_WAIT_S
    rest = rest_after_answer(headers, NOW)
    assert rest is None or 0 < rest <= LONGEST_REST_S


def _recorded_waits() -> list[tuple[str, dict[str, str]]]:
    found = []
    for file in sorted(CASSETTES.glob("anthropic/*.yaml")):
        text = file.read_text(encoding="utf-8")
        if "retry-after" not in text:
            continue
        for interaction in yaml.safe_load(text)["interactions"]:
            headers = {n.lower(): v[0] for n, v in interaction["response"]["headers"].items()}
            if "retry-after" in headers:
                found.append((file.name, headers))
    return found


@pytest.mark.skipif(not CASSETTES.is_dir(), reason="the shared recordings are not here")
def test_a_recorded_delay_is_read_but_beside_an_answer_it_keeps_nobody_away() -> None:
    """Anthropic sends `retry-after` with answers of 200 as well."""
    recorded = _recorded_waits()
    assert recorded
    for name, headers in recorded:
        assert retry_after(headers, NOW) == float(headers["retry-after"]), name
        assert rest_after_answer(headers, NOW) is None, name
