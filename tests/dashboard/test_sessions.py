"""Cookies of logins: only this gateway makes and reads them."""

from __future__ import annotations

import base64

import pytest

from builders import Clock
from tierwise.dashboard.sessions import Session, Sessions

SECRET = b"s" * 32


def test_what_was_sealed_is_read_again() -> None:
    sessions = Sessions(SECRET, 60)
    session = sessions.new(digest=b"d" * 32)
    assert sessions.open(sessions.seal(session)) == session


def test_a_login_is_over_after_its_time() -> None:
    clock = Clock()
    sessions = Sessions(SECRET, 60, clock)
    cookie = sessions.seal(sessions.new(address="ann@example.org"))
    clock.now += 59
    assert sessions.open(cookie) is not None
    clock.now += 1
    assert sessions.open(cookie) is None


def test_another_secret_reads_nothing() -> None:
    cookie = Sessions(SECRET, 60).seal(Sessions(SECRET, 60).new(digest=b"d" * 32))
    assert Sessions(b"t" * 32, 60).open(cookie) is None


def test_a_changed_cookie_is_none() -> None:
    sessions = Sessions(SECRET, 60)
    data = bytearray(base64.urlsafe_b64decode(sessions.seal(sessions.new(digest=b"d" * 32))))
    for place in range(len(data)):
        spoiled = bytearray(data)
        spoiled[place] ^= 1
        assert sessions.open(base64.urlsafe_b64encode(spoiled).decode()) is None


@pytest.mark.parametrize("cookie", [None, "", "x", "AAAA", "A" * 5000, "ä", "=" * 80])
def test_nonsense_is_none(cookie: str | None) -> None:
    assert Sessions(SECRET, 60).open(cookie) is None


def test_a_cookie_does_not_show_what_is_in_it() -> None:
    sessions = Sessions(SECRET, 60)
    cookie = sessions.seal(sessions.new(address="ann@example.org", digest=b"d" * 32))
    hidden = base64.urlsafe_b64decode(cookie)
    assert b"ann@" not in hidden
    assert b"dddd" not in hidden
    assert sessions.seal(sessions.new(address="ann@example.org"))[:16] != cookie[:16]


def test_the_token_of_one_login_is_not_that_of_another() -> None:
    sessions = Sessions(SECRET, 60)
    mine, theirs = sessions.new(), sessions.new()
    assert sessions.is_token(mine, sessions.token(mine))
    assert not sessions.is_token(mine, sessions.token(theirs))
    assert not sessions.is_token(mine, "ä")
    assert isinstance(mine, Session)
