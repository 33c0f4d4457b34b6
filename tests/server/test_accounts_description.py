"""Calls about accounts are as `GET /openapi.json` says, on a gateway that has some."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tenants import OPERATOR_KEY, Tenants, tenants
from tierwise.server.description import description

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 1,
        "auth": {"openapi": {"bearer": {"bearer": OPERATOR_KEY}}},
        "generation": {
            "max-examples": 10,
            "deterministic": True,
            "database": "none",
            "allow-extra-parameters": False,
        },
        "checks": {
            # Names of models, of owners and of organisations must be those of some.
            "positive_data_acceptance": {"enabled": False},
            "negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 405, 408, 413]},
        },
    }
)
SCHEMA = schemathesis.openapi.from_dict(json.loads(description()), config=CONFIG).include(
    tag="accounts"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with tenants(tmp_path_factory.mktemp("described")) as found:
        yield found


@SCHEMA.parametrize()
def test_calls_about_accounts_are_as_described(case: Any, running: Tenants) -> None:
    case.call_and_validate(base_url=running.gateway.url)
