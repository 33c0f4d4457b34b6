"""`python -m tierwise.fleet`: as `tierwise fleet`, without the rest of the command line."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tierwise.errors import TierwiseError
from tierwise.fleet.fleet import DEFAULT_PORT
from tierwise.fleet.runner import FleetOptions, run


def main() -> None:
    """Reads the options and runs; what the user can mend is printed as one line."""
    parser = argparse.ArgumentParser(prog="python -m tierwise.fleet", description=__doc__)
    parser.add_argument("--outcomes", type=Path, help="recorded outcomes; default: simulated")
    parser.add_argument("--base-port", type=int, default=DEFAULT_PORT, help="0 takes free ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", type=float, default=1.0, help="1 is lifelike, 0 is at once")
    parser.add_argument("--write-config", type=Path, help="write the configuration as YAML")
    parser.add_argument("--exit-with-parent", action="store_true", help="end with stdin")
    try:
        asyncio.run(run(FleetOptions(**vars(parser.parse_args()))))
    except TierwiseError as error:
        print(f"tierwise: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


if __name__ == "__main__":
    main()
