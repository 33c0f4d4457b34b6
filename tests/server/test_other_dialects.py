"""A gateway some of whose providers speak another dialect than its clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway import Provider, RunningGateway, call, chat, config_for
from plain import answers, install

DROP = "x-tierwise-drop-unsupported"


@pytest.fixture
def gateway(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    """`small` and `large` are OpenAI's, `other` is served in words of `plain`."""
    install(monkeypatch)
    provider.acts["other"] = answers
    data = config_for(
        provider.url,
        policies={"far": {"allow": ["other"]}, "lenient": {"tiers": [{"model": "other"}],
                                                           "drop_unsupported": True}},
    )  # fmt: skip
    data["providers"]["far"] = {
        "dialect": "plain", "base_url": provider.url, "models": ["other"], "lacks": ["temperature"],
    }  # fmt: skip
    data["providers"]["part"] = {
        "base_url": provider.url, "models": ["partial"],
        "lacks": ["top_k", "json_schema", "video_url"],
    }  # fmt: skip
    data["models"]["partial"] = {"prices": {"input": 1, "output": 2}, "capabilities": ["tools"]}
    data["models"]["other"] = {"prices": {"input": 1, "output": 2}, "capabilities": ["tools"]}
    with RunningGateway(data) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True])
def test_an_openai_client_is_answered_by_a_provider_of_another_dialect(
    gateway: RunningGateway, provider: Provider, stream: bool
) -> None:
    reply = chat(gateway.url, "other", text="Hello", stream=stream)
    assert reply.status == 200
    assert b'"content":"Hello"' in reply.body
    assert provider.seen[-1].body["say"] == [{"who": "user", "what": "Hello"}]
    assert "x-tierwise-dropped" not in reply.headers


@pytest.mark.parametrize("model", ["other", "far"])
def test_what_it_has_no_word_for_is_refused_before_anybody_is_asked(
    gateway: RunningGateway, provider: Provider, model: str
) -> None:
    reply = chat(gateway.url, model, seed=7)
    assert (reply.status, reply.error["param"]) == (400, "seed")
    assert reply.error["code"] == "unsupported_parameter"
    assert f"`{DROP}: true`" in reply.error["message"]
    assert provider.seen == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "headers"), [("other", {DROP: "true"}), ("lenient", {})])
def test_what_is_left_out_is_told(
    gateway: RunningGateway, provider: Provider, model: str, headers: dict[str, str], stream: bool
) -> None:
    reply = chat(gateway.url, model, seed=7, mirostat=2, stream=stream, headers=headers)
    assert (reply.status, reply.headers["x-tierwise-dropped"]) == (200, "seed, mirostat")
    assert not {"seed", "mirostat"} & provider.seen[-1].body.keys()


def test_a_provider_of_the_clients_own_dialect_is_told_all(
    gateway: RunningGateway, provider: Provider
) -> None:
    reply = chat(gateway.url, "small", seed=7, mirostat=2, headers={DROP: "true"})
    assert "x-tierwise-dropped" not in reply.headers
    assert (provider.seen[-1].body["seed"], provider.seen[-1].body["mirostat"]) == (7, 2)


def test_the_names_of_what_was_left_out_cannot_break_the_head(gateway: RunningGateway) -> None:
    body = (
        b'{"model": "other", "messages": [{"role": "user", "content": "Hi"}], '
        b'"a\\r\\nx-evil: 1\\u00e9": 1}'
    )
    reply = call(gateway.url, "POST", "/v1/chat/completions", body, headers={DROP: "true"})
    assert reply.status == 200
    assert "x-evil" not in reply.headers
    assert reply.headers["x-tierwise-dropped"] == "ax-evil: 1?"


def test_the_header_is_true_or_false(gateway: RunningGateway) -> None:
    reply = chat(gateway.url, "small", headers={DROP: "maybe"})
    assert (reply.status, reply.error["param"]) == (400, DROP)


def test_a_decision_can_be_seen_with_what_left_a_model_out(gateway: RunningGateway) -> None:
    assert chat(gateway.url, "auto", seed=7).status == 200
    found = {one.model: one.why for one in gateway.last_record().decision.candidates}
    assert found["other"] == "plain has no word for `seed`"


SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
FILM = [{"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}}]


@pytest.mark.parametrize(
    ("model", "fields", "word"),
    [
        ("other", {"temperature": 0.5}, "temperature"),
        ("partial", {"top_k": 3}, "top_k"),
        ("partial", {"text": FILM}, "messages.content.video_url"),
    ],
)  # fmt: skip
def test_what_a_provider_does_not_take_is_refused_before_it_is_asked(
    gateway: RunningGateway, provider: Provider, model: str, fields: dict[str, Any], word: str
) -> None:
    reply = chat(gateway.url, model, **fields)
    assert (reply.status, reply.error["param"]) == (400, word)
    assert reply.error["code"] == "unsupported_parameter"
    assert f"/{model} does not take " in reply.error["message"]
    assert provider.seen == []


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_provider_does_not_take_is_really_left_out_if_it_may_be(
    gateway: RunningGateway, provider: Provider, stream: bool
) -> None:
    headers = {DROP: "true"}
    reply = chat(gateway.url, "other", temperature=0.5, seed=7, stream=stream, headers=headers)
    assert (reply.status, reply.headers["x-tierwise-dropped"]) == (200, "seed, temperature")
    assert "heat" not in provider.seen[-1].body
    fields: dict[str, Any] = {"top_k": 3, "response_format": SCHEMA, "seed": 7}
    reply = chat(gateway.url, "partial", **fields, stream=stream, headers=headers)
    assert reply.status == 200
    assert reply.headers["x-tierwise-dropped"] == "response_format.json_schema, top_k"
    assert not {"top_k", "response_format"} & provider.seen[-1].body.keys()
    assert provider.seen[-1].body["seed"] == 7


def test_what_it_takes_passes(gateway: RunningGateway, provider: Provider) -> None:
    form = {"type": "json_object"}
    reply = chat(gateway.url, "partial", temperature=0.5, response_format=form)
    assert reply.status == 200
    assert provider.seen[-1].body["response_format"] == form
    assert provider.seen[-1].body["temperature"] == 0.5


QUESTION = [{"role": "user", "content": "Hello"}]
GOOGLES = [{"parts": [{"text": "Hello"}]}]


@pytest.mark.parametrize(
    ("path", "fields", "word"),
    [
        ("/v1/responses", {"input": "Hello", "conversation": "conv_1"}, "conversation"),
        ("/v1/responses", {"prompt": {"id": "pmpt_1"}}, "prompt"),
        ("/v1/messages", {"messages": QUESTION, "max_tokens": 9, "container": "c_1"}, "container"),
        (
            "/v1beta/models/small:generateContent",
            {"contents": GOOGLES, "cachedContent": "cachedContents/a"},
            "cachedContent",
        ),
    ],
)
def test_what_lies_with_a_provider_and_is_only_named_is_never_left_out(
    gateway: RunningGateway, provider: Provider, path: str, fields: dict[str, Any], word: str
) -> None:
    """The answer would be to another question."""
    body = fields if ":" in path else {"model": "small", **fields}
    reply = call(gateway.url, "POST", path, body, headers={DROP: "true"})
    assert reply.status == 400
    assert word in reply.body.decode()
    assert f"Ask without `{word}`" in reply.body.decode()
    assert provider.seen == []
