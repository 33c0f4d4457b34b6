"""A key that is revoked at one replica is refused by all; what was done is in the audit log."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import RunningGateway, call, chat, config_for, until
from replicated import RedisServer
from tenants import OPERATOR_KEY, ready, tenants
from tierwise.accounts.counter import InMemory
from tierwise.accounts.types import OPERATOR
from tierwise.server import app


def test_a_key_that_is_revoked_at_one_replica_is_refused_by_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_KEEP_UP_S", 3600.0)  # so that Redis alone tells
    with RedisServer(tmp_path / "redis") as redis:
        state = {"url": redis.url, "timeout_s": 3.0}
        with tenants(tmp_path, state=state) as one:
            data = config_for(
                one.provider.url,
                ledger={"path": str(tmp_path / "ledger.db")},
                accounts={"enabled": True},
                server={"api_keys": [{"key": OPERATOR_KEY, "name": "op", "admin": True}]},
                state=state,
            )
            with RunningGateway(data) as other:
                ready(other.url)
                accounts = other.application._lasting.accounts
                assert accounts is not None
                accounts.directory._counter = InMemory()  # as on another machine
                secret = one.ours.key("leaked")
                until(lambda: chat(other.url, key=secret).status == 200, "the key at the other")
                assert chat(one.gateway.url, key=secret).status == 200
                one.accounts.keyring.revoke(OPERATOR, one.ours.keys["leaked"].id)
                until(lambda: chat(other.url, key=secret).status == 401, "the revocation")


def test_an_emptied_cache_is_in_the_audit_log_though_redis_was_not_there(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path / "redis") as redis,
        tenants(tmp_path, state={"url": redis.url}) as one,
    ):

        def lost() -> bool:
            ready = call(one.gateway.url, "GET", "/health/ready").json
            return bool(ready["shared"]["status"] == "lost")

        redis.kill()
        until(lost, "the loss")
        assert one.call("POST", "cache/clear").status == 503
        (latest,) = one.call("GET", "audit?limit=1").json["data"]
        assert latest["action"] == "cache.clear"
