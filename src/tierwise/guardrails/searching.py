"""The program that searches for patterns which may take for ever; `patterns.py` starts and ends it.

It imports nothing of Tierwise, gets patterns and texts as JSON on standard input, and gives what it
finds as JSON on standard output: for each text a list of [start, end, number of the pattern].
"""

from __future__ import annotations

import json
import re
import sys


def main() -> None:
    """Does one job."""
    job = json.load(sys.stdin.buffer)
    patterns = [re.compile(one, job["flags"]) for one in job["patterns"]]
    found = [
        [
            [*match.span(), number]
            for number, one in enumerate(patterns)
            for match in one.finditer(text)
        ]
        for text in job["texts"]
    ]
    json.dump(found, sys.stdout)


main()
