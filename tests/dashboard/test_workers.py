"""Logins where several workers serve: each knows those of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import GatewayProcess
from pages import Client, sign_in

pytestmark = pytest.mark.process


def test_a_login_is_known_to_every_worker(tmp_path: Path) -> None:
    with GatewayProcess(
        "--workers", "2", cwd=tmp_path, OPENAI_API_KEY="k", TIERWISE_API_KEYS="a-client-key"
    ) as gateway:
        person = sign_in(gateway.url, "a-client-key")
        # Each is a connection of its own, and the workers share them.
        assert {person.get("/dashboard/policies").status for _ in range(30)} == {200}
        stolen = Client(gateway.url, dict(person.client.kept))
        assert person.post("/dashboard/logout").status == 303
        assert {stolen.get("/dashboard/policies").status for _ in range(30)} == {303}
        assert "tierwise: dashboard at http://127.0.0.1:" in gateway.stderr
