"""What the README shows works as it stands there."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import RunningGateway, write_config
from tierwise.config import build, load
from tierwise.fleet import Fleet
from tierwise.fleet.simulated import Simulated

README = Path(__file__).parents[2] / "README.md"
SNIPPETS = re.findall(r"```(\w+)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
PYTHON = [code for language, code in SNIPPETS if language == "python"]
LIBRARY = [code for code in PYTHON if "from tierwise" in code]
CLIENTS = [code for code in PYTHON if "from openai" in code]
YAML = [code for language, code in SNIPPETS if language == "yaml"]


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with Fleet(Simulated(0), speed=0) as running:
        yield running


async def run(code: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a snippet prints; `await` may stand at its top, as in a notebook."""
    compiled = compile(code, README.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    done = eval(compiled, {"__name__": "snippet"})  # noqa: S307
    if inspect.isawaitable(done):
        await done
    return capsys.readouterr().out


def test_every_snippet_is_tried() -> None:
    assert len(PYTHON) == len(LIBRARY) + len(CLIENTS)
    assert (len(LIBRARY), len(CLIENTS), len(YAML)) == (2, 1, 1)


@pytest.mark.parametrize("code", LIBRARY, ids=["async", "sync"])
async def test_the_library_s_snippets_answer_and_stream(
    code: str,
    fleet: Fleet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_config(tmp_path / "tierwise.yaml", fleet.config())
    monkeypatch.chdir(tmp_path)
    printed = await asyncio.to_thread(asyncio.run, run(code, capsys))
    first, _, story = printed.partition("\n")
    assert first
    assert len(story.split()) > 1
    assert (tmp_path / "tierwise.db").is_file()


async def test_the_client_s_snippet_works_against_the_gateway(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = CLIENTS
    data = {**fleet.config(), "ledger": {"path": str(tmp_path / "ledger.db")}}
    with RunningGateway(data) as gateway:
        moved = code.replace("http://127.0.0.1:4100", gateway.url)
        assert moved != code
        printed = await asyncio.to_thread(asyncio.run, run(moved, capsys))
    assert printed.split(" ", 1)[0] in {
        model for p in fleet.providers.values() for model in p.models
    }


def test_the_configuration_is_a_right_one(tmp_path: Path) -> None:
    file = tmp_path / "tierwise.yaml"
    file.write_text(YAML[0], encoding="utf-8")
    setup = build(load(file, {"GATEWAY_KEY": "k", "OPENAI_API_KEY": "k"}))
    assert set(setup.policies) == {"auto", "economy", "best", "chat", "by-hand"}
    assert [d.provider for d in setup.deployments["my-finance-model"]] == ["local"]
