"""Everything in deploy/ that a tool on this machine can check is right."""

from __future__ import annotations

import pytest

from deployment.checks import checks


@pytest.mark.parametrize("name", checks())
def test_deploy_is_right(name: str) -> None:
    outcome = checks()[name]()
    if outcome.passed is None:
        pytest.skip(outcome.words)
    assert outcome.passed, outcome.words
