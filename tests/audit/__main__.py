"""Bandit on the code, pip-audit on the packages here and on those of the image: `make audit`.

Where the advisory service cannot be asked it says so, and fails only with
TIERWISE_AUDIT_REQUIRED=1, as in CI.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from audit.advisories import Advice, ask

ROOT = Path(__file__).parents[2]
PINNED = ROOT / "deploy" / "constraints.txt"


def main() -> int:
    """The exit status: 0 if nothing was found."""
    code = subprocess.run(
        [sys.executable, "-m", "bandit", "-q", "-r", "src", "-c", "pyproject.toml"],
        cwd=ROOT,
        check=False,
    ).returncode
    print(f"bandit: {'nothing found' if code == 0 else 'see above'}")
    required = os.environ.get("TIERWISE_AUDIT_REQUIRED") == "1"
    failed = bool(code)
    for where, pinned in (("here", None), ("in the image", PINNED)):
        advice = ask(pinned)
        print("\n".join(told(advice, where)))
        failed |= bool(advice.found) or (required and not advice.complete)
    return 1 if failed else 0


def told(advice: Advice, where: str = "here") -> list[str]:
    """The advice in words, about the packages that are there."""
    who = f"pip-audit, {where}"
    if advice.trouble:
        return [f"{who}: COULD NOT ASK, so nothing is known of packages: {advice.trouble}"]
    lines = [f"{who}: {flaw}" for flaw in advice.found]
    if advice.asked:
        lines.append(
            f"{who}: {advice.asked} packages asked about, {len(advice.found)} advised against"
        )
    if advice.unasked:
        names = ", ".join(advice.unasked[:5]) + (", ..." if len(advice.unasked) > 5 else "")
        lines.append(
            f"{who}: COULD NOT ASK about {len(advice.unasked)} packages,"
            f" which the service does not know: {names}"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
