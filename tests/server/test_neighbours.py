"""Where nobody needs a key, no page of elsewhere asks by way of a browser on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway import KEY, Provider, Reply, RunningGateway, call, config_for

PATHS = (
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/messages"),
    ("POST", "/v1beta/models/small:generateContent"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/feedback"),
    ("POST", "/v1/admin/reload"),
    ("GET", "/v1/status"),
    ("GET", "/v1/decisions/some"),
    ("GET", "/dashboard/models"),
)


@pytest.fixture(scope="module")
def open_one(_provider: Provider) -> Iterator[RunningGateway]:
    data = config_for(_provider.url, server={"cors_origins": ["https://named.example"]})
    with RunningGateway(data) as gateway:
        assert call(gateway.url, "GET", "/health/live", key=None).status == 200
        yield gateway


def ask(
    gateway: RunningGateway, method: str = "POST", path: str = PATHS[0][1], **headers: str
) -> Reply:
    body = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}
    sent = {"content-type": "text/plain", **headers}
    return call(gateway.url, method, path, body, key=None, headers=sent)


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("origin", "https://evil.example"),
        ("origin", "http://localhost.evil.example"),
        ("origin", "http://127.0.0.1.evil.example:4100"),
        ("origin", "null"),
        ("origin", "http://[evil"),
        ("host", "evil.example:4100"),
        ("host", "localhost.evil.example."),
        ("host", "[evil.example"),
    ],
)
def test_a_page_of_elsewhere_is_refused(
    open_one: RunningGateway, provider: Provider, method: str, path: str, header: str, value: str
) -> None:
    provider.seen.clear()
    reply = ask(open_one, method, path, **{header: value})
    assert reply.status == 403
    assert header in reply.body.decode()
    assert not provider.seen


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("origin", "http://localhost:3000"),
        ("origin", "http://127.0.0.1:8080"),
        ("origin", "http://[::1]:8080"),
        ("origin", "https://named.example"),
        ("origin", "vscode-webview://some"),
        ("host", "localhost:4100"),
        ("host", "[::1]:4100"),
        ("host", "192.168.1.7"),
        ("host", "host.docker.internal:4100"),
        ("host", "tierwise.default.svc:4100"),
        ("host", "gateway:4100"),
    ],
)
def test_programs_and_pages_of_this_machine_are_served(
    open_one: RunningGateway, header: str, value: str
) -> None:
    assert ask(open_one, **{header: value}).status == 200


def test_behind_a_proxy_that_is_named_any_host_may_be_meant(provider: Provider) -> None:
    data = config_for(provider.url, server={"trusted_proxies": ["127.0.0.1"]})
    with RunningGateway(data) as gateway:
        assert ask(gateway, host="llm.example").status == 200
        assert ask(gateway, host="llm.example", origin="https://evil.example").status == 403


def test_where_keys_are_needed_they_alone_count(provider: Provider) -> None:
    with RunningGateway(config_for(provider.url, server={"api_keys": [KEY]})) as gateway:
        sent = {"origin": "https://evil.example", "host": "llm.example"}
        assert call(gateway.url, "GET", "/v1/models", headers=sent).status == 200
