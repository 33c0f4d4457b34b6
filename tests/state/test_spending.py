"""Probes keep within their share of what a policy's requests cost."""

from __future__ import annotations

from tierwise.state.spending import HEAD_START_USD, Spending

SHARE = 0.1


def test_the_first_requests_can_have_a_few_probes() -> None:
    spending = Spending()
    assert spending.reserve("auto", SHARE, SHARE * HEAD_START_USD)
    assert not spending.reserve("auto", SHARE, 1e-6)


def test_what_requests_cost_makes_room_for_probes_of_their_own_policy() -> None:
    spending = Spending()
    spending.add("auto", 1.0)
    assert spending.reserve("auto", SHARE, 0.1)
    assert not spending.reserve("auto", SHARE, 0.1)
    assert not spending.reserve("best", SHARE, 0.1)


def test_what_a_probe_cost_counts_and_not_what_was_expected() -> None:
    spending = Spending()
    spending.add("auto", 1.0)
    assert spending.reserve("auto", SHARE, 0.1)
    spending.settle("auto", 0.1, 0.0)
    assert spending.reserve("auto", SHARE, 0.1)
    spending.settle("auto", 0.1, 0.2)
    assert not spending.reserve("auto", SHARE, 1e-6)


def test_a_share_of_nothing_buys_nothing() -> None:
    spending = Spending()
    spending.add("auto", 1.0)
    assert not spending.reserve("auto", 0.0, 1e-6)
