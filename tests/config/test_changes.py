"""What a reload says of a configuration, without any secret in it."""

from __future__ import annotations

from typing import Any

import pytest

from tierwise.config import Config, from_mapping
from tierwise.config.changes import changes


def config(url: str, **sections: Any) -> Config:
    some = {"preset": "openai_compatible", "base_url": url, "models": ["gpt-4o"]}
    return from_mapping({"providers": {"some": some}, **sections}, {})


def told(before: Config, after: Config) -> list[str]:
    return [str(change) for change in changes(before, after)]


def test_what_is_new_gone_and_otherwise_is_told_by_its_field() -> None:
    before = config("http://one/v1", policies={"mine": {"quality": 0.9, "deny": ["some"]}})
    after = config("http://two/v1", policies={"mine": {"quality": 0.8, "reference": "gpt-4o"}})
    assert told(before, after) == [
        "~ providers.some.base_url: http://one/v1 -> http://two/v1",
        "+ policies.mine.reference: gpt-4o",
        "~ policies.mine.quality: 0.9 -> 0.8",
        "~ policies.mine.deny: ['some'] -> []",
    ]
    assert told(before, before) == []


def test_of_what_is_new_or_gone_only_what_is_written_is_told() -> None:
    keys = {"api_keys": ["tw-secret", {"key": "tw-another", "name": "batch"}]}
    before = config("http://one/v1")
    after = config("http://one/v1", policies={"mine": {"quality": 0.95}}, server=keys)
    assert told(before, after) == [
        "+ server.api_keys.0: (secret)",
        "+ server.api_keys.1.key: (secret)",
        "+ server.api_keys.1.name: batch",
        "+ policies.mine.quality: 0.95",
    ]
    assert told(after, before) == [line.replace("+", "-") for line in told(before, after)]


@pytest.mark.parametrize("password", ["short", "long" * 30])
def test_a_password_in_a_url_is_not_told_wherever_the_url_is_cut_off(password: str) -> None:
    (said,) = told(config("http://h/v1"), config(f"https://me:{password}@host/v1"))
    assert password[:5] not in said
    assert said == "~ providers.some.base_url: http://h/v1 -> https://(secret)@host/v1"
