"""`tierwise calibrate` as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from tierwise.certificate import Certificate, file_digest
from tierwise.cli import app
from tierwise.config import build, load
from tierwise.config.certified import policy_hash
from tierwise.errors import ConfigError
from tierwise.learning.train import train

from .conftest import questions

pytest.importorskip("sklearn")
pytest.importorskip("scipy")
LOOSE = ("--alpha", "0.15", "--horizon", "100")


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def told(record: Callable[..., Path], tmp_path: Path) -> Path:
    """600 prompts; `small` knows how often it is right, and says so by its log-probability."""
    random = np.random.default_rng(0)
    prompts = questions(600)
    rows, logprobs = [], []
    for name in prompts:
        p = random.beta(2.0, 0.7)
        rows += [(name, "small", float(random.random() < p), 0.001), (name, "big", 1.0, 0.01)]
        logprobs += [float(np.log(max(p, 1e-9))), None]
    response = ["It is Ada."] * len(rows)
    return record(tmp_path / "told", prompts, rows, response=response, logprob=logprobs)


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    data = {
        "providers": {"p": {"base_url": "http://127.0.0.1:9/v1", "models": ["big", "small"]}},
        "models": {
            name: {"prices": {"input": price, "output": price}, "quality": 0.8}
            for name, price in (("big", 10.0), ("small", 1.0))
        },
        "policies": {
            "careful": {
                "reference": "big",
                "tiers": [{"model": "small"}, {"model": "big"}],
                "gates": ["complete", "token_confidence"],
            },
            "open": {"reference": "big"},
        },
    }
    file = tmp_path / "tierwise.yaml"
    file.write_text(yaml.safe_dump(data))
    return file


def test_a_configured_policy_is_certified_under_its_name_and_hash(
    told: Path, configuration: Path, tmp_path: Path
) -> None:
    out = tmp_path / "certificate.json"
    done = run(
        "calibrate", "--outcomes", told, "--policy", "careful", "--config", configuration,
        "--out", out, *LOOSE,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = Certificate.load(out)
    policy = build(load(configuration, needs_keys=False)).policies["careful"]
    assert (found.policy, found.policy_hash) == ("careful", policy_hash(policy))
    assert (found.reference, found.tiers) == ("big", ("small",))
    assert found.threshold().saving > 0.2
    assert {"posterior", "length", "gate token_confidence"} <= {one.name for one in found.baselines}
    assert "15.0%" in done.stdout
    assert "valid until" in done.stdout


def test_a_validation_is_printed_for_programs(told: Path) -> None:
    done = run(
        "calibrate", "--outcomes", told, "--reference", "big", "--tiers", "small", *LOOSE,
        "--validate", 3, "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["validation"]["splits"] == 3
    assert said["certificate"]["thresholds"][0]["bound"] <= 0.15


def test_a_router_s_expectations_and_novelty_go_into_the_certificate(
    told: Path, traffic: Path, tmp_path: Path
) -> None:
    out, router = tmp_path / "certificate.json", tmp_path / "router.npz"
    train([traffic], router)
    done = run(
        "calibrate", "--outcomes", told, "--reference", "big", "--tiers", "small", *LOOSE,
        "--router", router, "--by", "kind", "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = Certificate.load(out)
    assert found.artifact_hash == file_digest(router)
    assert "novelty" in {one.name for one in found.baselines}
    assert found.combination.prior >= 0


@pytest.mark.parametrize(
    ("policy", "words"),
    [("careless", "There are: .*careful"), ("open", "which models are asked before")],
)
def test_a_policy_that_cannot_be_certified_is_an_error(
    told: Path, configuration: Path, policy: str, words: str
) -> None:
    done = run(
        "calibrate", "--outcomes", told, "--policy", policy, "--config", configuration,
        "--validate", 1,
    )  # fmt: skip
    assert isinstance(done.exception, ConfigError)
    with pytest.raises(ConfigError, match=words):
        raise done.exception


def test_something_must_be_asked_for(told: Path) -> None:
    done = run("calibrate", "--outcomes", told, "--reference", "big", "--tiers", "small")
    assert isinstance(done.exception, ConfigError)
    assert "--validate" in str(done.exception)
