from __future__ import annotations

from tierwise.state.traffic import WINDOW, Traffic


def after(*novelties: float) -> Traffic:
    traffic = Traffic()
    for novelty in novelties:
        traffic.saw(novelty)
    return traffic


def test_a_few_strange_prompts_are_not_foreign_traffic() -> None:
    assert not after().foreign
    assert not after(1.0, 1.0, 1.0).foreign
    assert not after(*[0.0] * 50, *[1.0] * 10).foreign


def test_many_strange_prompts_are() -> None:
    assert after(*[0.0] * 40, *[1.0] * 20).foreign


def test_only_the_last_prompts_count() -> None:
    assert not after(*[1.0] * WINDOW, *[0.0] * WINDOW).foreign
    assert after(*[0.0] * WINDOW, *[1.0] * WINDOW).foreign
