"""`tierwise evaluate --router`: recorded prompts, routed as a server would route them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tierwise.cli import app
from tierwise.config.schema import NONE
from tierwise.errors import ConfigError
from tierwise.learning.data import Options
from tierwise.learning.outcomes import read_outcomes
from tierwise.learning.result import FRACTIONS
from tierwise.learning.served import QUALITIES, Served, Server, served
from tierwise.learning.train import train
from tierwise.orchestrator import Orchestrator
from tierwise.types import CAPABILITIES, Model, Prices, Task
from tierwise.wire.openai_chat import read_request

from .conftest import Row, questions

BIG, SMALL = "openai/gpt-4o-2024-08-06", "gpt-4o-mini"


def run(*args: object) -> Any:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def named(traffic: Path) -> list[Row]:
    """The traffic's outcomes, of models that the catalogue knows by another spelling."""
    found = read_outcomes([traffic])
    spelt = {"big": BIG, "small": SMALL}
    return [
        (prompt.id, spelt[name], float(found.scores[row, at]), float(found.costs[row, at]))
        for row, prompt in enumerate(found.prompts)
        for at, name in enumerate(found.models)
    ]


@pytest.fixture(scope="module")
def recorded(
    tmp_path_factory: pytest.TempPathFactory, traffic: Path, record: Callable[..., Path]
) -> Path:
    return record(tmp_path_factory.mktemp("served") / "recorded", questions(200), named(traffic))


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory, recorded: Path) -> Path:
    file = tmp_path_factory.mktemp("router") / "router.npz"
    train([recorded], file)
    return file


def serve(wanted: str | Path, folder: Path) -> Served:
    return served(str(wanted), Options(test=(folder,), reference=BIG), lambda _what, _done: None)


def test_a_router_that_knows_the_traffic_keeps_quality_where_rules_lose_it(
    artifact: Path, recorded: Path
) -> None:
    found = serve(artifact, recorded)
    assert found.rules is not None
    by_router, by_rules = (way["0.9"].chosen for way in (found.at, found.rules))
    # Half of the prompts are sums, which the small model does at a tenth of the price.
    assert by_router.small_share == pytest.approx(0.5, abs=0.05)
    assert by_router.saving == pytest.approx(0.9 * by_router.small_share)
    assert by_router.quality_rel > 0.9
    # To the catalogue the small one is nearly as good; on works it is not.
    assert by_rules.small_share == 1.0
    assert by_rules.quality_rel < 0.6


def test_every_quality_is_asked_for_and_judged_beside_single_models(recorded: Path) -> None:
    found = serve("default", recorded)
    assert list(found.at) == [str(quality) for quality in QUALITIES]
    assert set(FRACTIONS) | {0.9, 0.97} == set(QUALITIES)
    assert found.reference.model == found.best_constant.model == BIG
    for quality, at in found.at.items():
        # The small model, at half the quality, reaches none of them.
        assert at.constant is not None, quality
        assert at.constant.model == BIG
        assert at.chosen.small_share == pytest.approx(at.chosen.saving / 0.9)


def test_rules_alone_have_nothing_beside_them(recorded: Path) -> None:
    found = serve(NONE, recorded)
    assert found.rules is None
    assert found.at == serve("default", recorded).rules


@pytest.mark.parametrize("wanted", ["default", "none", "file"])
def test_decisions_are_those_of_an_orchestrator_with_the_same_configuration(
    wanted: str, artifact: Path
) -> None:
    router = str(artifact) if wanted == "file" else wanted
    usd = {"gpt-4o": 20.0, "gpt-4o-mini": 2.0}
    texts = list(questions(60, seed=5).values())
    server = Server(router, models(usd), "gpt-4o")
    orchestrator = Orchestrator.from_config(
        {
            "providers": {"p": {"base_url": "http://127.0.0.1:9/v1", "models": list(usd)}},
            "models": {
                name: {
                    "prices": {"input": price, "output": price},
                    "quality": 0.85 if name == "gpt-4o" else 0.8,
                }
                for name, price in usd.items()
            },
            "policies": {"auto": {"quality": 0.95, "reference": "gpt-4o"}},
            "ledger": {"path": ":memory:"},
            "router": {"artifact": router},
        }
    )
    expected = [orchestrator.decide(asked(text)).plan.tiers[0].model for text in texts]
    assert [first for (first,) in server.route(texts, [0.95])] == expected


