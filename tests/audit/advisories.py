"""Asks whether anything is known against packages, by pip-audit."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 300
OWN = "tierwise"


@dataclass(frozen=True)
class Advice:
    """What is known: `asked` packages, of which `found` are advised against, and `unasked`.

    pip-audit calls a package that its service does not know of fine, so that behind a mirror, which
    knows of none, all would be fine. Here it is one of the unasked. `trouble` says why there is no
    answer at all.
    """

    asked: int = 0
    found: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def complete(self) -> bool:
        """Whether everything was asked about."""
        return not self.trouble and not self.unasked


def ask(pinned: Path | None = None) -> Advice:
    """What the advisory service says of this environment, or of the versions that a file names."""
    command = [sys.executable, "-m", "pip_audit", "--format=json"]
    command += ["--progress-spinner=off", "--timeout=15"]
    if pinned is None:
        command.append("--skip-editable")
    else:
        command += ["--requirement", str(pinned), "--no-deps", "--disable-pip"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Advice(trouble=f"no answer within {_TIMEOUT_S} s")
    return read(done.stdout, done.stderr)


def read(output: str, errors: str) -> Advice:
    """What pip-audit said."""
    try:
        dependencies = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = errors.strip().splitlines()
        return Advice(trouble=lines[-1] if lines else "pip-audit said nothing")
    others = [one for one in dependencies if one["name"] != OWN]
    return Advice(
        asked=sum("skip_reason" not in one for one in others),
        unasked=tuple(one["name"] for one in others if "skip_reason" in one),
        found=tuple(
            f"{one['name']} {one['version']}: {flaw['id']}"
            f" (mended in {', '.join(flaw['fix_versions']) or 'no version yet'})"
            for one in others
            for flaw in one.get("vulns", ())
        ),
    )
