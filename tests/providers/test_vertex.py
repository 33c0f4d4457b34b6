"""Vertex AI is asked with tokens that are fetched and renewed beside the requests."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from builders import Clock, a_deployment
from tierwise.errors import ConfigError, ConnectFailed, OutOfService
from tierwise.providers import HttpRequest, Transport
from tierwise.providers.google_token import AccessToken, google_credentials
from tierwise.providers.vertex import Vertex
from tierwise.types import Task
from upstream import Reply, upstreams

BODY = b'{"contents": [{"parts": [{"text": "Hello"}]}]}'
TASK = Task(body=BODY, model="auto", messages=[], dialect="gemini")
PROJECT = "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/global"
HOUR = 3600.0
CALL = HttpRequest(PROJECT, {}, BODY)


def a_vertex(base_url: str = PROJECT, token: AccessToken | None = None, **fields: Any) -> Vertex:
    place = a_deployment("gemini-3.8-flash", "vertex", base_url=base_url, **fields)
    return Vertex(place, token)


class Issuer:
    """Gives out tokens that are good for an hour; `wrong` is raised in place of one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.calls = 0
        self.wrong: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self._clock = clock

    def __call__(self) -> tuple[str, float]:
        self.calls += 1
        self.gate.wait(5)
        if self.wrong is not None:
            raise self.wrong
        return f"token-{self.calls}", self._clock() + HOUR


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> Issuer:
    return Issuer(clock)


@pytest.fixture
def token(issuer: Issuer, clock: Clock) -> AccessToken:
    return AccessToken(issuer, clock)


async def test_a_project_is_asked_with_a_token(token: AccessToken) -> None:
    request = a_vertex(token=token).request(TASK)
    assert request.url == f"{PROJECT}/publishers/google/models/gemini-3.8-flash:generateContent"
    assert request.body is BODY
    assert "x-goog-api-key" not in request.headers
    assert request.authorise is not None
    assert await request.authorise(request) == {"authorization": "Bearer token-1"}


def test_express_mode_is_asked_with_a_key() -> None:
    base = "https://aiplatform.googleapis.com/v1beta1"
    request = a_vertex(base, api_key="AQ.secret").request(TASK)
    assert request.url == f"{base}/publishers/google/models/gemini-3.8-flash:generateContent"
    assert request.headers["x-goog-api-key"] == "AQ.secret"
    assert request.authorise is None


def test_a_header_of_the_configuration_stands_in_for_a_token() -> None:
    request = a_vertex(headers=(("authorization", "Bearer mine"),)).request(TASK)
    assert request.headers["authorization"] == "Bearer mine"
    assert request.authorise is None


async def test_credentials_are_sent_with_the_request(token: AccessToken) -> None:
    async with upstreams(Reply(body=b"{}")) as (upstream,):
        request = a_vertex(token=token).request(TASK)
        transport = Transport()
        url = upstream.base_url + "/chat/completions"
        sent = HttpRequest(url, request.headers, request.body, 5.0, request.authorise)
        await transport.send(sent, 5)
        await transport.close()
    headers = {name.lower(): value for name, value in upstream.asked[0].headers.items()}
    assert headers["authorization"] == "Bearer token-1"


async def test_one_token_serves_many_requests(token: AccessToken, issuer: Issuer) -> None:
    first = await asyncio.gather(*(token.authorise(CALL) for _ in range(20)))
    assert {one["authorization"] for one in first} == {"Bearer token-1"}
    assert issuer.calls == 1


async def test_a_token_is_renewed_before_it_expires_and_nobody_waits_for_it(
    token: AccessToken, issuer: Issuer, clock: Clock
) -> None:
    await token.authorise(CALL)
    clock.forward(HOUR - 200)
    issuer.gate.clear()
    assert await token.authorise(CALL) == {"authorization": "Bearer token-1"}
    issuer.gate.set()
    while await token.authorise(CALL) == {"authorization": "Bearer token-1"}:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert await token.authorise(CALL) == {"authorization": "Bearer token-2"}


async def test_an_expired_token_is_not_sent(
    token: AccessToken, issuer: Issuer, clock: Clock
) -> None:
    await token.authorise(CALL)
    clock.forward(HOUR)
    assert await token.authorise(CALL) == {"authorization": "Bearer token-2"}


async def test_the_loop_goes_on_while_a_token_is_fetched(
    token: AccessToken, issuer: Issuer
) -> None:
    issuer.gate.clear()
    waiting = asyncio.ensure_future(token.authorise(CALL))
    while not issuer.calls:  # noqa: ASYNC110 - it is in a thread
        await asyncio.sleep(0.001)
    assert not waiting.done()
    issuer.gate.set()
    assert await waiting == {"authorization": "Bearer token-1"}


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (ConnectFailed("no way"), ConnectFailed),
        (OutOfService("revoked"), OutOfService),
        (OSError("no such file"), OutOfService),
    ],
)
async def test_without_a_token_the_call_fails_and_is_left_alone_for_a_while(
    token: AccessToken, issuer: Issuer, clock: Clock, wrong: Exception, kind: type[Exception]
) -> None:
    issuer.wrong = wrong
    for _ in range(3):
        with pytest.raises(kind):
            await token.authorise(CALL)
    assert issuer.calls == 1
    issuer.wrong = None
    clock.forward(60)
    assert await token.authorise(CALL) == {"authorization": "Bearer token-2"}


async def test_a_failed_renewal_does_not_spoil_a_token_that_is_good(
    token: AccessToken, issuer: Issuer, clock: Clock
) -> None:
    await token.authorise(CALL)
    clock.forward(HOUR - 200)
    issuer.wrong = ConnectFailed("no way")
    for _ in range(20):
        assert await token.authorise(CALL) == {"authorization": "Bearer token-1"}
        await asyncio.sleep(0)


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigError) as caught:
        a_vertex()
    assert caught.value.field == "providers.vertex"
    assert "tierwise[vertex]" in str(caught.value)


async def test_google_s_own_library_fetches_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    auth: Any = pytest.importorskip("google.auth", reason="the extra `vertex` is not installed")
    pytest.importorskip("requests", reason="the extra `vertex` is not installed")
    from datetime import UTC, datetime, timedelta

    class Credentials:
        token = ""
        expiry: datetime | None = None

        def refresh(self, _: object) -> None:
            self.token = "from-google"
            self.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)

    def some(**_: object) -> tuple[Credentials, str]:
        return Credentials(), "project"

    monkeypatch.setattr(auth, "default", some)
    found, expires = google_credentials("vertex")()
    assert found == "from-google"
    assert 3500 < expires - time.time() < 3700

    def none(**_: object) -> None:
        raise auth.exceptions.DefaultCredentialsError("none found")

    monkeypatch.setattr(auth, "default", none)
    with pytest.raises(OutOfService, match="none found"):
        google_credentials("vertex")()
