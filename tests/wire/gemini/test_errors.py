"""Errors as clients of Gemini read them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tierwise.errors import (
    AllPathsFailed,
    AuthenticationFailed,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    ServerFailed,
    TierwiseError,
    UpstreamRejected,
)
from tierwise.wire import sse
from tierwise.wire.gemini import GEMINI


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (InvalidRequest("bad", param="contents[0]"), 400, "INVALID_ARGUMENT"),
        (AuthenticationFailed("who?"), 401, "UNAUTHENTICATED"),
        (Overloaded("later", retry_after=2.5), 429, "RESOURCE_EXHAUSTED"),
        (AllPathsFailed(["a"], retry_after=3), 503, "UNAVAILABLE"),
        (DeadlineExceeded("late"), 504, "DEADLINE_EXCEEDED"),
        (ServerFailed("broken", status=200), 502, "UNAVAILABLE"),
        (UpstreamRejected("no", status=422, body=b'{"error": "x"}'), 422, "INVALID_ARGUMENT"),
        (TierwiseError("secret"), 500, "INTERNAL"),
    ],
)
def test_errors_have_google_s_shape(error: TierwiseError, status: int, word: str) -> None:
    code, body, headers = GEMINI.error(error)
    told = json.loads(body)["error"]
    assert (code, told["code"], told["status"]) == (status, status, word)
    assert "secret" not in told["message"]
    kinds = {detail["@type"].rpartition(".")[2]: detail for detail in told["details"]}
    assert "reason" in kinds["ErrorInfo"]
    if isinstance(error, InvalidRequest):
        assert kinds["BadRequest"]["fieldViolations"][0]["field"] == "contents[0]"
    if isinstance(error, Overloaded):
        assert kinds["RetryInfo"]["retryDelay"] == "2.500s"
        assert headers == {"retry-after": "3"}
    assert sse.payload(GEMINI.error_event(error)) == body


def test_a_deadline_that_passed_says_when_to_come_back() -> None:
    _, body, headers = GEMINI.error(DeadlineExceeded("late", retry_after=2.2))
    assert headers == {"retry-after": "3"}
    assert json.loads(body)["error"]["details"][-1]["retryDelay"] == "2.200s"
    _, body, headers = GEMINI.error(DeadlineExceeded("late", retry_after=0.0))
    assert headers == {"retry-after": "1"}
    assert json.loads(body)["error"]["details"][-1]["retryDelay"] == "1.000s"


def test_google_s_own_errors_pass_as_they_are() -> None:
    body = b'{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT", "x": 1}}'
    assert GEMINI.error(UpstreamRejected("no", status=400, body=body))[:2] == (400, body)


@pytest.mark.parametrize("said", [{"message": 7}, {"status": None}, {"code": "400"}])
def test_what_only_looks_like_google_s_own_error_is_put_into_its_shape(said: Any) -> None:
    error = {"code": 400, "message": "no", "status": "INVALID_ARGUMENT", **said}
    body = json.dumps({"error": error}).encode()
    shown = json.loads(GEMINI.error(UpstreamRejected("bad", status=400, body=body))[1])["error"]
    assert (shown["code"], shown["message"]) == (400, "bad")
