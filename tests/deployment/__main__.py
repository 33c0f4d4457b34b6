"""Checks deploy/ by the tools that are here, and says what was skipped: `make lint-deploy`.

With TIERWISE_DEPLOY_REQUIRED=1, as in CI, what is skipped fails too, but for those that are named
in TIERWISE_DEPLOY_WITHOUT, separated by commas, by the beginning of their names.
"""

from __future__ import annotations

import os
import sys

from deployment.checks import checks


def main() -> int:
    """The exit status: 0 if nothing failed."""
    required = os.environ.get("TIERWISE_DEPLOY_REQUIRED") == "1"
    without = tuple(filter(None, os.environ.get("TIERWISE_DEPLOY_WITHOUT", "").split(",")))
    failed = skipped = 0
    for name, check in checks().items():
        outcome = check()
        if outcome.passed is None:
            skipped += 1
            missing = required and not name.startswith(without or ("\0",))
            failed += missing
            print(f"{'MISSING' if missing else 'skipped'}  {name}: {outcome.words}")
        elif outcome.passed:
            print(f"ok       {name}")
        else:
            failed += 1
            print(f"FAILED   {name}\n{outcome.words}")
    if skipped:
        print(f"{skipped} of {len(checks())} checks were skipped, as their tools are not here.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