def models(usd: dict[str, float]) -> list[Model]:
    return [
        Model(
            id=name,
            prices=Prices(input=price, output=price),
            quality=0.85 if name == "gpt-4o" else 0.8,
            context_window=1_000_000,
            capabilities=CAPABILITIES,  # type: ignore[arg-type]
        )
        for name, price in usd.items()
    ]


def asked(text: str) -> Task:
    body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
    return read_request(json.dumps(body).encode())


def test_recorded_tools_are_the_tools_of_the_request() -> None:
    server = Server("default", models({"gpt-4o": 20.0, "gpt-4o-mini": 2.0}), "gpt-4o")
    (plain,) = server.decide("What is the weather in Oslo?", [0.95])
    (tools,) = server.decide(
        'What is the weather in Oslo?\n\n[FUNCTIONS]\n[{"name": "weather"}]', [0.95]
    )
    assert "tools" not in plain.profile.requires
    assert "tools" in tools.profile.requires
    assert tools.profile.kind == "agent-step"


def test_notes_say_what_the_router_had_learned_from(artifact: Path, recorded: Path) -> None:
    notes = " ".join(serve(artifact, recorded).notes)
    assert "the router learned from recorded" in notes
    assert "2 of 2 models" in notes
    notes = " ".join(serve("default", recorded).notes)
    assert "not new" not in notes
    assert "0 of 2 models were learned from; the catalogue's qualities stand for all" in notes


def test_models_that_nobody_knows_are_noted(traffic: Path) -> None:
    options = Options(test=(traffic,), reference="big")
    notes = served(NONE, options, lambda _what, _done: None).notes
    assert any("quality of 0.5 is assumed: big, small" in note for note in notes)


def test_two_spellings_of_one_model_are_an_error(
    tmp_path: Path, traffic: Path, record: Callable[..., Path]
) -> None:
    rows = [(*row[:1], "gpt-4o" if row[1] == SMALL else row[1], *row[2:]) for row in named(traffic)]
    folder = record(tmp_path / "twins", questions(200), rows)
    with pytest.raises(ConfigError, match=r"--models.* are both gpt-4o in a configuration"):
        serve("default", folder)


def test_the_command_prints_json_alone_or_a_table(recorded: Path) -> None:
    words = "evaluate", "--router", "default", "--test", recorded, "--reference", BIG
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["at"]["0.97"]["chosen"].keys() >= {"quality_rel", "saving", "small_share"}
    assert said["rules"].keys() == said["at"].keys()
    done = run(*words)
    assert done.exit_code == 0, done.output
    for part in ("As served", "default:", "rules:", "single", "oracle", "nothing was learned"):
        assert part in done.stdout


@pytest.mark.parametrize(
    "extra",
    [
        ("--train", "elsewhere"), ("--labels", "40"), ("--folds", "5"), ("--own-split",),
        ("--leave-out", "dataset"), ("--cascade",), ("--reword",), ("--plot", "curve.png"),
    ],
)  # fmt: skip
def test_options_of_learning_cannot_go_with_a_finished_router(
    recorded: Path, extra: tuple[str, ...]
) -> None:
    done = run("evaluate", "--router", "none", "--test", recorded, "--reference", BIG, *extra)
    assert isinstance(done.exception, ConfigError)
    assert f"{extra[0]} cannot go with --router" in str(done.exception)


def test_a_file_that_is_no_router_is_an_error_of_the_option(recorded: Path, tmp_path: Path) -> None:
    file = tmp_path / "missing.npz"
    done = run("evaluate", "--router", file, "--test", recorded, "--reference", BIG)
    assert isinstance(done.exception, ConfigError)
    assert done.exception.field == "--router"
    assert str(file) in str(done.exception)
