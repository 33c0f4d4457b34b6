"""What `tierwise report` shows of requests that went through the library."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway import Provider, config_for, fails, says, tierwise, write_config
from tierwise import Orchestrator
from tierwise.cli.report_view import show
from tierwise.errors import TierwiseError
from tierwise.ledger import EMBEDDINGS, Aside, Feedback, Ledger, report
from tierwise.ledger.gate_figures import FEWEST_CASES

pytestmark = pytest.mark.process


@pytest.fixture
def ledger(tmp_path: Path, provider: Provider) -> Path:
    """Ten answers of `small`, one escalation, one failure."""
    data = config_for(provider.url, ledger={"path": str(tmp_path / "ledger.db")})
    write_config(tmp_path / "tierwise.yaml", data)

    async def talk() -> None:
        async with Orchestrator.from_config(data) as o:
            for _ in range(10):
                await o.chat("Hello", policy="stepwise")
            provider.acts["small"] = says("")
            await o.chat("Hello", policy="stepwise")
            provider.acts["small"] = provider.acts["large"] = fails(500, {"message": "boom"})
            with pytest.raises(TierwiseError):
                await o.chat("Hello", policy="stepwise")

    asyncio.run(talk())
    return tmp_path


def lines(text: str) -> dict[str, list[str]]:
    """The words of each line after its first."""
    return {words[0]: words[1:] for words in map(str.split, text.splitlines()) if words}


def test_the_figures_are_said_in_plain_words(ledger: Path) -> None:
    done = tierwise("report", cwd=ledger)
    assert (done.returncode, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    one = 10e-6 + 5 * 2e-6
    assert "requests 12 (11 ok, 1 failed, 0 cancelled)" in said
    assert f"spent ${21 * one:.6f}, of which ${one:.6f} for answers not used" in said
    assert f"always the reference ${110 * one:.6f}" in said
    assert "(80.9%)" in said
    assert "cheaper models gave 90.9% of the answers" in said
    assert "escalations 1 request went to a higher tier" in said
    assert "errors AllPathsFailed 1" in said


def test_the_tables_fit_80_columns_and_name_tiers_from_1(ledger: Path) -> None:
    done = tierwise("report", "--since", "1h", cwd=ledger)
    assert max(map(len, done.stdout.splitlines())) <= 80
    seen = lines(done.stdout)
    assert seen["1"][:2] == ["10", "83.3%"]
    assert seen["2"][:2] == ["1", "8.3%"]
    assert seen["stepwise"][0] == "12"
    assert seen["alpha/large"][0] == "1"


def test_gates_and_feedback_are_shown_within_80_columns(ledger: Path) -> None:
    with Ledger(ledger / "ledger.db") as rated:
        for record in list(rated.recent()):
            if record.model == "small":
                rated.rated(
                    Feedback(decision_id=record.decision.id, at=1.0, source="user", score=0.5)
                )
    done = tierwise("report", cwd=ledger)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "feedback 10 answers were rated, 0.50 on average" in " ".join(done.stdout.split())
    one = 10e-6 + 5 * 2e-6
    seen = lines(done.stdout)
    assert seen["complete"] == [
        "11",
        "90.9%",
        "50.0%",
        "of",
        "10",
        f"${one:.6f}",
        f"${89 * one:.6f}",
    ]
    assert "tier 1 11 90.9% 50.0% of 10" in " ".join(done.stdout.split())


def test_gates_that_do_not_pay_are_named(
    tmp_path: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.acts["small"] = says("")
    data = config_for(provider.url, ledger={"path": str(tmp_path / "ledger.db")})

    async def talk() -> None:
        async with Orchestrator.from_config(data) as o:
            for _ in range(FEWEST_CASES):
                await o.chat("Hello", policy="stepwise")

    asyncio.run(talk())
    found = report(tmp_path / "ledger.db", now=4e9)
    assert found.gates_that_do_not_pay == ["complete"]
    show(found)
    said = " ".join(capsys.readouterr().out.split())
    assert "gates that do not pay complete (cost $0.000600 more than it earned)" in said


def test_programs_get_the_same_as_json(ledger: Path) -> None:
    found = json.loads(tierwise("report", "--json", cwd=ledger).stdout)
    assert (found["requests"], found["ok"], found["escalations"]) == (12, 11, 1)
    assert found["saving"] == pytest.approx(1 - 21 / 110)
    named = tierwise("report", "--json", "--db", "ledger.db", cwd=ledger)
    assert json.loads(named.stdout)["cost_usd"] == found["cost_usd"]


def test_routing_that_cost_more_is_not_called_a_saving(
    tmp_path: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.acts["small"] = says("")
    data = config_for(provider.url, ledger={"path": str(tmp_path / "ledger.db")})

    async def talk() -> None:
        async with Orchestrator.from_config(data) as o:
            await o.chat("Hello", policy="stepwise")

    asyncio.run(talk())
    show(report(tmp_path / "ledger.db", now=4e9))
    assert "nothing: $0.000020 more than the reference" in capsys.readouterr().out


def test_names_with_brackets_are_shown_as_they_are(
    tmp_path: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    data = config_for(provider.url, policies={"[red]odd[/]": {"tiers": [{"model": "small"}]}})

    async def talk() -> Ledger:
        async with Orchestrator.from_config(data) as o:
            await o.chat("Hello", policy="[red]odd[/]")
            o.ledger.flush()
            show(o.ledger.report(now=4e9))
            return o.ledger

    asyncio.run(talk())
    assert "[red]odd[/]" in capsys.readouterr().out


def test_embeddings_are_told_of_and_what_is_passed_through_stands_apart(ledger: Path) -> None:
    vectors = Aside(
        id="e1",
        at=2.0,
        kind=EMBEDDINGS,
        asked="vectors",
        status="ok",
        latency_s=0.1,
        model="vectors",
        deployment="beta/vectors",
        cost_usd=0.5,
        input_tokens=1000,
    )
    image = Aside(
        id="p1",
        at=2.0,
        kind="images",
        asked="POST /v1/images/generations",
        status="ok",
        latency_s=2.0,
        provider="alpha",
        code=200,
        output_tokens=4160,
    )
    with Ledger(ledger / "ledger.db") as one:
        one.noted(vectors)
        one.noted(image)
    done = tierwise("report", cwd=ledger)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    said = " ".join(done.stdout.split())
    assert "requests 13 (12 ok, 1 failed, 0 cancelled)" in said
    assert "embeddings 1 request among them, $0.5000, no saving claimed" in said
    assert "alpha/images 1 0 0 4,160 unknown" in said


def test_a_report_of_nothing_but_what_was_passed_through_is_not_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Aside(
        id="p1", at=2.0, kind="files", asked="GET /v1/files", status="ok", latency_s=0.1,
        provider="alpha", code=200,
    )  # fmt: skip
    with Ledger(tmp_path / "ledger.db") as one:
        one.noted(files)
    show(report(tmp_path / "ledger.db", now=4e9))
    said = " ".join(capsys.readouterr().out.split())
    assert "alpha/files 1 0 0 0 unknown" in said
    assert "No requests" not in said
