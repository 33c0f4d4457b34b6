"""A certificate made on recorded answers does online what it did on the recording."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from typer.testing import CliRunner

from gateway import (
    Body,
    Provider,
    RunningGateway,
    call,
    chat,
    config_for,
    says,
    until,
    usage,
    write_config,
)
from tierwise.certificate import Certificate
from tierwise.cli import app
from tierwise.learning.certify import scores
from tierwise.learning.trials import read_trials
from tierwise.parquet import Table

pytest.importorskip("sklearn")
pytest.importorskip("scipy")
SHARED = Path(os.environ.get("TIERWISE_SHARED") or Path(__file__).parents[3] / "shared")
FOLDER = SHARED / "outcomes" / "cascades"
GATES = ["complete", "token_confidence"]
ASKED = 60


@pytest.fixture
def recorded() -> dict[str, tuple[str, float]]:
    """By prompt: what gpt-4o-mini answered to a question of MMLU, and its log-probability."""
    if not (FOLDER / "outcomes.parquet").is_file():
        pytest.skip("the recorded outcomes are not here")
    about = Table(FOLDER / "prompts.parquet", ("prompt_id", "prompt", "dataset"), remedy="")
    wanted = {
        name: prompt
        for name, prompt, dataset in zip(
            about.texts("prompt_id"), about.texts("prompt"), about.texts("dataset"), strict=True
        )
        if dataset == "mmlu"
    }
    said = Table(
        FOLDER / "outcomes.parquet", ("prompt_id", "model", "response", "logprob"), remedy=""
    )
    columns = (said.texts("prompt_id"), said.texts("model"), said.texts_or_none("response"))
    logprobs = said.numbers("logprob", most=0.0, least=-100.0)
    return {
        wanted[name]: (text, logprob)
        for name, model, text, logprob in zip(*columns, logprobs, strict=True)
        if model == "gpt-4o-mini" and name in wanted and text is not None and logprob is not None
    }


def test_the_gateway_accepts_what_the_recording_s_certificate_accepts(
    recorded: dict[str, tuple[str, float]], provider: Provider, tmp_path: Path
) -> None:
    policy = {
        "reference": "gpt-4o",
        "tiers": [{"model": "gpt-4o-mini"}, {"model": "gpt-4o"}],
        "gates": GATES,
    }
    data: dict[str, Any] = config_for(
        provider.url, policies={"stepwise": policy}, router={"artifact": "none"}
    )
    data["providers"]["alpha"]["models"] += ["gpt-4o", "gpt-4o-mini"]
    file, out = write_config(tmp_path / "tierwise.yaml", data), tmp_path / "certificate.json"
    done = CliRunner().invoke(
        app,
        ["calibrate", "--outcomes", str(FOLDER), "--datasets", "mmlu", "--policy", "stepwise",
         "--config", str(file), "--out", str(out)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output or done.exception
    made = Certificate.load(out)
    assert made.threshold().saving > 0.3

    trials = read_trials([FOLDER], "gpt-4o", ["gpt-4o-mini"], GATES, ["mmlu"])
    score = scores(trials, made.combination)[:, 0]
    share = float((score >= made.threshold().accept).mean())
    assert 0.1 < share < 0.99, "else nothing is shown by what follows"

    async def recites(_: web.Request, body: Body) -> web.StreamResponse:
        text, logprob = recorded[body["messages"][-1]["content"]]
        token = {"token": text, "logprob": logprob, "bytes": None, "top_logprobs": []}
        choice = {
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text},
            "logprobs": {"content": [token]},
        }  # fmt: skip
        return web.json_response(
            {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"],
             "choices": [choice], "usage": usage((10, 1))}
        )  # fmt: skip

    provider.acts["gpt-4o-mini"] = recites
    provider.acts["gpt-4o"] = says("A")
    data["policies"]["stepwise"]["certificate"] = str(out)
    prompts = list(recorded)[:ASKED]
    with RunningGateway(data) as gateway:
        until(lambda: call(gateway.url, "GET", "/health/ready").status == 200, "the gateway")
        models = [chat(gateway.url, "stepwise", text=text).json["model"] for text in prompts]
        gateway.settle()
        online = [
            next(a.p for a in record.attempts if a.tier == 1)
            for record in gateway.orchestrator.ledger.recent(ASKED)
        ]
    by_score = np.sort(score)
    places = np.searchsorted(by_score, np.array(online) - 1e-9)
    assert np.abs(by_score[np.minimum(places, len(score) - 1)] - online).max() < 1e-9, (
        "each posterior is one that the recording gave too"
    )
    taken = [p >= made.threshold().accept for p in reversed(online)]
    assert [model == "gpt-4o-mini" for model in models] == taken
    assert abs(sum(taken) / ASKED - share) < 0.25
