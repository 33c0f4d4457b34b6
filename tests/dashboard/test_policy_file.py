"""A policy is changed in its file, and nothing else with it."""

from __future__ import annotations

import pytest
import yaml

from tierwise.dashboard.policy_file import difference, in_file, with_policy

FILE = """\
# Ours.
providers:
  openai:  # the main one
    models: [gpt-4o]

policies:
    # What everybody gets.
    auto:
        quality: 0.9
        gates:
            - complete
            - json_schema
    # For batch jobs.
    economy:
        quality: 0.7  # low

# The rest.
ledger: {path: x.db}
"""


def test_a_policy_that_is_there_is_changed_in_place() -> None:
    text = with_policy(FILE, "auto", {"quality": 0.8})
    assert text == FILE.replace(
        "        quality: 0.9\n        gates:\n            - complete\n            - json_schema\n",
        "      quality: 0.8\n",
    )
    assert yaml.safe_load(text)["policies"]["auto"] == {"quality": 0.8}


def test_a_new_policy_follows_the_last_one() -> None:
    text = with_policy(FILE, "frugal", {"quality": 0.5, "deny": ["gpt-4o"]})
    data = yaml.safe_load(text)
    assert data["policies"]["frugal"] == {"quality": 0.5, "deny": ["gpt-4o"]}
    assert list(data["policies"]) == ["auto", "economy", "frugal"]
    for line in FILE.splitlines():
        assert line in text.splitlines()
    assert text.index("frugal") < text.index("# The rest.")


@pytest.mark.parametrize(
    "text",
    [
        "providers: {a: {models: [m]}}\nserver:\n  port: 1\n",
        "server:\n  port: 1\npolicies:\n",
        "server:\n  port: 1\npolicies: {}\n",
        "server:\n  port: 1\npolicies: {old: {quality: 1}}\nledger: {path: x}\n",
        '{"server": {"port": 1}, "policies": {"old": {"quality": 1}}}',
        '{"server": {"port": 1}}',
        "server:\n  port: 1",
        "policies:\n  auto:\n    quality: 0.5",
        "policies:\n  auto:\nserver:\n  port: 1\n",
    ],
)
def test_every_shape_of_file_gets_it_and_keeps_the_rest(text: str) -> None:
    before = yaml.safe_load(text)
    after = yaml.safe_load(with_policy(text, "auto", {"quality": 0.8}))
    wanted = {**before, "policies": {**(before.get("policies") or {}), "auto": {"quality": 0.8}}}
    assert after == wanted


def test_a_rubric_of_several_lines_is_replaced_whole() -> None:
    text = "policies:\n  auto:\n    rubric: |\n      one\n\n      two\n  best: {quality: 1}\n"
    after = with_policy(text, "auto", {"quality": 0.8})
    assert after == "policies:\n  auto:\n    quality: 0.8\n  best: {quality: 1}\n"


def test_what_a_file_says_of_a_policy_is_read() -> None:
    assert in_file(FILE, "economy") == {"quality": 0.7}
    assert in_file(FILE, "nothing") == {}
    assert in_file("", "auto") == {}


def test_the_difference_names_what_goes_and_what_comes() -> None:
    lines = difference(FILE, with_policy(FILE, "economy", {"quality": 0.6}), "tierwise.yaml")
    assert "-        quality: 0.7  # low" in lines
    assert "+      quality: 0.6" in lines
