from __future__ import annotations

import json
import subprocess
import sys

import pytest


def imported(models: str, then: str = "") -> str:
    """Which heavy modules a gateway with these models has imported, after doing something."""
    heavy = (
        "numpy", "scipy", "sklearn", "tokenizers", "pyarrow", "matplotlib", "aiohttp", "rich",
        "jsonschema_rs", "tierwise.fleet", "tierwise.learning", "tierwise.gates.probe",
        "tierwise.execution.probing", "tierwise.execution.hand_over", "tierwise.wire.chat.dialect",
        "tierwise.wire.responses", "tierwise.wire.anthropic", "tierwise.wire.gemini",
        "tierwise.wire.bedrock", "tierwise.wire.cohere", "tierwise.wire.embeddings",
        "tierwise.providers.anthropic", "tierwise.providers.gemini", "tierwise.providers.aws",
        "botocore", "google", "azure", "prometheus_client", "sqlalchemy", "alembic", "redis",
        "psycopg", "jinja2", "opentelemetry", "authlib", "tierwise.telemetry.telemetry",
        "tierwise.telemetry.access",
        "tierwise.state.shared", "tierwise.guardrails",
    )  # fmt: skip
    program = (
        "import sys, tierwise.server.run\n"
        "from tierwise.orchestrator import Orchestrator\n"
        "from tierwise.wire.openai_chat import read_request\n"
        "o = Orchestrator.from_config({'providers': {'p': {'base_url': 'http://127.0.0.1:9/v1',"
        f" 'models': {models}}}}}, 'ledger': {{'path': ':memory:'}}}})\n"
        f"{then}\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def decide(model: str) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
    return f"o.decide(read_request(b'{body}'))"


@pytest.mark.process
def test_a_plain_serve_imports_nothing_that_only_others_need() -> None:
    assert imported("['gpt-4o', 'gpt-4o-mini']") == "[]"


@pytest.mark.process
def test_callers_who_name_models_never_load_the_router() -> None:
    assert imported("['gpt-4o', 'gpt-4o-mini']", decide("gpt-4o")) == "[]"


@pytest.mark.process
def test_with_one_model_there_is_nothing_to_choose_and_no_router() -> None:
    assert imported("['gpt-4o']", decide("auto")) == "[]"


@pytest.mark.process
def test_choosing_needs_numpy_and_the_tokeniser_and_nothing_that_learning_needs() -> None:
    found = imported("['gpt-4o', 'gpt-4o-mini']", decide("auto"))
    assert found == "['numpy', 'tokenizers']"
