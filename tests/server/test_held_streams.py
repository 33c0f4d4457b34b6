"""What a client sees of a stream while its answer is being checked."""

from __future__ import annotations

import http.client
import json
import threading

import openai
import pytest

from gateway import (
    KEY,
    PATIENCE_S,
    Provider,
    RunningGateway,
    chat,
    config_for,
    fails,
    pauses,
)
from tierwise.server import sent as endpoint

CHAT = "/v1/chat/completions"


def open_stream(gateway: RunningGateway, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(gateway.host, timeout=PATIENCE_S)
    body = {
        "model": "stepwise",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
    }
    connection.request(
        "POST",
        CHAT,
        json.dumps(body),
        {"authorization": f"Bearer {KEY}", "content-type": "application/json", **headers},
    )
    return connection.getresponse()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "KEEP_ALIVE_S", 0.02)


@pytest.mark.usefixtures("impatient")
def test_a_stream_that_is_held_is_kept_alive_by_comments_and_then_flows(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = pauses(provider)
    reply = open_stream(gateway)
    assert (reply.status, reply.getheader("content-type")) == (
        200, "text/event-stream; charset=utf-8",
    )  # fmt: skip
    assert reply.readline() == b": the answer is being checked\n"
    provider.release.set()
    rest = reply.read()
    assert b": x-tierwise-model: small\n" in rest
    assert rest.count(b"data: [DONE]") == 1
    assert b"one " in rest
    assert b"two" in rest


@pytest.mark.usefixtures("impatient")
def test_the_official_client_reads_over_the_comments(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = pauses(provider)
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)
    threading.Timer(0.1, provider.release.set).start()
    stream = client.chat.completions.create(
        model="stepwise", messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    said = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
    assert said == "one two"


@pytest.mark.usefixtures("impatient")
def test_what_fails_after_the_first_comment_is_told_in_the_stream(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = pauses(provider, cut=True)
    provider.acts["large"] = fails(500, {"message": "no"})
    reply = open_stream(gateway)
    assert reply.readline().startswith(b": ")
    provider.release.set()
    last = reply.read().strip().rsplit(b"\n\n", 1)[-1]
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "all_paths_failed"


def test_the_caller_can_turn_the_checking_of_a_stream_off(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = pauses(provider, before="seen at once ")
    reply = open_stream(gateway, **{"x-tierwise-streams": "unchecked"})
    while b"seen at once" not in (line := reply.readline()):
        assert line
    assert not provider.release.is_set()
    provider.release.set()
    reply.read()


def test_an_unknown_way_to_check_streams_is_refused_by_name(gateway: RunningGateway) -> None:
    reply = chat(gateway.url, headers={"x-tierwise-streams": "maybe"})
    assert (reply.status, reply.error["param"]) == (400, "x-tierwise-streams")
    assert "held, prefix, unchecked" in reply.error["message"]


def test_a_policy_bounds_how_long_a_stream_is_held(provider: Provider) -> None:
    provider.acts["small"] = pauses(provider)
    step = {"tiers": [{"model": "small"}, {"model": "large"}], "hold_s": 0.001}
    data = config_for(provider.url, server={"api_keys": [KEY]}, policies={"stepwise": step})
    with RunningGateway(data) as gateway:
        reply = open_stream(gateway)
        provider.release.set()
        assert b"two" in reply.read()
        record = gateway.last_record()
    assert [a.outcome for a in record.attempts] == ["accepted"]
    assert record.attempts[0].verdicts == ()
