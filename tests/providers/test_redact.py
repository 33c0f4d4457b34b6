"""No key survives in what is shown of an error, whatever its shape and wherever it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tierwise.providers.errors import classify, redact


def an_error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "param": None, "code": None}}


SECRETS = [
    "sk-abcdefghijklmnop",
    "gsk_abcdefghijklmnop",
    "0123456789abcdef0123456789abcdef",
    'quote"and\\slash/key',
    "schlüssel-größe",
    "key with spaces",
    "abc",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_the_deployment_s_own_key_never_survives(secret: str, status: int) -> None:
    for body in (
        json.dumps(an_error(f"The key {secret} is wrong")).encode(),
        json.dumps(an_error(f"The key {secret} is wrong"), ensure_ascii=False).encode(),
        json.dumps({"error": {"message": "x", "got": {"key": secret}}}).encode(),
        f"plain {secret} text".encode(),
    ):
        error = classify(status, {}, body, secrets=[secret])
        assert secret not in error.message + str(error)
        assert secret not in (error.body or b"").decode()
        assert secret not in str(decoded(error.body))


def decoded(body: bytes | None) -> Any:
    """What a client sees in a body, if it is JSON."""
    try:
        return json.loads(body or b"null")
    except ValueError:
        return None


def test_a_key_in_escapes_is_still_found() -> None:
    body = b'{"error":{"message":"key \\u0073\\u006b-abcdefghijkl","code":"x"}}'
    error = classify(400, {}, body, secrets=["sk-abcdefghijkl"])
    assert error.body is not None
    assert "abcdefghijkl" not in error.message + error.body.decode()


@pytest.mark.parametrize(
    "text",
    [
        "key sk-proj-Abc_123-xyz789 wrong",
        "https://api.example.com/v1?key=Zx81pQ77&x=1",
        "https://api.example.com/v1?x=1&api_key=Zx81pQ77",
        "https://api.example.com/sk-Zx81pQ77abc/v1",
        "https://user:Zx81pQ77@example.com/v1",
        "header Authorization: Bearer Zx81pQ77.abc-def",
        "header authorization: bearer Zx81pQ77abc",
        "gsk_Zx81pQ77abcdef",
        "xai-Zx81pQ77abcdefghijkl",
        "tw-Zx81pQ77abcdefghijkl-mnop_qrstuvwxyz012345",
        "hf_Zx81pQ77abcdefghijkl",
        "my_sk-Zx81pQ77abc",
        "AIzaZx81pQ77abcdefghijklmnop",
        "eyJhbGciOiJI.eyJzdWIiOiIx.Zx81pQ77",
    ],
)
def test_anything_that_looks_like_a_key_is_hidden(text: str) -> None:
    shown = redact(text)
    assert "Zx81pQ77" not in shown
    assert "Abc_123" not in shown
    assert "[redacted]" in shown


@pytest.mark.parametrize(
    "text",
    [
        "a task-specific risk-assessment",
        "model xai-org/grok-1 and hf-internal/tiny",
        "see https://console.groq.com/settings/billing?tab=limits",
        "https://api.example.com:8000/v1/chat",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert redact(text) == text


def test_a_placeholder_key_does_not_garble_the_message() -> None:
    assert redact("the modern x is x", ["x"]) == "the modern [redacted] is [redacted]"
    assert redact("something", ["", "th"]) == "something"


def test_a_key_quoted_in_a_url_is_hidden() -> None:
    assert "slash" not in redact("https://h/v1/a%2Fslash%2Fkey9", ["a/slash/key9"])
