from __future__ import annotations

import pytest

from tierwise.state import sessions
from tierwise.state.sessions import CACHE_S, Sessions


def test_the_model_of_a_conversation_is_remembered_longer_than_its_cache_is_counted_on() -> None:
    known = Sessions()
    known.answered("talk", "small", 700, now=100.0)
    held = known.held("talk", now=100.0 + CACHE_S - 1)
    assert held is not None
    assert (held.model, held.tokens) == ("small", 700)
    later = known.held("talk", now=100.0 + CACHE_S)
    assert later is not None
    assert (later.model, later.tokens) == ("small", 0)


def test_requests_without_a_session_and_unknown_ones_are_held_by_nobody() -> None:
    known = Sessions()
    known.answered("talk", "small", 700, now=0.0)
    assert known.held(None, now=0.0) is None
    assert known.held("other", now=0.0) is None


def test_the_oldest_conversations_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 2)
    known = Sessions()
    for name in ("a", "b"):
        known.answered(name, "small", 1, now=0.0)
    known.answered("a", "small", 2, now=1.0)
    known.answered("c", "small", 1, now=2.0)
    assert known.held("b", now=2.0) is None
    assert known.held("a", now=2.0) is not None
