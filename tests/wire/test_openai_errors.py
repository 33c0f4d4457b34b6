"""Every error reaches an OpenAI client in the shape that its SDK knows."""

from __future__ import annotations

import json

import pytest

from tierwise.errors import (
    AllPathsFailed,
    AuthenticationFailed,
    BodyTooLarge,
    ContextTooLong,
    DeadlineExceeded,
    InvalidRequest,
    TierwiseError,
    UnknownModel,
    UpstreamRejected,
)
from tierwise.wire.openai_errors import render


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (InvalidRequest("no", param="n"), 400, "invalid_request_error", "invalid_request"),
        (AuthenticationFailed("no"), 401, "authentication_error", "invalid_api_key"),
        (UnknownModel("no"), 404, "invalid_request_error", "model_not_found"),
        (BodyTooLarge("no"), 413, "invalid_request_error", "request_too_large"),
        (AllPathsFailed(["a"]), 503, "server_error", "all_paths_failed"),
        (
            AllPathsFailed(["a"], rate_limited=True),
            429,
            "rate_limit_error",
            "rate_limit_exceeded",
        ),
        (DeadlineExceeded("late"), 504, "server_error", "deadline_exceeded"),
        (ContextTooLong("long", status=400), 400, "invalid_request_error", "context_too_long"),
        (TierwiseError("bug"), 500, "server_error", "internal_error"),
    ],
)
def test_an_error_has_its_status_type_and_code(
    error: TierwiseError, status: int, kind: str, code: str
) -> None:
    got, body, _ = render(error)
    shown = json.loads(body)["error"]
    assert (got, shown["type"], shown["code"]) == (status, kind, code)


@pytest.mark.parametrize(
    "error",
    [
        AllPathsFailed(["a: timeout", "b: rate_limited"], retry_after=2.2),
        DeadlineExceeded("late", ["a: timeout", "b: rate_limited"], retry_after=2.2),
    ],
)
def test_a_spent_plan_says_why_and_when_to_come_back(error: TierwiseError) -> None:
    _, body, headers = render(error)
    assert headers["retry-after"] == "3"
    message = json.loads(body)["error"]["message"]
    assert "a: timeout" in message
    assert "b: rate_limited" in message


def test_a_provider_s_own_error_body_is_kept_if_it_has_the_known_shape() -> None:
    own = b'{"error":{"message":"bad temperature","type":"x","param":"temperature"}}'
    assert render(UpstreamRejected("m", status=422, body=own)) == (422, own, {})


@pytest.mark.parametrize(
    "own",
    [
        *(b"<html>", b'{"detail":"x"}', b'{"error":"x"}', b"[]", b'{"error":{"message":{}}}'),
        *(b'{"error":{"message":"\xff"}}', b'{"error":' * 100_000),
    ],
)
def test_any_other_error_body_is_put_into_the_known_shape(own: bytes) -> None:
    status, body, _ = render(UpstreamRejected("bad temperature", status=422, body=own))
    assert status == 422
    assert json.loads(body)["error"]["message"] == "bad temperature"


def test_an_internal_error_gives_nothing_away() -> None:
    _, body, _ = render(TierwiseError("a secret path"))
    assert b"secret" not in body
