"""What an adapter needs of its deployment, whatever it speaks: headers, and secrets kept."""

from __future__ import annotations

import pytest

from builders import a_deployment
from tierwise.errors import RateLimited, ServerFailed
from tierwise.providers.account import Account, secrets_of
from tierwise.providers.embedding import load_embedding_adapter

OURS = a_deployment(api_key="a-key-of-ours", headers=(("x-api-token", "another-one"), ("x-a", "b")))


def test_the_key_is_shown_as_the_provider_wants_it() -> None:
    assert Account(OURS).headers["authorization"] == "Bearer a-key-of-ours"
    headers = Account(OURS, lambda key: {"x-goog-api-key": key}).headers
    assert headers["x-goog-api-key"] == "a-key-of-ours"
    assert "authorization" not in headers
    assert headers["x-a"] == "b"


def test_headers_that_may_hold_a_secret_are_secrets() -> None:
    assert secrets_of(OURS, "a-key-of-ours", None) == ("another-one", "a-key-of-ours")


@pytest.mark.parametrize("secret", ["a-key-of-ours", "another-one"])
def test_no_secret_is_in_what_an_account_says(secret: str) -> None:
    account = Account(OURS)
    said = f"<html>{secret}".encode()
    assert secret not in account.error(500, {}, said).message
    error = account.no_stream(said)
    assert type(error) is ServerFailed
    assert "begins with <html>[redacted]" in error.message


def test_an_error_where_a_stream_should_begin_is_what_it_says() -> None:
    error = Account(OURS).no_stream(b'{"error":{"code":"429","message":"slow down"}}')
    assert (type(error), error.message) == (RateLimited, "slow down")


@pytest.mark.parametrize("dialect", ["openai_compatible", "gemini", "cohere"])
def test_what_embeds_keeps_the_secrets_in_its_headers_too(dialect: str) -> None:
    error = load_embedding_adapter(dialect)(OURS).error(500, {}, b"no such key: another-one")
    assert "another-one" not in error.message
