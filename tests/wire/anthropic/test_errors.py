"""Every error reaches a client of the Messages API in the shape that its SDK knows."""

from __future__ import annotations

import json

import pytest

from messages_api import events_of
from tierwise.errors import (
    AllPathsFailed,
    AuthenticationFailed,
    BodyTooLarge,
    ContextTooLong,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    ServerFailed,
    StreamBroken,
    TierwiseError,
    UnknownModel,
    UpstreamRejected,
)
from tierwise.wire.anthropic import ANTHROPIC


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InvalidRequest("no", param="messages"), 400, "invalid_request_error"),
        (AuthenticationFailed("no"), 401, "authentication_error"),
        (UnknownModel("no"), 404, "not_found_error"),
        (BodyTooLarge("no"), 413, "request_too_large"),
        (Overloaded("no", retry_after=3), 429, "rate_limit_error"),
        (AllPathsFailed(["a"]), 503, "overloaded_error"),
        (AllPathsFailed(["a"], rate_limited=True), 429, "rate_limit_error"),
        (DeadlineExceeded("late"), 504, "timeout_error"),
        (ContextTooLong("long", status=400), 400, "invalid_request_error"),
        (ServerFailed("over", status=529), 529, "overloaded_error"),
        (StreamBroken("ended", status=200), 502, "api_error"),
        (TierwiseError("bug"), 500, "api_error"),
    ],
)
def test_an_error_has_its_status_and_type(error: TierwiseError, status: int, kind: str) -> None:
    got, body, _ = ANTHROPIC.error(error)
    shown = json.loads(body)
    assert (got, shown["type"], shown["error"]["type"]) == (status, "error", kind)


def test_a_spent_plan_says_when_to_come_back() -> None:
    _, body, headers = ANTHROPIC.error(AllPathsFailed(["a: timeout"], retry_after=2.2))
    assert headers["retry-after"] == "3"
    assert "a: timeout" in json.loads(body)["error"]["message"]


def test_a_deadline_that_passed_says_when_to_come_back() -> None:
    _, _, headers = ANTHROPIC.error(DeadlineExceeded("late", retry_after=2.2))
    assert headers["retry-after"] == "3"


def test_anthropic_s_own_error_keeps_its_body() -> None:
    own = b'{"type":"error","error":{"type":"invalid_request_error","message":"m"}}'
    error = UpstreamRejected("m", status=400, body=own)
    assert ANTHROPIC.error(error) == (400, own, {})


@pytest.mark.parametrize(
    "own",
    [
        *(b"<html>", b'{"error":{"message":"x"}}', b"[]", b"\xff"),
        *(b'{"type":"error","error":{"type":"x","message":7}}', b'{"type":"error"}'),
    ],
)
def test_any_other_error_body_is_put_into_the_known_shape(own: bytes) -> None:
    status, body, _ = ANTHROPIC.error(UpstreamRejected("bad", status=422, body=own))
    assert status == 422
    assert json.loads(body)["error"] == {"type": "invalid_request_error", "message": "bad"}


def test_an_internal_error_gives_nothing_away() -> None:
    _, body, _ = ANTHROPIC.error(TierwiseError("a secret path"))
    assert b"secret" not in body


def test_a_stream_ends_with_an_event_that_says_the_error() -> None:
    (event,) = events_of(ANTHROPIC.error_event(ServerFailed("gone", status=529)))
    assert event == {"type": "error", "error": {"type": "overloaded_error", "message": "gone"}}
