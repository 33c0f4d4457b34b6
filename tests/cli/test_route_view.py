"""What `tierwise route` shows has room in a narrow terminal, and in a wide one shows more."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tierwise.cli.route import command

MODELS = (
    *("gpt-4o", "gpt-4o-mini", "gpt-4.1-nano", "claude-sonnet-4-5", "gemini-2.5-flash"),
    "llama-3.1-8b-instruct",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tierwise.yaml"
    provider = {"base_url": "http://127.0.0.1:9/v1", "models": list(MODELS)}
    path.write_text(yaml.safe_dump({"providers": {"p": provider}}))
    return path


@pytest.fixture
def shown(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> object:
    def show(columns: int, policy: str = "auto") -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        command("Review this lease for unfair clauses.", policy, file, False)
        return capsys.readouterr().out.splitlines()

    return show


def rows(lines: list[str]) -> dict[str, list[str]]:
    """The lines of the table that belong to each model."""
    start = next(at for at, line in enumerate(lines) if "───" in line) + 1
    found: dict[str, list[str]] = {}
    model = ""
    for line in lines[start:]:
        if not line.strip():
            break
        model = line.split()[0] if line.split()[0] in MODELS else model
        found.setdefault(model, []).append(line)
    return found


@pytest.mark.parametrize("policy", ["auto", "economy", "best"])
@pytest.mark.parametrize("columns", [80, 120])
def test_every_candidate_stands_whole_on_a_few_lines(shown, columns: int, policy: str) -> None:
    lines = shown(columns, policy)
    assert max(map(len, lines)) <= columns
    table = rows(lines)
    assert table.keys() == set(MODELS)
    assert max(map(len, table.values())) <= 4
    assert "…" not in "".join(lines)


def test_a_wide_table_has_the_dearest_cost_and_the_first_word_too(shown) -> None:
    def head(columns: int) -> list[str]:
        return next(line for line in shown(columns) if "quality" in line).split()

    assert head(80) == ["model", "quality", "low", "$/1k", "all", "s", "part", "why"]
    assert {"p90", "first"} <= set(head(120))


def test_each_has_its_part_and_the_guard_speaks_once(shown) -> None:
    lines = shown(120)
    table = rows(lines)
    parts = [" ".join(first.split()) for first, *_ in table.values()]
    assert " tier 1" in parts[0]
    assert any(" behind 1 " in part for part in parts)
    said = " ".join(" ".join(line.split()) for line in lines)
    assert said.count("the best single") == 1
