"""`tierwise feedback`, as a process, beside a ledger that a gateway may be writing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway import Provider, config_for, tierwise, write_config
from tierwise import Orchestrator
from tierwise.ledger import Ledger

pytestmark = pytest.mark.process


@pytest.fixture
def decision(tmp_path: Path, provider: Provider) -> str:
    """The id of an answer in the ledger of the configuration in `tmp_path`."""
    data = config_for(provider.url, ledger={"path": str(tmp_path / "ledger.db")})
    write_config(tmp_path / "tierwise.yaml", data)

    async def talk() -> str:
        async with Orchestrator.from_config(data) as o:
            return (await o.chat("Hello", policy="stepwise")).decision.id

    return asyncio.run(talk())


def test_an_answer_is_rated_in_the_configured_ledger(decision: str, tmp_path: Path) -> None:
    done = tierwise("feedback", decision, "--score", "1", "--comment", "good", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{decision}: 1, recorded\n"
    named = tierwise(
        "feedback", decision, "--label", "bad", "--json", "--db", "ledger.db", cwd=tmp_path
    )
    assert (json.loads(named.stdout)["score"], json.loads(named.stdout)["source"]) == (0, "user")
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert [one.score for one in ledger.feedback(decision)] == [1, 0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--score", "2"], "`score` is 2.0; it must be a number from 0"),
        (["--label", "godo"], "Did you mean 'good'"),
        ([], "give one of them"),
        (["--score", "1", "--db", "nowhere.db"], "there is no ledger at nowhere.db"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    decision: str, tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = tierwise("feedback", decision, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert not (tmp_path / "nowhere.db").exists()


def test_an_unknown_decision_is_one_line(decision: str, tmp_path: Path) -> None:
    done = tierwise("feedback", "0123", "--score", "1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'0123', and there is no such decision" in done.stderr
