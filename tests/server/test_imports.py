from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.process
def test_a_plain_serve_imports_nothing_that_only_others_need() -> None:
    heavy = (
        "numpy", "scipy", "sklearn", "tokenizers", "pyarrow", "matplotlib", "aiohttp", "rich",
        "jsonschema_rs", "tierwise.fleet", "tierwise.learning",
    )  # fmt: skip
    program = (
        "import sys, tierwise.server.run\n"
        "from tierwise.orchestrator import Orchestrator\n"
        "Orchestrator.from_config({'providers': {'p': {'base_url': 'http://127.0.0.1:9/v1',"
        " 'models': ['gpt-4o', 'gpt-4o-mini']}}, 'ledger': {'path': ':memory:'}})\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
