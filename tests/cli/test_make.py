"""The Makefile's set-up."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.mark.process
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_first_make_says_what_it_does_and_the_next_one_nothing(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".venv").mkdir()
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\n")  # sets nothing up
    uv.chmod(0o755)
    environment = {**os.environ, "PATH": f"{uv.parent}:{os.environ['PATH']}"}

    def make() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--silent", "setup"], cwd=tmp_path, env=environment, check=True,
            capture_output=True, text=True,
        )  # fmt: skip

    first = make()
    assert first.stdout == ""
    assert first.stderr.startswith("Setting up .venv")
    assert first.stderr.count("\n") == 1
    assert make().stderr == ""
