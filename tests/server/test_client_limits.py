"""A key that has used up what it may ask for is told so; others are served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway import KEY, Provider, RunningGateway, chat, config_for, fails, says

LIMITED, COUNTED = "limited-key", "counted-key"


@pytest.fixture(scope="module")
def limited() -> Iterator[RunningGateway]:
    keys = [KEY, {"key": LIMITED, "limits": {"rpm": 2}}]
    with Provider() as provider:
        config = config_for(provider.url, server={"api_keys": keys})
        with RunningGateway(config) as gateway:
            yield gateway


@pytest.mark.parametrize("stream", [False, True])
def test_a_key_at_its_limit_gets_an_honest_429_and_another_is_served(
    limited: RunningGateway, stream: bool
) -> None:
    answers = [chat(limited.url, key=LIMITED, stream=stream) for _ in range(3)]
    reply = answers[-1]
    assert reply.status == 429
    assert reply.error["code"] == "rate_limit_exceeded"
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert LIMITED not in reply.error["message"]
    assert chat(limited.url, stream=stream).status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_nobody_answers_takes_no_tokens_of_its_key(stream: bool) -> None:
    keys = [{"key": COUNTED, "limits": {"tpm": 1000}}]
    with Provider() as provider:
        config = config_for(provider.url, server={"api_keys": keys})
        with RunningGateway(config) as gateway:

            def ask() -> int:
                options = {"key": COUNTED, "stream": stream, "max_tokens": 900}
                return chat(gateway.url, **options).status

            provider.acts["small"] = fails(400, {"message": "no such parameter"})
            assert [ask(), ask()] == [400, 400]
            provider.acts["small"] = fails(500, {"message": "broken"})
            assert [ask(), ask()] == [503, 503]
            provider.acts["small"] = says("Hello")
            gateway.forget()
            assert ask() == 200
