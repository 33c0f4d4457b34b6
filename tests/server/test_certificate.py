"""A certificate in the running gateway: it sets thresholds, is shown, and falls with traffic."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from builders import a_certificate, a_policy, a_threshold
from gateway import (
    KEY,
    GatewayProcess,
    Provider,
    Reply,
    RunningGateway,
    call,
    chat,
    config_for,
    says,
    tierwise,
    until,
    write_config,
)
from tierwise.certificate import Certificate, digest
from tierwise.config.certified import policy_hash
from tierwise.types import Tier

GATES = ("complete", "json_schema")
POLICY = a_policy(
    "stepwise", reference="large", tiers=(Tier(model="small", gates=GATES), Tier(model="large"))
)
LONG = "word " * 40


def certificate(**fields: Any) -> Certificate:
    return a_certificate(policy_hash=policy_hash(POLICY), **fields)


def configured(url: str, folder: Path, made: Certificate, **policy: Any) -> dict[str, Any]:
    """The configuration in which `stepwise` has this certificate."""
    file = folder / "certificate.json"
    made.save(file)
    stepwise = {
        "reference": "large",
        "tiers": [{"model": "small"}, {"model": "large"}],
        "certificate": str(file),
        **policy,
    }
    return config_for(url, policies={"stepwise": stepwise}, server={"api_keys": [KEY]})


@pytest.fixture
def running(provider: Provider, tmp_path: Path) -> Callable[..., Any]:
    """Starts a gateway with a certificate."""

    @contextmanager
    def start(made: Certificate | None = None, **policy: Any) -> Any:
        data = configured(provider.url, tmp_path, made or certificate(), **policy)
        with RunningGateway(data) as gateway:
            until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")
            yield gateway

    return start


def shown(gateway: RunningGateway) -> Any:
    """The certificate as it is shown, when all requests so far have been looked at."""
    gateway.settle()
    [one] = call(gateway.url, "GET", "/v1/certificate").json["data"]
    return one


def valid(gateway: RunningGateway) -> float:
    """The metric `tierwise_certificate_valid` of the only policy with a certificate."""
    lines = call(gateway.url, "GET", "/metrics").body.decode().splitlines()
    [line] = [line for line in lines if line.startswith("tierwise_certificate_valid{")]
    assert 'policy="stepwise"' in line
    return float(line.rpartition(" ")[2])


def answered_by(reply: Reply) -> str:
    assert reply.status == 200, reply.body
    return str(reply.json["model"])


def ask(gateway: RunningGateway, times: int) -> list[str]:
    return [answered_by(chat(gateway.url, "stepwise")) for _ in range(times)]


def test_answers_are_accepted_by_what_was_fitted_and_certified(
    running: Callable[..., Any],
) -> None:
    made = certificate()
    with running(made) as gateway:
        assert ask(gateway, 1) == ["small"]
        record = gateway.last_record()
    [attempt] = record.attempts
    assert attempt.p == pytest.approx(0.8), "the default rule would say 1"
    assert attempt.length == len("Hello")
    assert record.decision.plan.tiers[0].accept == 0.75
    assert (record.decision.certificate, record.decision.promised) == (digest(made), True)


async def test_the_library_shows_what_the_gateway_shows(running: Callable[..., Any]) -> None:
    with running() as gateway:
        shown = call(gateway.url, "GET", "/v1/certificate").json
        assert await gateway.orchestrator.certificates() == shown
    assert [one["policy"] for one in shown["data"]] == ["stepwise"]


def test_below_the_certified_threshold_the_reference_answers(running: Callable[..., Any]) -> None:
    with running(certificate(thresholds=(a_threshold(0.85),))) as gateway:
        assert ask(gateway, 1) == ["large"]
        assert [one.outcome for one in gateway.last_record().attempts] == ["rejected", "accepted"]


def test_a_held_stream_is_judged_alike_and_its_beginning_is_not_held_against_it(
    running: Callable[..., Any], provider: Provider
) -> None:
    provider.acts["small"] = says(LONG)
    with running() as gateway:
        assert chat(gateway.url, "stepwise", stream=True).status == 200
        [attempt] = gateway.last_record().attempts
    assert (attempt.model, attempt.p) == ("small", pytest.approx(0.8))
    assert attempt.length == len(LONG)


def test_the_certificate_is_shown_with_all_that_it_promises(running: Callable[..., Any]) -> None:
    made = certificate()
    with running(made) as gateway:
        ask(gateway, 3)
        one = shown(gateway)
        refused = call(gateway.url, "GET", "/v1/certificate", key="wrong")
    assert (one["policy"], one["state"], one["reason"], one["since"]) == (
        "stepwise", "valid", None, None,
    )  # fmt: skip
    assert (one["alpha"], one["delta"], one["horizon"], one["bound"]) == (0.05, 0.1, 1000, 0.04)
    assert (one["created"], one["expires"]) == ("2026-03-01", "2999-12-31")
    assert one["thresholds"][0]["accept"] == 0.75
    assert one["data"] == {
        "sources": ["made-up"], "fitted": 600, "calibrated": 1000, "notes": [],
    }  # fmt: skip
    assert (one["hash"], one["policy_hash"]) == (digest(made), made.policy_hash)
    assert (one["requests_seen"], one["windows_compared"]) == (3, 0)
    assert refused.status == 401


def test_without_a_certificate_the_way_to_one_is_told(gateway: RunningGateway) -> None:
    reply = call(gateway.url, "GET", "/v1/certificate")
    assert reply.status == 404
    assert reply.error["code"] == "no_certificate"
    assert "tierwise calibrate" in reply.error["message"]


def test_drift_voids_the_certificate_and_the_reference_takes_over(
    running: Callable[..., Any],
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("tierwise.state.drift.WINDOW", 40)
    with running() as gateway, caplog.at_level(logging.WARNING, logger="tierwise.certificate"):
        ask(gateway, 40)
        assert shown(gateway)["state"] == "valid", "all short is nothing new"
        assert valid(gateway) == 1.0
        provider.acts["small"] = says(LONG)
        assert set(ask(gateway, 40)) == {"small"}
        one = shown(gateway)
        assert (one["state"], one["windows_compared"]) == ("void", 2)
        assert "length" in one["reason"]
        assert one["since"] > 0
        assert ask(gateway, 1) == ["large"]
        decision = gateway.last_record().decision
        assert valid(gateway) == 0.0
    assert (decision.certificate, decision.promised) == (None, False)
    assert "is void (the length" in decision.reason
    assert caplog.text.count("is void") == 1


def test_or_less_is_accepted_where_that_is_configured(running: Callable[..., Any]) -> None:
    # Half-way from 0.5 to 1 is 0.75, and the answer is worth 0.8.
    lenient = certificate(thresholds=(a_threshold(0.5),), expires="2026-03-02")
    with running(lenient, on_void="stricter") as gateway:
        assert shown(gateway)["reason"] == "it expired on 2026-03-02"
        assert ask(gateway, 1) == ["small"]
        assert gateway.last_record().decision.plan.tiers[0].accept == 0.75
    with running(certificate(expires="2026-03-02"), on_void="stricter") as gateway:
        assert ask(gateway, 1) == ["large"]


@pytest.mark.process
def test_what_one_of_two_workers_finds_is_void_for_both(provider: Provider, tmp_path: Path) -> None:
    provider.acts["small"] = says(LONG)
    data = configured(provider.url, tmp_path, certificate())
    data["ledger"] = {"path": str(tmp_path / "ledger.db")}
    config = write_config(tmp_path / "tierwise.yaml", data)
    with GatewayProcess("--config", str(config), "--workers", "2", cwd=tmp_path) as process:
        url = process.url
        until(lambda: call(url, "GET", "/health/ready").status == 200, "the gateway")

        def states() -> set[str]:
            # Each call is a new connection, which either worker may take.
            found = (call(url, "GET", "/v1/certificate").json["data"][0] for _ in range(8))
            return {one["state"] for one in found}

        assert states() == {"valid"}
        for _ in range(1000):  # so that one of them has seen 500
            answered_by(chat(url, "stepwise"))
        until(lambda: states() == {"void"}, "both to know")
        assert answered_by(chat(url, "stepwise")) == "large"
        assert process.stderr.count("is void") == 1
        assert process.end(signal.SIGTERM) == 0


@pytest.mark.process
def test_what_drift_voided_is_void_at_the_next_start_until_somebody_restores_it(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierwise.state.drift.WINDOW", 40)
    data = configured(provider.url, tmp_path, certificate())
    data["ledger"] = {"path": str(tmp_path / "ledger.db")}
    write_config(tmp_path / "tierwise.yaml", data)
    provider.acts["small"] = says(LONG)

    with RunningGateway(data) as gateway:
        until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")
        ask(gateway, 40)
        before = shown(gateway)
    assert before["state"] == "void"
    with RunningGateway(data) as gateway:
        until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")
        after = shown(gateway)
        assert ask(gateway, 1) == ["large"]
    assert [after[key] for key in ("state", "reason", "since")] == [
        before[key] for key in ("state", "reason", "since")
    ]
    reported = tierwise("report", cwd=tmp_path).stdout
    assert "void: since 20" in reported
    assert before["reason"] in reported

    restored = tierwise("calibrate", "--restore", "--policy", "stepwise", cwd=tmp_path)
    assert restored.returncode == 0, restored.stderr
    assert before["reason"] in restored.stdout
    with RunningGateway(data) as gateway:
        until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")
        assert shown(gateway)["state"] == "valid"
        assert ask(gateway, 1) == ["small"]
    again = tierwise("calibrate", "--restore", "--policy", "stepwise", "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == {"policy": "stepwise", "restored": False, "void": None}


@pytest.mark.process
@pytest.mark.parametrize(
    ("options", "field"),
    [(["--policy", "auto"], "--policy"), (["--policy", "stepwise", "--out", "x"], "--restore")],
)
def test_what_cannot_be_restored_is_said(
    provider: Provider, tmp_path: Path, options: list[str], field: str
) -> None:
    write_config(tmp_path / "tierwise.yaml", configured(provider.url, tmp_path, certificate()))
    done = tierwise("calibrate", "--restore", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert field in done.stderr


@pytest.mark.process
def test_the_report_has_a_line_for_each_certificate(provider: Provider, tmp_path: Path) -> None:
    data = configured(provider.url, tmp_path, certificate())
    data["ledger"] = {"path": str(tmp_path / "ledger.db")}
    with RunningGateway(data) as gateway:
        until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")
        chat(gateway.url, "stepwise")
        gateway.settle()
    write_config(tmp_path / "tierwise.yaml", data)
    said = tierwise("report", cwd=tmp_path).stdout
    assert "certificate of stepwise: with 90% confidence at most 5.0% lost (bound 4.00%)" in said
    assert "until 2999-12-31, hashes match" in said
    other = replace(certificate(), policy_hash="other", expires="2026-03-02")
    other.save(tmp_path / "certificate.json")

    [line] = json.loads(tierwise("report", "--json", cwd=tmp_path).stdout)["certificates"]
    assert (line["policy"], line["alpha"], line["matches"]) == ("stepwise", 0.05, False)
    assert "have changed since" in line["why_not"]
