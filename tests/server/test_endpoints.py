"""Everything beside the chat: health, models, decisions, metrics."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway import (
    KEY,
    PATIENCE_S,
    Provider,
    RunningGateway,
    call,
    chat,
    config_for,
    fails,
    says,
    until,
)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(url: str, *, key: str | None = None) -> Samples:
    """All samples of `/metrics`."""
    text = call(url, "GET", "/metrics", key=key).body.decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of a metric over all samples with these labels."""
    return sum(
        value
        for (sample, have), value in samples.items()
        if sample == name and labels.items() <= dict(have).items()
    )


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_needs_no_key(gateway: RunningGateway, path: str) -> None:
    reply = call(gateway.url, "GET", path, key=None)
    assert (reply.status, reply.json["status"]) == (200, "ok")


def test_readiness_shows_the_ledgers_queue(gateway: RunningGateway) -> None:
    assert chat(gateway.url).status == 200
    gateway.settle()
    reply = call(gateway.url, "GET", "/health/ready")
    assert reply.json["ledger"] == {"pending": 0, "dropped": 0, "last_error": None}


def test_readiness_says_that_the_ledger_cannot_be_written_and_the_status_why(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.store.BUSY_TIMEOUT_S", 0.01)
    file = tmp_path / "ledger.db"
    with RunningGateway(config_for(provider.url, ledger={"path": str(file)})) as gateway:
        until(file.is_file, "the ledger")
        assert chat(gateway.url).status == 200
        gateway.settle()
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert chat(gateway.url).status == 200
            ledger = gateway.orchestrator.ledger
            until(lambda: ledger.last_error, "the writer to fail")
            ready = call(gateway.url, "GET", "/health/ready", key=None)
            status = call(gateway.url, "GET", "/v1/status")
            other.execute("ROLLBACK")
    assert (ready.status, ready.json["ledger"]["pending"]) == (200, 1)
    assert "/v1/status" in ready.json["ledger"]["last_error"]
    assert "locked" not in ready.body.decode()  # a database's words may name its host and user
    assert status.json["ledger"]["last_error"] == "database is locked"


def test_metrics_count_what_the_ledger_cannot_take(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.ledger.store.BUSY_TIMEOUT_S", 0.01)
    file = tmp_path / "ledger.db"
    data = config_for(provider.url, ledger={"path": str(file), "queue_size": 100})
    with RunningGateway(data) as gateway:
        assert chat(gateway.url).status == 200
        gateway.settle()
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert chat(gateway.url).status == 200
            ledger = gateway.orchestrator.ledger
            until(lambda: ledger.last_error, "the writer to fail")
            for _ in range(110):
                assert chat(gateway.url).status == 200
            until(
                lambda: total(scrape(gateway.url), "tierwise_requests_total", model="small") == 112,
                "all requests to be counted while the ledger is locked",
            )
            found = scrape(gateway.url)
            assert (ledger.written, ledger.pending, ledger.dropped) == (1, 101, 10)
            other.execute("ROLLBACK")
    one = 10e-6 + 5 * 2e-6
    assert total(found, "tierwise_cost_usd_total") == pytest.approx(112 * one)
    accepted = (("deployment", "alpha/small"), ("outcome", "accepted"))
    assert found["tierwise_attempts_total", accepted] == 112


def test_models_say_where_they_are_served_and_what_they_cost(gateway: RunningGateway) -> None:
    listed = {entry["id"]: entry for entry in call(gateway.url, "GET", "/v1/models").json["data"]}
    assert listed["stepwise"]["owned_by"] == "tierwise"
    small = listed["small"]["tierwise"]
    assert small["deployments"] == ["alpha/small"]
    assert (small["prices"]["input"], small["prices"]["output"]) == (1, 2)
    assert "json_schema" in small["capabilities"]
    assert small["available"]


@pytest.mark.parametrize(
    ("path", "headers", "listed"),
    [
        ("/v1/models", {"x-api-key": KEY}, "data"),
        ("/v1/models", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}, "has_more"),
        ("/v1/models", {"x-goog-api-key": KEY}, "models"),
        (f"/v1/models?key={KEY}", {}, "models"),
        ("/v1/models/small", {"x-api-key": KEY}, "object"),
        (f"/v1/models/small?key={KEY}", {}, "inputTokenLimit"),
    ],
)
def test_models_are_listed_for_a_key_however_it_is_sent(
    provider: Provider, path: str, headers: dict[str, str], listed: str
) -> None:
    with RunningGateway(config_for(provider.url, server={"api_keys": [KEY]})) as gateway:
        known = call(gateway.url, "GET", path, key=None, headers=headers)
        wrong = {name: value.replace(KEY, "wrong") for name, value in headers.items()}
        unknown = call(gateway.url, "GET", path.replace(KEY, "wrong"), key=None, headers=wrong)
        nobody = call(gateway.url, "GET", "/v1/models", key=None)
    assert (known.status, unknown.status, nobody.status) == (200, 401, 401)
    assert listed in known.json


def test_a_model_whose_deployments_rest_is_listed_as_unavailable(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = fails(401, {"message": "bad key"})
    assert chat(gateway.url).status == 503
    assert not call(gateway.url, "GET", "/v1/models/small").json["tierwise"]["available"]
    assert call(gateway.url, "GET", "/v1/models/large").json["tierwise"]["available"]


def test_a_model_at_one_provider_is_found_by_the_name_that_a_request_may_use(
    provider: Provider,
) -> None:
    data = config_for(provider.url)
    data["providers"]["beta"] = data["providers"]["alpha"]
    with RunningGateway(data) as gateway:
        everywhere = call(gateway.url, "GET", "/v1/models/small").json
        model = call(gateway.url, "GET", "/v1/models/beta/small").json
        answer = chat(gateway.url, model["id"])
    assert everywhere["tierwise"]["deployments"] == ["alpha/small", "beta/small"]
    assert (model["id"], model["tierwise"]["deployments"]) == ("beta/small", ["beta/small"])
    assert answer.headers["x-tierwise-deployment"] == "beta/small"


def test_an_unknown_model_is_not_found(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "GET", "/v1/models/vendor/nobody")
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")


def test_a_decision_is_found_by_the_id_of_its_answer(
    gateway: RunningGateway, provider: Provider
) -> None:
    provider.acts["small"] = says("")
    answer = chat(gateway.url, "stepwise")
    gateway.settle()
    record = call(
        gateway.url, "GET", f"/v1/decisions/{answer.headers['x-tierwise-decision-id']}"
    ).json
    assert record["decision"]["reason"] == "the policy pins small then large"
    assert [attempt["outcome"] for attempt in record["attempts"]] == ["rejected", "accepted"]
    assert record["attempts"][0]["verdicts"][0]["reason"] == "the answer is empty"
    assert (record["model"], record["tier"]) == ("large", 2)
    assert record["cost_usd"] == pytest.approx(11 * (10e-6 + 5 * 2e-6))
    assert record["prompt"] is None


def test_an_unknown_decision_is_not_found(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "GET", "/v1/decisions/0123")
    assert (reply.status, reply.error["code"]) == (404, "decision_not_found")


def test_a_decision_whose_record_is_damaged_is_said_to_be_so(
    provider: Provider, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.db"
    with RunningGateway(config_for(provider.url, ledger={"path": str(path)})) as gateway:
        wanted = chat(gateway.url).headers["x-tierwise-decision-id"]
        gateway.settle()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE bundles SET records = x'00'")
        shown = call(gateway.url, "GET", f"/v1/decisions/{wanted}")
        rated = call(gateway.url, "POST", "/v1/feedback", {"decision_id": wanted, "score": 1})
        page = call(gateway.url, "GET", f"/dashboard/requests/{wanted}")
    for reply in (shown, rated):
        assert (reply.status, reply.error["code"]) == (410, "decision_unreadable")
        assert f"decision '{wanted}' is damaged" in reply.error["message"]
    assert page.status == 410


@pytest.mark.parametrize("taken_away", [True, False])
def test_a_ledger_that_cannot_be_read_is_said_to_be_so(
    provider: Provider, tmp_path: Path, taken_away: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ledger.db"
    with RunningGateway(config_for(provider.url, ledger={"path": str(path)})) as gateway:
        wanted = chat(gateway.url).headers["x-tierwise-decision-id"]
        gateway.settle()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if taken_away:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))
        shown = call(gateway.url, "GET", f"/v1/decisions/{wanted}")
        rated = call(gateway.url, "POST", "/v1/feedback", {"decision_id": wanted, "score": 1})
    for reply in (shown, rated):
        assert (reply.status, reply.error["code"]) == (503, "ledger_unreachable")
        assert reply.headers["retry-after"] == "1"
        assert str(tmp_path) not in reply.error["message"]
    assert f"the ledger {path} cannot be read" in caplog.text


def test_whoever_waits_for_a_slow_ledger_waits_alone(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def slow(_: str) -> None:
        asked.set()
        assert answered.wait(PATIENCE_S)

    monkeypatch.setattr(gateway.orchestrator.ledger, "get", slow)
    with ThreadPoolExecutor(1) as pool:
        wanted = pool.submit(call, gateway.url, "GET", "/v1/decisions/0123")
        assert asked.wait(PATIENCE_S)
        assert chat(gateway.url).status == 200
        answered.set()
        assert wanted.result(PATIENCE_S).status == 404


def test_what_one_key_said_is_not_shown_to_another(provider: Provider, tmp_path: Path) -> None:
    data = config_for(
        provider.url,
        server={"api_keys": ["key-one", "key-two"]},
        ledger={"path": str(tmp_path / "ledger.db"), "store_content": True},
    )
    with RunningGateway(data) as gateway:
        answer = chat(gateway.url, text="my secret plan", key="key-one")
        gateway.settle()
        path = f"/v1/decisions/{answer.headers['x-tierwise-decision-id']}"
        mine = call(gateway.url, "GET", path, key="key-one").json
        theirs = call(gateway.url, "GET", path, key="key-two")
    assert "my secret plan" in mine["prompt"]
    assert mine["answer"] == "my secret plan"
    assert b"my secret plan" not in theirs.body
    assert theirs.json["model"] == "small"


def test_metrics_count_what_was_sent(provider: Provider) -> None:
    with RunningGateway(config_for(provider.url)) as gateway:
        provider.acts["small"] = says("")
        assert chat(gateway.url, "stepwise").status == 200
        provider.acts["small"] = says("fine")
        assert chat(gateway.url, "stepwise").status == 200
        assert chat(gateway.url, "stepwise", stream=True).status == 200
        provider.acts["small"] = fails(400, {"message": "no"})
        assert chat(gateway.url, "small").status == 400
        gateway.settle()
        found = scrape(gateway.url)

    def requests(policy: str, model: str, status: str) -> float:
        name = "tierwise_requests_total"
        return total(found, name, policy=policy, model=model, status=status)

    def attempts(deployment: str, outcome: str) -> float:
        labels = (("deployment", deployment), ("outcome", outcome))
        return found["tierwise_attempts_total", labels]

    assert requests("stepwise", "small", "ok") == 2
    assert requests("stepwise", "large", "ok") == 1
    assert requests("", "", "error") == 1
    assert attempts("alpha/small", "rejected") == 1
    assert attempts("alpha/small", "accepted") == 2
    assert attempts("alpha/large", "accepted") == 1
    assert attempts("alpha/small", "refused") == 1
    one = 10e-6 + 5 * 2e-6
    assert total(found, "tierwise_cost_usd_total") == pytest.approx(3 * one + 10 * one)
    assert total(found, "tierwise_reference_cost_usd_total") == pytest.approx(3 * 10 * one)
    assert total(found, "tierwise_saved_usd") == pytest.approx(17 * one)
    assert total(found, "tierwise_request_seconds_count") == 4
    assert total(found, "tierwise_request_seconds_bucket", le="+Inf") == 4
    assert total(found, "tierwise_first_token_seconds_count", policy="stepwise") == 1
    assert total(found, "tierwise_attempt_seconds_count", deployment="alpha/large") == 1
    assert total(found, "tierwise_verdicts_total", gate="complete", passed="false") == 1
    assert total(found, "tierwise_verdicts_total", gate="complete", passed="true") == 2
    assert total(found, "tierwise_escalations_total", policy="stepwise") == 1
    assert total(found, "tierwise_tokens_total", model="small", type="output") == 10
    assert total(found, "tierwise_requests_total", tier="2") == 1


def test_labels_of_metrics_stay_few_whatever_callers_send(provider: Provider) -> None:
    with RunningGateway(config_for(provider.url)) as gateway:
        for number in range(5):
            provider.acts["small"] = says(reported=f"weights-{number}")
            session = {"x-tierwise-session": f"session-{number}"}
            assert chat(gateway.url, text=f"word{number}", headers=session).status == 200
            assert chat(gateway.url, f"model-{number}").status == 404
        gateway.settle()
        found = scrape(gateway.url)
    counted = [labels for name, labels in found if name == "tierwise_requests_total"]
    assert counted == [(("model", "small"), ("policy", ""), ("status", "ok"), ("tier", "1"))]
    assert not any("word" in str(labels) or "session" in str(labels) for _, labels in found)


def test_refused_requests_are_counted_by_their_error(provider: Provider) -> None:
    with RunningGateway(config_for(provider.url, server={"api_keys": ["k"]})) as gateway:
        assert chat(gateway.url, key="wrong").status == 401
        assert chat(gateway.url, "nobody", key="k").status == 404
        assert chat(gateway.url, "nobody", key="k").status == 404
        assert chat(gateway.url, key="k", n=0).status == 400
        found = scrape(gateway.url, key="k")
    refused = {
        dict(labels)["code"]: n for (name, labels), n in found.items() if "refused_t" in name
    }
    assert refused == {"invalid_api_key": 1, "model_not_found": 2, "invalid_request": 1}


def test_metrics_show_the_state_of_the_parts(gateway: RunningGateway) -> None:
    found = scrape(gateway.url, key=KEY)
    small = {"deployment": "alpha/small"}
    assert total(found, "tierwise_deployment_in_flight", **small) == 0
    assert total(found, "tierwise_deployment_state", **small, state="ready") == 1
    assert total(found, "tierwise_deployment_state", **small) == 1
    assert found["tierwise_shadow_price", (("model", "small"),)] == 0
    assert found["tierwise_ledger_pending", ()] == 0
    assert found["tierwise_ledger_dropped_total", ()] == 0
    assert found["tierwise_workers", ()] == 1
    assert found["process_resident_memory_bytes", ()] > 1e6


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("policy", ["small", "stepwise"])
def test_content_is_kept_only_if_the_configuration_says_so(
    provider: Provider, gateway: RunningGateway, stream: bool, policy: str
) -> None:
    provider.acts["small"] = says("the answer's words")
    assert chat(gateway.url, policy, text="the prompt's words", stream=stream).status == 200
    silent = gateway.last_record()
    assert (silent.prompt, silent.answer) == (None, None)
    keeping = config_for(provider.url, ledger={"store_content": True})
    with RunningGateway(keeping) as keeper:
        assert chat(keeper.url, policy, text="the prompt's words", stream=stream).status == 200
        kept = keeper.last_record()
    assert "the prompt's words" in kept.prompt
    assert kept.answer == "the answer's words"
