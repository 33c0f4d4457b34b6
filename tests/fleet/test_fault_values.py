"""Faults are checked where they are set, and wrong ones are explained."""

from __future__ import annotations

import pytest

from tierwise.errors import ConfigError
from tierwise.fleet import Faults, Fleet
from tierwise.fleet.faults import Errors, Slow, read_faults


def test_json_is_read_into_faults():
    faults = read_faults(b'{"errors": {"status": 503, "share": 0.3}, "blackhole": true}')
    assert faults == Faults(errors=Errors(status=503, share=0.3), blackhole=True)


def test_an_empty_object_is_a_healthy_provider():
    assert read_faults(b"{}") == Faults()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"eror": {}}, ["'eror'", "Use one of: errors"]),
        ({"slow": {"facto": 2}}, ["faults.slow", "'facto'", "factor"]),
        ({"xyz": 1}, ["'xyz'", "blackhole", "cut", "garbage"]),
        ({"errors": {"share": 1.5}}, ["faults.errors.share", "1.0"]),
        ({"errors": {"status": 418}}, ["faults.errors.status", "418"]),
        ({"slow": {"seconds": -1}}, ["faults.slow.seconds"]),
        ({"rate_limit": {"retry_after": "soon"}}, ["faults.rate_limit.retry_after", "soon"]),
        ({"hang": {"when": "later"}}, ["faults.hang.when", "later"]),
        ({"blackhole": "yes"}, ["faults.blackhole"]),
    ],
)
def test_a_wrong_value_is_explained_with_its_field(data, words):
    with pytest.raises(ConfigError) as wrong:
        read_faults(data)
    for word in words:
        assert word in str(wrong.value)


def test_broken_json_is_explained_with_an_example():
    with pytest.raises(ConfigError, match=r"not valid JSON.*Send an object such as"):
        read_faults(b"{slow}")


def test_values_built_by_hand_are_checked_when_they_are_set():
    provider = Fleet.simulated().providers["alpha"]
    with pytest.raises(ConfigError, match="share"):
        provider.faults = Faults(slow=Slow(share=2.0))
    with pytest.raises(ConfigError, match=r"alpha serves no model 'sim-larg'.*sim-large"):
        provider.faults = Faults(slow=Slow(models=("sim-larg",)))
    assert provider.faults == Faults()
