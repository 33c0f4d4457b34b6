"""From feedback to a certificate, and from the certificate to the gateway that it was made for."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import Result
from typer.testing import CliRunner

from builders import a_decision, a_plan, a_profile, a_record, an_attempt
from gateway import (
    Body,
    Provider,
    RunningGateway,
    call,
    chat,
    config_for,
    until,
    usage,
    write_config,
)
from tierwise.certificate import Certificate
from tierwise.cli import app
from tierwise.errors import ConfigError
from tierwise.ledger import Feedback, Ledger
from tierwise.types import Tier, Verdict

pytest.importorskip("sklearn")
pytest.importorskip("scipy")
GATES = ["complete", "token_confidence"]
LOOSE = ("--alpha", "0.2", "--horizon", "100")


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["calibrate", *(str(arg) for arg in args)])


def refusal(*args: object) -> str:
    done = run(*args)
    assert isinstance(done.exception, ConfigError), done.output
    return str(done.exception)


async def unsure(_: web.Request, body: Body) -> web.StreamResponse:
    """Says how sure it is as often as it is asked: the message is the log-probability."""
    said = body["messages"][-1]["content"]
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": "Ada"},
        "finish_reason": "stop",
        "logprobs": {
            "content": [{"token": "Ada", "logprob": float(said), "bytes": None, "top_logprobs": []}]
        },
    }
    return web.json_response(
        {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"],
         "choices": [choice], "usage": usage((10, 5))}
    )  # fmt: skip


def configured(provider: Provider, folder: Path, **policy: Any) -> dict[str, Any]:
    stepwise = {
        "reference": "large",
        "tiers": [{"model": "small", "accept": 0.0}, {"model": "large"}],
        "gates": GATES,
        **policy,
    }
    return config_for(
        provider.url,
        policies={"stepwise": stepwise},
        ledger={"path": str(folder / "ledger.db")},
    )


def started(data: dict[str, Any]) -> RunningGateway:
    gateway = RunningGateway(data)
    gateway.__enter__()
    until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")
    return gateway


def test_feedback_given_over_http_becomes_a_certificate_that_the_gateway_serves_under(
    provider: Provider, tmp_path: Path
) -> None:
    provider.acts["small"] = unsure
    draw = random.Random(3)
    data = configured(provider, tmp_path)
    gateway = started(data)
    try:
        for _ in range(320):
            logprob = -draw.random() * 3
            reply = chat(gateway.url, "stepwise", text=str(logprob))
            right = draw.random() < 1.05 + logprob / 3
            fields = {
                "decision_id": reply.headers["x-tierwise-decision-id"],
                "label": "good" if right else "bad",
            }
            assert call(gateway.url, "POST", "/v1/feedback", fields).status == 200
    finally:
        gateway.__exit__()
    config = write_config(tmp_path / "tierwise.yaml", data)
    out = tmp_path / "certificate.json"
    done = run("--policy", "stepwise", "--config", config, "--out", out, *LOOSE)
    assert done.exit_code == 0, done.output or done.exception
    made = Certificate.load(out)
    assert made.fitted + made.calibrated == 320
    assert made.tiers == ("small",)
    assert made.gates == tuple(GATES)
    assert made.sources == ("feedback in ledger.db",)
    assert [note for note in made.notes if "reference is taken as always right" in note]
    assert 0 < made.threshold().accept < 1
    assert made.threshold().bound <= 0.2
    names = {one.name: sum(one.counts) for one in made.baselines}
    assert names["gate token_confidence"] == names["length"] == names["posterior"] == 320

    gateway = started(configured(provider, tmp_path, certificate=str(out)))
    try:
        gateway.forget()
        answers = [
            chat(gateway.url, "stepwise", text=text).json["model"] for text in ("-0.01", "-2.99")
        ]
        gateway.settle()
        [shown] = call(gateway.url, "GET", "/v1/certificate").json["data"]
    finally:
        gateway.__exit__()
    assert answers == ["small", "large"]
    assert (shown["state"], shown["requests_seen"]) == ("valid", 2)


def rated(
    ledger: Path, count: int, *, accept: float = 0.0, gates: tuple[str, ...] = tuple(GATES)
) -> None:
    """So many answers with feedback, of two callers and two kinds in turn."""
    draw = random.Random(5)
    plan = a_plan(Tier(model="small", gates=gates, accept=accept), "large")
    with Ledger(ledger) as open_ledger:
        for number in range(count):
            p = draw.random()
            verdict = Verdict(gate="token_confidence", p=max(p, 0.01), reason="")
            decision = a_decision(
                plan, id=f"{len(gates)}-{number}", policy="stepwise",
                profile=a_profile(kind="code" if number % 2 else "qa"),
            )  # fmt: skip
            record = a_record(
                decision=decision, caller=f"key-{number % 2}",
                attempts=(an_attempt(verdicts=(verdict,), p=p, length=20),),
            )  # fmt: skip
            open_ledger.record(lambda record=record: record)  # type: ignore[misc]
            score = float(draw.random() < 0.3 + p)
            open_ledger.rated(Feedback(decision_id=decision.id, at=2.0, source="user", score=score))


@pytest.fixture
def config(provider: Provider, tmp_path: Path) -> Path:
    return write_config(tmp_path / "tierwise.yaml", configured(provider, tmp_path))


def test_too_few_rated_answers_are_counted_and_so_is_what_is_needed(
    config: Path, tmp_path: Path
) -> None:
    rated(tmp_path / "ledger.db", 30)
    said = refusal("--policy", "stepwise", "--config", config, "--out", tmp_path / "c.json")
    assert "the ledger has 30 labelled answers of small under policy 'stepwise'" in said
    assert "251 are needed for alpha 0.05 with delta 0.1" in said


def test_without_a_file_the_ledger_is_the_one_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIERWISE_CONFIG", raising=False)
    monkeypatch.setenv("TIERWISE__LEDGER__PATH", "elsewhere.db")
    rated(tmp_path / "elsewhere.db", 30)
    said = refusal(
        "--policy", "stepwise", "--reference", "large", "--tiers", "small",
        "--gates", ",".join(GATES), "--out", "c.json",
    )  # fmt: skip
    assert "the ledger has 30 labelled answers of small under policy 'stepwise'" in said


@pytest.mark.parametrize("by", ["caller", "kind"])
def test_callers_and_kinds_with_data_enough_have_thresholds_of_their_own(
    config: Path, tmp_path: Path, by: str
) -> None:
    rated(tmp_path / "other.db", 600)
    done = run(
        "--ledger", tmp_path / "other.db", "--policy", "stepwise", "--config", config,
        "--by", by, "--out", tmp_path / "c.json", "--alpha", "0.3", "--horizon", "100",
    )  # fmt: skip
    assert done.exit_code == 0, done.output or done.exception
    made = Certificate.load(tmp_path / "c.json")
    names = {"caller": {"key-0", "key-1"}, "kind": {"code", "qa"}}[by]
    assert {one.traffic for one in made.thresholds} == {"", *names}


def test_answers_that_had_to_pass_or_that_other_gates_judged_are_told_of(
    config: Path, tmp_path: Path
) -> None:
    rated(tmp_path / "ledger.db", 300, accept=0.1)
    rated(tmp_path / "ledger.db", 7, gates=("complete",))
    done = run(
        "--policy", "stepwise", "--config", config, "--out", tmp_path / "c.json", "--json", *LOOSE
    )
    assert done.exit_code == 0, done.output or done.exception
    notes = " ".join(json.loads(done.stdout)["certificate"]["notes"])
    assert "300 of 300 answers had passed a threshold" in notes
    assert "7 rated answers were judged by other gates" in notes


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--by", "dataset"), "knows no data sets"),
        (("--router", "r.npz"), "does not say what this router expected"),
        (("--tiers", "small,small"), "asks 2 models before the reference"),
        (("--outcomes", "x", "--ledger", "y.db"), "cannot be mixed"),
        (("--outcomes", "x", "--by", "caller"), "do not say who asked"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(
    config: Path, tmp_path: Path, args: tuple[str, ...], words: str
) -> None:
    common = ("--policy", "stepwise", "--config", config, "--out", tmp_path / "c.json")
    assert words in refusal(*common, *args)


def test_without_a_ledger_that_is_said(config: Path, tmp_path: Path) -> None:
    common = ("--policy", "stepwise", "--config", config, "--out", tmp_path / "c.json")
    assert "there is no ledger" in refusal(*common)
