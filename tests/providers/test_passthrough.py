"""Where calls lead that are passed through, and with which key."""

from __future__ import annotations

import pytest

from builders import a_deployment
from tierwise.errors import Unsatisfiable
from tierwise.providers.passthrough import credentials, url_of


@pytest.mark.parametrize(
    ("base", "path", "leads"),
    [
        ("https://api.openai.com/v1", "/v1/files?a=1", "https://api.openai.com/v1/files?a=1"),
        ("https://api.openai.com/v1/", "/v1/files", "https://api.openai.com/v1/files"),
        ("https://api.openai.com/v1", "/assistants", "https://api.openai.com/v1/assistants"),
        ("https://x.com/openai/v1", "/v1/audio/speech", "https://x.com/openai/v1/audio/speech"),
        ("https://x.com/api", "/v1/files", "https://x.com/api/files"),
        (
            "https://api.anthropic.com",
            "/v1/messages/batches",
            "https://api.anthropic.com/v1/messages/batches",
        ),
        (
            "https://google.com/v1beta",
            "/upload/v1beta/files",
            "https://google.com/upload/v1beta/files",
        ),
        ("http://127.0.0.1:8000/v1", "/v1/files", "http://127.0.0.1:8000/v1/files"),
    ],
)
def test_paths_lead_to_where_the_providers_own_do(base: str, path: str, leads: str) -> None:
    assert url_of(a_deployment("one", base_url=base), path) == leads


@pytest.mark.parametrize(
    ("dialect", "name", "value"),
    [
        ("openai_compatible", "authorization", "Bearer a-key"),
        ("openai_responses", "authorization", "Bearer a-key"),
        ("anthropic", "x-api-key", "a-key"),
        ("gemini", "x-goog-api-key", "a-key"),
        ("azure", "api-key", "a-key"),
    ],
)
def test_each_dialect_has_its_header_for_keys(dialect: str, name: str, value: str) -> None:
    place = a_deployment("one", dialect=dialect, api_key="a-key", headers=(("x-own", "1"),))
    assert credentials(place) == {"x-own": "1", name: value}


def test_what_signs_its_calls_cannot_be_passed_to() -> None:
    with pytest.raises(Unsatisfiable, match="bedrock"):
        credentials(a_deployment("one", dialect="bedrock", api_key="a-key"))
