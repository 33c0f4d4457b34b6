"""Feedback over HTTP: what is taken, what is refused, and that none of it is lost."""

from __future__ import annotations

import gzip
import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway import (
    KEY,
    PATIENCE_S,
    GatewayProcess,
    Provider,
    Reply,
    RunningGateway,
    call,
    chat,
    config_for,
    until,
    write_config,
)
from tierwise.ledger import Ledger

OTHER_KEY = "another-key-of-this-gateway"


def rate(url: str, key: str | None = KEY, **fields: Any) -> Reply:
    return call(url, "POST", "/v1/feedback", fields, key=key)


def answered(url: str, key: str | None = KEY) -> str:
    """The id of an answer."""
    reply = chat(url, "stepwise", key=key)
    assert reply.status == 200
    return reply.headers["x-tierwise-decision-id"]


def seen(gateway: RunningGateway, decision: str, key: str | None = KEY) -> list[Any]:
    """The decision's feedback as `GET /v1/decisions/{id}` has it."""
    gateway.settle()
    found: list[Any] = call(gateway.url, "GET", f"/v1/decisions/{decision}", key=key).json[
        "feedback"
    ]
    return found


@pytest.fixture
def shared(provider: Provider) -> Iterator[RunningGateway]:
    """A gateway with two keys."""
    data = config_for(provider.url, server={"api_keys": [KEY, OTHER_KEY]})
    with RunningGateway(data) as gateway:
        until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")
        yield gateway


def test_feedback_shows_in_the_decision(gateway: RunningGateway) -> None:
    decision = answered(gateway.url)
    assert seen(gateway, decision) == []
    reply = rate(gateway.url, decision_id=decision, score=0.25, comment="half of it is naïve 東京")
    assert (reply.status, reply.json["score"], reply.json["source"]) == (200, 0.25, "user")
    (one,) = seen(gateway, decision)
    assert one == reply.json
    assert (one["decision_id"], one["comment"]) == (decision, "half of it is naïve 東京")


@pytest.mark.parametrize(("label", "score"), [("good", 1.0), ("fair", 0.5), ("bad", 0.0)])
def test_a_word_is_a_score(gateway: RunningGateway, label: str, score: float) -> None:
    decision = answered(gateway.url)
    reply = rate(gateway.url, decision_id=decision, label=label)
    assert (reply.status, reply.json["score"], reply.json["label"]) == (200, score, label)


def test_feedback_said_again_is_kept_and_the_latest_comes_last(gateway: RunningGateway) -> None:
    decision = answered(gateway.url)
    for score in (1, 0, 0.5):
        assert rate(gateway.url, decision_id=decision, score=score).status == 200
    assert [one["score"] for one in seen(gateway, decision)] == [1, 0, 0.5]


