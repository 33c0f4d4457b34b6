"""Azure OpenAI is asked at the right place with the right key, and its own fields do no harm."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from builders import DONE, a_chunk, a_deployment, a_stream, a_task, an_answer
from tierwise.errors import ConfigError, OutOfService, UpstreamRejected
from tierwise.providers import Transport, azure
from tierwise.providers.azure import SCOPE, Azure
from tierwise.providers.http import HttpRequest
from upstream import says, upstreams

HOST = "https://name.openai.azure.com"


def an_adapter(base_url: str = HOST, **fields: Any) -> Azure:
    fields.setdefault("api_key", "secret-key")
    return Azure(a_deployment("gpt", "azure", base_url=base_url, upstream_model="my gpt", **fields))


@pytest.mark.parametrize(
    ("base_url", "chat", "models"),
    [
        (HOST, "/openai/v1/chat/completions", "/openai/v1/models"),
        (f"{HOST}/", "/openai/v1/chat/completions", "/openai/v1/models"),
        (f"{HOST}/openai", "/openai/v1/chat/completions", "/openai/v1/models"),
        (f"{HOST}/openai/v1/", "/openai/v1/chat/completions", "/openai/v1/models"),
        (
            f"{HOST}?api-version=2024-10-21",
            "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
            "/openai/models?api-version=2024-10-21",
        ),
        (
            f"{HOST}/openai/?api-version=2024-10-21",
            "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
            "/openai/models?api-version=2024-10-21",
        ),
    ],
)
def test_the_base_url_says_which_api_is_spoken(base_url: str, chat: str, models: str) -> None:
    adapter = an_adapter(base_url)
    assert adapter.request(a_task()).url == HOST + chat
    assert adapter.sign_of_life().url == HOST + models


def test_the_key_is_shown_in_its_own_header() -> None:
    headers = an_adapter().request(a_task()).headers
    assert headers["api-key"] == "secret-key"
    assert "authorization" not in headers


def test_the_deployment_is_named_in_the_body() -> None:
    assert json.loads(an_adapter().request(a_task()).body or b"")["model"] == "my gpt"


def test_cache_marks_of_other_providers_are_left_out() -> None:
    part = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}
    task = a_task(messages=[{"role": "user", "content": [part]}], tools=[tool])
    adapter = an_adapter(quirks=frozenset({"no-cache-marks"}))
    body = json.loads(adapter.request(task).body or b"")
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    assert body["tools"] == [{"type": "function", "function": {"name": "f"}}]


class Credential:
    """Gives tokens that are good for `good_s` seconds or raises `error`, and notes who asked."""

    def __init__(self) -> None:
        self.good_s = 3600.0
        self.error: Exception | None = None
        self.asked: list[tuple[str, int]] = []

    def get_token(self, scope: str) -> SimpleNamespace:
        self.asked.append((scope, threading.get_ident()))
        if self.error is not None:
            raise self.error
        return SimpleNamespace(token=f"t{len(self.asked)}", expires_on=time.time() + self.good_s)


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch) -> Credential:
    found = Credential()
    monkeypatch.setattr(azure, "_default_credential", lambda: found)
    monkeypatch.setattr(azure, "_has_identity", lambda: True)
    return found


async def headers_of(request: HttpRequest) -> dict[str, str]:
    assert request.authorise is not None
    return dict(await request.authorise(request))


async def test_without_a_key_a_token_is_shown_that_was_fetched_elsewhere(
    credential: Credential,
) -> None:
    async with upstreams(says(an_answer("Hi"))) as (upstream,):
        transport = Transport()
        request = an_adapter(api_key=None).request(a_task())
        await transport.send(replace(request, url=f"{upstream.base_url}/chat/completions"), 5)
        await transport.close()
    assert upstream.asked[0].headers["Authorization"] == "Bearer t1"
    (scope, thread), *_ = credential.asked
    assert scope == SCOPE
    assert thread != threading.get_ident()


async def test_a_token_is_fetched_once_for_many_calls(credential: Credential) -> None:
    adapter = an_adapter(api_key=None)
    calls = [adapter.request(a_task()), adapter.asking_logprobs().request(a_task())] * 5
    found = await asyncio.gather(*(headers_of(call) for call in calls))
    assert {one["authorization"] for one in found} == {"Bearer t1"}
    assert len(credential.asked) == 1


async def test_a_token_that_is_about_to_expire_is_fetched_anew(credential: Credential) -> None:
    credential.good_s = 60
    call = an_adapter(api_key=None).request(a_task())
    assert await headers_of(call) != await headers_of(call)


async def test_without_a_token_it_is_out_of_service(credential: Credential) -> None:
    credential.error = ValueError("no identity\nhere")
    with pytest.raises(OutOfService, match="no identity here"):
        await headers_of(an_adapter(api_key=None).request(a_task()))


def test_without_a_key_and_without_the_package_the_configuration_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(azure, "_has_identity", lambda: False)
    with pytest.raises(ConfigError, match=r"tierwise\[azure\]"):
        an_adapter(api_key=None)


def test_a_key_in_the_headers_is_one() -> None:
    adapter = an_adapter(api_key=None, headers=(("api-key", "k"),))
    assert adapter.request(a_task()).authorise is None


JUDGED = (
    b'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":'
    b'[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false}}}]}\n\n'
)


def test_a_chunk_that_judges_the_prompt_is_handed_on_and_names_no_model() -> None:
    reader = an_adapter().stream_reader(a_task(stream=True))
    stream = a_stream("Hello", model="gpt-2026")
    out = reader.feed(JUDGED) + b"".join(map(reader.feed, stream)) + reader.close()
    assert out.startswith(JUDGED)
    assert reader.reported_model == "gpt-2026"
    assert reader.finished


def test_a_stream_that_the_filter_ends_is_whole() -> None:
    ended = a_chunk(finish_reason="content_filter", content_filter_results={"hate": {}})
    reader = an_adapter().stream_reader(a_task(stream=True), keep=True)
    reader.feed(JUDGED + a_chunk("Hel") + ended + DONE)
    reader.close()
    assert reader.completion().finish_reason == "content_filter"


def test_errors_mean_what_they_say() -> None:
    missing = {
        "error": {
            "code": "DeploymentNotFound",
            "message": "The API deployment for this resource does not exist.",
        }
    }
    filtered = {
        "error": {
            "message": "The response was filtered due to the prompt triggering the policy.",
            "code": "content_filter",
            "param": "prompt",
            "status": 400,
            "innererror": {"code": "ResponsibleAIPolicyViolation"},
        }
    }
    adapter = an_adapter()
    assert type(adapter.error(404, {}, json.dumps(missing).encode())) is OutOfService
    assert type(adapter.error(400, {}, json.dumps(filtered).encode())) is UpstreamRejected
