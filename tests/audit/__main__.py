"""Bandit on the code, and pip-audit on the packages that it stands on: `make audit`.

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


def main() -> int:
    """The exit status: 0 if nothing was found."""
    code = subprocess.run(
        [sys.executable, "-m", "bandit", "-q", "-r", "src", "-c", "pyproject.toml"],
        cwd=ROOT,
        check=False,
    ).returncode
    print(f"bandit: {'nothing found' if code == 0 else 'see above'}")
    advice = ask()
    print("\n".join(told(advice)))
    required = os.environ.get("TIERWISE_AUDIT_REQUIRED") == "1"
    return 1 if code or advice.found or (required and not advice.complete) else 0


def told(advice: Advice) -> list[str]:
    """The advice in words."""
    if advice.trouble:
        return [f"pip-audit: COULD NOT ASK, so nothing is known of packages: {advice.trouble}"]
    lines = [f"pip-audit: {flaw}" for flaw in advice.found]
    if advice.asked:
        lines.append(
            f"pip-audit: {advice.asked} packages asked about, {len(advice.found)} advised against"
        )
    if advice.unasked:
        names = ", ".join(advice.unasked[:5]) + (", ..." if len(advice.unasked) > 5 else "")
        lines.append(
            f"pip-audit: COULD NOT ASK about {len(advice.unasked)} packages,"
            f" which the service does not know: {names}"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
