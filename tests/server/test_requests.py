"""What the gateway says to requests that cannot be served, and how it reads headers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from gateway import (
    KEY,
    PATIENCE_S,
    Act,
    Provider,
    RunningGateway,
    call,
    chat,
    fails,
    hangs,
    pauses,
    says,
)

CHAT = "/v1/chat/completions"
HELLO = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}


def changed(**fields: object) -> bytes:
    return json.dumps({**HELLO, **fields}).encode()


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"", None, "JSON object with `model` and `messages`"),
        (b'{"model": "small", "mess', None, "JSON object with `model` and `messages`"),
        (b"[1, 2]", None, "JSON object with `model` and `messages`"),
        (b"\xff\xfe\x00", None, "JSON object with `model` and `messages`"),
        (b'{"messages": [{"role": "user"}]}', "model", 'for example "auto"'),
        (b'{"model": "small"}', "messages", "Send a list such as"),
        (changed(messages=[]), "messages", "at least one message"),
        (changed(messages="Hello"), "messages", "must be a list"),
        (changed(messages=[{"content": "Hello"}]), "messages[0].role", "missing"),
        (changed(model=7), "model", "must be a string"),
        (changed(stream="yes"), "stream", "true or false"),
        (changed(max_tokens="many"), "max_tokens", "a whole number"),
        (changed(max_tokens=0), "max_tokens", "at least 1"),
        (changed(n=0), "n", "between 1 and 128"),
        (
            changed(response_format={"type": "json_schema"}),
            "response_format.json_schema.schema",
            "missing",
        ),
    ],
)
def test_a_body_that_cannot_be_served_names_the_field_and_the_remedy(
    gateway: RunningGateway, provider: Provider, body: bytes, param: str | None, words: str
) -> None:
    reply = call(gateway.url, "POST", CHAT, body)
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/json"
    assert reply.error["type"] == "invalid_request_error"
    assert reply.error["param"] == param
    assert words in reply.error["message"]
    assert not provider.seen


def test_a_declared_body_over_the_limit_is_refused_unread(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "POST", CHAT, changed(user="x" * (1 << 20)))
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")
    assert "1,048,576" in reply.error["message"]
    assert "server.max_body_mb" in reply.error["message"]


def test_a_chunked_body_over_the_limit_is_refused(gateway: RunningGateway) -> None:
    def pieces() -> Iterator[bytes]:
        yield from (b" " * (256 << 10) for _ in range(5))
        yield changed()

    reply = call(gateway.url, "POST", CHAT, pieces())
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")


def test_a_body_that_does_not_come_is_given_up_in_openai_s_shape(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.server.request.UPLOAD_STALLED_S", 0.1)
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: {gateway.host}\r\nauthorization: Bearer {KEY}\r\n"
        "content-length: 1000\r\n\r\n{"
    )
    host, port = gateway.host.split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        connection.sendall(head.encode())
        with connection.makefile("rb") as answer:
            reply = answer.read()  # to the end: the connection is closed as well
    status, _, rest = reply.partition(b"\r\n")
    error = json.loads(rest.partition(b"\r\n\r\n")[2])["error"]
    assert b" 408 " in status
    assert (error["type"], error["code"]) == ("invalid_request_error", "request_timeout")
    assert "The rest of the body did not come" in error["message"]


def test_a_chunked_body_within_the_limit_is_served(gateway: RunningGateway) -> None:
    body = changed()
    reply = call(gateway.url, "POST", CHAT, iter([body[:20], body[20:]]))
    assert reply.json["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.parametrize("size", [5, 200_000])
def test_an_offer_to_speak_http_2_as_java_makes_it_is_passed_over(
    gateway: RunningGateway, provider: Provider, size: int
) -> None:
    offer = {
        "connection": "Upgrade, HTTP2-Settings",
        "upgrade": "h2c",
        "http2-settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    }
    text = "h2c\r\nupgrade: h2c\r\n" + "x" * size
    reply = chat(gateway.url, text=text, headers=offer)
    assert (reply.status, provider.seen[-1].body["messages"][0]["content"]) == (200, text)


@pytest.mark.parametrize(
    ("headers", "code", "words"),
    [
        ({}, "missing_api_key", "Authorization: Bearer <key>"),
        ({"authorization": "Basic abc"}, "invalid_api_key", "Bearer <key>"),
        ({"authorization": "Bearer"}, "invalid_api_key", "server.api_keys"),
        ({"authorization": "Bearer other"}, "invalid_api_key", "server.api_keys"),
        ({"authorization": b"Bearer \xff\xfe"}, "invalid_api_key", "server.api_keys"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", CHAT), ("GET", "/v1/models"), ("GET", "/metrics")]
)
def test_without_a_right_key_nothing_is_served(
    gateway: RunningGateway,
    provider: Provider,
    method: str,
    path: str,
    headers: dict[str, str | bytes],
    code: str,
    words: str,
) -> None:
    body = changed() if method == "POST" else None
    reply = call(gateway.url, method, path, body, key=None, headers=headers)
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert (reply.error["type"], reply.error["code"]) == ("authentication_error", code)
    assert words in reply.error["message"]
    assert not provider.seen


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/health/live", None),
        ("GET", "/v1/models", None),
        ("GET", "/v1/models/none-such", None),
        ("GET", "/metrics", None),
        ("GET", "/nowhere", None),
        ("GET", CHAT, None),
        ("GET", "/v1beta/models/small:generateContent", None),
        ("POST", "/v1/feedback", b"{}"),
        ("POST", "/v1/responses/input_tokens", b'{"input": "Hello"}'),
        ("GET", "/v1/files?after=x", None),
        ("POST", CHAT, b"{"),
    ],
)
def test_every_answer_has_an_id_of_its_own(
    gateway: RunningGateway, method: str, path: str, body: bytes | None
) -> None:
    ids = {call(gateway.url, method, path, body).headers.get("x-request-id") for _ in range(2)}
    assert len(ids - {None, ""}) == 2


def test_an_answer_to_a_client_of_anthropic_has_its_id_where_that_looks(
    gateway: RunningGateway,
) -> None:
    body = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}
    reply = call(gateway.url, "POST", "/v1/messages/count_tokens", body)
    assert reply.status == 200
    assert reply.headers["request-id"] == reply.headers["x-request-id"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_wrong_method_says_which_is_right(gateway: RunningGateway, method: str) -> None:
    reply = call(gateway.url, method, CHAT)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert f"does not take {method}. Use POST." in reply.error["message"]


def test_head_is_answered_without_a_body(gateway: RunningGateway) -> None:
    assert call(gateway.url, "HEAD", CHAT).status == 405
    models = call(gateway.url, "HEAD", "/v1/models")
    assert (models.status, models.body) == (200, b"")


def test_posting_to_a_page_that_is_read_says_get(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "POST", "/v1/models", b"{}")
    assert reply.status == 405
    assert "GET" in reply.headers["allow"]


def test_an_unknown_path_says_which_there_are(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "POST", "/chat/completions", changed())
    assert (reply.status, reply.error["code"]) == (404, "unknown_path")
    assert "POST /v1/chat/completions" in reply.error["message"]
    assert "ends with /v1" in reply.error["message"]


def test_a_slash_at_the_end_makes_no_difference(gateway: RunningGateway) -> None:
    assert call(gateway.url, "POST", f"{CHAT}/", changed()).status == 200
    assert call(gateway.url, "GET", "/v1/models/").status == 200
    assert call(gateway.url, "GET", "/health/live/").json == {"status": "ok"}


def test_a_policy_header_wins_over_the_model(gateway: RunningGateway) -> None:
    reply = chat(gateway.url, "large", headers={"x-tierwise-policy": "stepwise"})
    assert reply.headers["x-tierwise-model"] == "small"
    record = gateway.last_record()
    assert (record.decision.policy, record.decision.requested) == ("stepwise", "large")


def test_an_unknown_policy_in_the_header_is_a_404_that_lists_them(gateway: RunningGateway) -> None:
    reply = chat(gateway.url, headers={"x-tierwise-policy": "cheapest"})
    assert (reply.status, reply.error["code"]) == (404, "policy_not_found")
    assert reply.error["param"] == "x-tierwise-policy"
    assert "stepwise" in reply.error["message"]


def test_quality_in_the_header_replaces_the_policys(gateway: RunningGateway) -> None:
    demanding = chat(gateway.url, "auto", headers={"x-tierwise-quality": "1"})
    modest = chat(gateway.url, "auto", headers={"x-tierwise-quality": "0.1"})
    assert demanding.headers["x-tierwise-model"] == "large"
    assert modest.headers["x-tierwise-model"] == "small"


def test_a_ceiling_on_cost_keeps_the_dear_model_out(gateway: RunningGateway) -> None:
    ceiling = {"x-tierwise-max-cost-usd": "0.001"}
    cheap = chat(gateway.url, "best", max_tokens=100, headers=ceiling)
    assert cheap.headers["x-tierwise-model"] == "small"
    refused = chat(gateway.url, "best", headers={"x-tierwise-max-cost-usd": "0"})
    assert refused.status == 400
    assert "may cost" in refused.error["message"]


def test_a_ceiling_on_waiting_is_said_in_a_header(gateway: RunningGateway) -> None:
    refused = chat(gateway.url, "small", headers={"x-tierwise-max-latency-s": "0"})
    assert (refused.status, refused.error["param"]) == (400, "x-tierwise-max-latency-s")
    assert chat(gateway.url, "small", headers={"x-tierwise-max-latency-s": "60"}).status == 200


@pytest.mark.parametrize("header", ["x-tierwise-quality", "x-tierwise-max-cost-usd"])
@pytest.mark.parametrize("value", ["much", "-1", "nan", "inf", "", b"\xc3\x28"])
def test_a_number_header_that_is_none_is_refused_by_name(
    gateway: RunningGateway, header: str, value: str | bytes
) -> None:
    reply = chat(gateway.url, headers={header: value})
    assert reply.status == 400
    assert reply.error["param"] == header
    assert "must be a number from 0 to" in reply.error["message"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("conversation-7", "conversation-7"),
        ("größe 東京".encode(), "größe 東京"),
        (b"caf\xe9", "café"),
        ("s" * 300, "s" * 200),
    ],
)
def test_a_session_is_kept_in_whatever_letters_it_comes(
    gateway: RunningGateway, sent: str | bytes, kept: str
) -> None:
    assert chat(gateway.url, headers={"x-tierwise-session": sent}).status == 200
    assert gateway.last_record().session == kept


def test_a_policy_in_other_letters_is_refused_and_not_broken(gateway: RunningGateway) -> None:
    reply = chat(gateway.url, headers={"x-tierwise-policy": "günstig".encode()})
    assert reply.status == 404
    assert "'günstig'" in reply.error["message"]


def test_the_caller_is_recorded_by_a_name_that_is_not_the_key(gateway: RunningGateway) -> None:
    assert chat(gateway.url).status == 200
    caller = gateway.last_record().caller
    assert caller.startswith("key-")
    assert KEY not in caller


def test_a_policys_own_deadline_counts_and_not_the_longest(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = hangs()
    by_name = chat(gateway.url, "hasty")
    by_header = chat(gateway.url, "large", headers={"x-tierwise-policy": "hasty"})
    assert (by_name.status, by_header.status) == (504, 504)
    assert by_name.error["code"] == "deadline_exceeded"
    assert provider.gone.wait(PATIENCE_S)
    record = gateway.last_record()
    assert (record.status, record.error.split(":")[0]) == ("error", "DeadlineExceeded")


def test_what_no_model_can_do_is_refused_with_the_reason_of_each(
    gateway: RunningGateway, provider: Provider
) -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    messages = [{"role": "user", "content": [sound]}]
    reply = chat(gateway.url, "auto", messages=messages)
    assert (reply.status, reply.error["code"]) == (400, "no_capable_model")
    assert "large: lacks audio; small: lacks audio" in reply.error["message"]
    assert not provider.seen


def test_a_deadline_ends_a_stream_that_does_not(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = pauses(provider)
    reply = chat(gateway.url, "hasty", stream=True)
    events = reply.body.decode().split("\n\n")
    assert '"content": "one "' in events[0]
    assert json.loads(events[1].removeprefix("data: "))["error"]["code"] == "timeout"
    assert provider.gone.wait(PATIENCE_S)
    assert gateway.last_record().status == "error"


def test_an_upstreams_own_refusal_keeps_status_and_body(
    gateway: RunningGateway, provider: Provider
) -> None:
    error = {"message": "top_p must be below 1", "type": "x", "param": "top_p", "code": "y"}
    provider.acts["small"] = fails(422, error)
    provider.acts["large"] = says("never asked")
    reply = chat(gateway.url, "stepwise")
    assert (reply.status, reply.error) == (422, error)
    assert [seen.body["model"] for seen in provider.seen] == ["small"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("policy", "act", "status", "attempts"),
    [
        ("small", fails(422, {"message": "no"}), 422, 1),
        ("stepwise", fails(500, {"message": "boom"}), 503, 2),
        ("small", fails(429, {"message": "slow down"}, {"retry-after": "30"}), 429, 1),
        ("hasty", hangs(), 504, 1),
    ],
)
def test_a_failure_names_the_decision_that_it_is_booked_under(
    gateway: RunningGateway,
    provider: Provider,
    policy: str,
    act: Act,
    status: int,
    attempts: int,
    stream: bool,
) -> None:
    provider.acts["small"] = provider.acts["large"] = act
    reply = chat(gateway.url, policy, stream=stream)
    assert reply.status == status
    assert reply.headers["x-tierwise-attempts"] == str(attempts)
    record = gateway.last_record()
    assert record.decision.id == reply.headers["x-tierwise-decision-id"]
    assert len(record.attempts) == attempts


def test_a_request_that_was_never_routed_names_no_decision(gateway: RunningGateway) -> None:
    assert "x-tierwise-decision-id" not in chat(gateway.url, "nobody").headers
