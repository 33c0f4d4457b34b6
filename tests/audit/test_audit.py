"""The audits find what is there, and never call clean what nobody looked at."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from audit.__main__ import ROOT, told
from audit.advisories import read

OWN = {"name": "tierwise", "skip_reason": "distribution marked as editable"}
FINE = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
UNKNOWN = {
    "name": "msgspec",
    "skip_reason": "Dependency not found on PyPI and could not be audited",
}
BAD = {
    "name": "jinja2",
    "version": "3.1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.4"], "aliases": []}],
}


def output(*dependencies: object) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_packages_that_nothing_is_known_against_are_fine() -> None:
    advice = read(output(OWN, FINE), "No known vulnerabilities found")
    assert advice.complete
    assert told(advice) == ["pip-audit, here: 1 packages asked about, 0 advised against"]


def test_what_is_known_is_told_with_its_remedy() -> None:
    advice = read(output(OWN, FINE, BAD), "Found 1 known vulnerability")
    assert advice.found == ("jinja2 3.1.0: PYSEC-1 (mended in 3.1.4)",)


def test_packages_that_the_service_does_not_know_were_not_asked_about() -> None:
    advice = read(output(OWN, UNKNOWN), "No known vulnerabilities found")
    assert not advice.complete
    assert told(advice) == [
        "pip-audit, here: COULD NOT ASK about 1 packages, which the service does not know: msgspec"
    ]


@pytest.mark.parametrize("said", ["", "Traceback"])
def test_a_service_that_cannot_be_reached_is_no_clean_bill(said: str) -> None:
    advice = read(said, "Traceback ...\nConnectionError: no route to host\n")
    assert not advice.complete
    assert told(advice) == [
        "pip-audit, here: COULD NOT ASK, so nothing is known of packages:"
        " ConnectionError: no route to host"
    ]


def bandit(*paths: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bandit", "-q", "-r", "-c", str(ROOT / "pyproject.toml")]
    return subprocess.run([*command, *paths], capture_output=True, text=True, check=False)


def test_bandit_would_find_something(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import pickle, subprocess\npickle.loads(input())\n")
    done = bandit(str(tmp_path))
    assert done.returncode == 1
    assert "B301" in done.stdout


def test_what_bandit_leaves_out_is_judged_line_by_line_by_ruff() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    rules = settings["ruff"]["lint"]
    assert "S" in rules["select"]
    for test in settings["bandit"]["skips"]:
        assert test.replace("B", "S") not in rules["ignore"]