def test_a_decision_that_waits_to_be_written_can_be_rated(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.store.BUSY_TIMEOUT_S", 0.01)
    file = tmp_path / "ledger.db"
    with RunningGateway(config_for(provider.url, ledger={"path": str(file)})) as gateway:
        until(file.is_file, "the ledger")
        answered(gateway.url, key=None)
        gateway.settle()
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            decision = answered(gateway.url, key=None)
            until(lambda: gateway.orchestrator.ledger.last_error, "the writer to fail")
            reply = rate(gateway.url, key=None, decision_id=decision, score=1)
            assert gateway.orchestrator.ledger.pending == 2
            other.execute("ROLLBACK")
        assert reply.status == 200
        assert [one["score"] for one in seen(gateway, decision, key=None)] == [1]


def test_an_unknown_decision_is_not_found(gateway: RunningGateway) -> None:
    reply = rate(gateway.url, decision_id="0123", score=1)
    assert (reply.status, reply.error["code"]) == (404, "decision_not_found")
    assert reply.error["param"] == "decision_id"
    assert "'0123'" in reply.error["message"]


def test_a_decision_that_another_process_has_yet_to_write_is_waited_for(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.rating.ELSEWHERE_S", 1.0)
    file = tmp_path / "ledger.db"
    data = config_for(provider.url, ledger={"path": str(file)})
    with RunningGateway(data) as one, RunningGateway(data) as another:
        until(lambda: call(one.url, "GET", "/health/ready").status == 200, "one gateway")
        until(lambda: call(another.url, "GET", "/health/ready").status == 200, "the other")
        decision = answered(one.url, key=None)
        assert rate(another.url, key=None, decision_id=decision, score=0).status == 200
        another.settle()
        assert [o["score"] for o in seen(one, decision, key=None)] == [0]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"score": 2}, "score", ["2", "from 0"]),
        ({"score": -0.1}, "score", ["-0.1", "from 0"]),
        ({"score": True}, "score", ["True", "number"]),
        ({"score": "1"}, "score", ["'1'", "number"]),
        ({"score": [1]}, "score", ["[1]", "number"]),
        ({"label": "goood"}, "label", ["'goood'", '"good"', "Did you mean 'good'"]),
        ({"label": 1}, "label", ["1", '"good"']),
        ({}, "score", ["missing", "label"]),
        ({"score": 1, "label": "good"}, "score", ["'good'", "one of them"]),
        ({"score": 1, "comment": 7}, "comment", ["7", "string"]),
        ({"score": 1, "comment": "x" * 10_001}, "comment", ["10,001", "10,000"]),
        ({"score": 1, "decision_id": None}, "decision_id", ["missing", "x-tierwise-decision-id"]),
        ({"score": 1, "decision_id": 5}, "decision_id", ["5", "x-tierwise-decision-id"]),
        ({"score": 1, "rating": 5}, "rating", ["not a field", "decision_id, score"]),
    ],
)
def test_bad_feedback_names_field_value_and_remedy(
    gateway: RunningGateway, fields: dict[str, Any], param: str, words: list[str]
) -> None:
    reply = rate(gateway.url, **{"decision_id": "0123", **fields})
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    assert reply.error["param"] == param
    for word in words:
        assert word in reply.error["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"good"', b'{"score": NaN}', b"\xff", b"[" * 60_000]
)
def test_what_is_no_json_object_is_refused(gateway: RunningGateway, body: bytes) -> None:
    reply = call(gateway.url, "POST", "/v1/feedback", body)
    assert reply.status == 400
    assert "decision_id" in reply.error["message"]


def test_a_body_of_pages_is_refused(gateway: RunningGateway) -> None:
    reply = rate(gateway.url, decision_id="0123", comment="x" * 100_000)
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")


def test_a_body_of_pages_is_refused_however_well_it_is_packed(gateway: RunningGateway) -> None:
    packed = gzip.compress(json.dumps({"comment": "x" * 100_000}).encode())
    headers = {"content-encoding": "gzip"}
    reply = call(gateway.url, "POST", "/v1/feedback", packed, headers=headers)
    assert (reply.status, reply.error["param"]) == (413, "comment")


def test_feedback_may_be_packed(shared: RunningGateway) -> None:
    decision = answered(shared.url)
    packed = gzip.compress(json.dumps({"decision_id": decision, "score": 1}).encode())
    headers = {"content-encoding": "gzip"}
    assert call(shared.url, "POST", "/v1/feedback", packed, headers=headers).status == 200
    assert [one["score"] for one in seen(shared, decision)] == [1]


def test_feedback_needs_a_key_where_answers_do(gateway: RunningGateway) -> None:
    assert rate(gateway.url, key=None, decision_id="0123", score=1).status == 401
    assert call(gateway.url, "GET", "/v1/feedback").status == 405


def test_a_key_rates_its_own_decisions_only(shared: RunningGateway) -> None:
    decision = answered(shared.url)
    reply = rate(shared.url, key=OTHER_KEY, decision_id=decision, score=0)
    assert (reply.status, reply.error["code"]) == (403, "not_your_decision")
    assert rate(shared.url, decision_id=decision, score=1, comment="mine").status == 200
    assert [one["score"] for one in seen(shared, decision)] == [1]


def test_comments_are_shown_to_their_caller_only(shared: RunningGateway) -> None:
    decision = answered(shared.url)
    assert rate(shared.url, decision_id=decision, score=1, comment="private").status == 200
    assert [one["comment"] for one in seen(shared, decision)] == ["private"]
    assert [one["comment"] for one in seen(shared, decision, OTHER_KEY)] == [None]


def test_a_ledger_without_room_says_so_instead_of_forgetting(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = answered(gateway.url)
    gateway.settle()
    monkeypatch.setattr(gateway.orchestrator.ledger, "_room", 0)
    reply = rate(gateway.url, decision_id=decision, score=1)
    assert (reply.status, reply.error["code"]) == (503, "ledger_full")
    assert reply.headers["retry-after"] == "60"


@pytest.mark.process
def test_sigterm_loses_no_feedback(tmp_path: Path, provider: Provider) -> None:
    data = config_for(provider.url, ledger={"path": str(tmp_path / "ledger.db")})
    file = write_config(tmp_path / "tierwise.yaml", data)
    with GatewayProcess("--config", str(file), cwd=tmp_path) as gateway:
        rated = [answered(gateway.url, key=None) for _ in range(20)]
        for decision in rated:
            assert rate(gateway.url, key=None, decision_id=decision, label="good").status == 200
        assert gateway.end(signal.SIGTERM) == 0
    with Ledger(tmp_path / "ledger.db") as ledger:
        kept = [[one.score for one in ledger.feedback(decision)] for decision in rated]
    assert kept == [[1.0]] * 20


def test_the_endpoint_answers_in_json(gateway: RunningGateway) -> None:
    reply = rate(gateway.url, decision_id=answered(gateway.url), score=1)
    assert reply.headers["content-type"] == "application/json"
    assert set(json.loads(reply.body)) == {
        "decision_id", "at", "source", "score", "label", "comment", "caller",
    }  # fmt: skip
    assert gateway.orchestrator.ledger.flush(PATIENCE_S)
