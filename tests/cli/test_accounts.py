"""Accounts from the command line, on the database itself."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import (
    GatewayProcess,
    Provider,
    call,
    chat,
    clean_environment,
    config_for,
    tierwise,
    until,
    write_config,
)

pytestmark = pytest.mark.process


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, provider: Provider) -> Path:
    config = config_for(
        provider.url, ledger={"path": str(tmp_path / "ledger.db")}, accounts={"enabled": True}
    )
    write_config(tmp_path / "tierwise.yaml", config)
    return tmp_path


def said(folder: Path, *args: str) -> str:
    """What a command prints, which must succeed."""
    done = tierwise(*args, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def as_json(folder: Path, *args: str) -> Any:
    return json.loads(said(folder, *args, "--json"))


def test_keys_are_made_listed_rotated_and_revoked(folder: Path) -> None:
    said(folder, "accounts", "org", "acme")
    said(folder, "accounts", "team", "search", "--org", "acme")
    made = as_json(folder, "keys", "create", "ci", "--org", "acme", "--team", "search",
                   "--models", "small,large", "--rpm", "10", "--days", "30")  # fmt: skip
    assert made["secret"].startswith(made["prefix"])
    assert (made["models"], made["rpm"]) == (["small", "large"], 10)
    (listed,) = as_json(folder, "keys", "list", "--org", "acme")
    assert "secret" not in listed
    new = said(folder, "keys", "rotate", "ci", "--overlap", "60")
    assert new != made["secret"]
    assert "revoked" in said(folder, "keys", "revoke", "ci")
    (listed,) = as_json(folder, "keys", "list", "--org", "acme")
    assert listed["revoked_at"] is not None
    acts = [one["action"] for one in as_json(folder, "accounts", "audit")]
    assert acts[:2] == ["key.revoke", "key.rotate"]
    assert {one["actor"] for one in as_json(folder, "accounts", "audit")} == {"the command line"}


def test_a_budget_is_set_changed_listed_and_removed(folder: Path) -> None:
    said(folder, "keys", "create", "ci")
    said(folder, "budgets", "set", "--key", "ci", "--period", "month", "--hard", "5")
    said(folder, "budgets", "set", "--key", "ci", "--period", "month", "--hard", "7", "--soft", "6")
    (budget,) = as_json(folder, "budgets", "list")
    assert (budget["soft_usd"], budget["hard_usd"], budget["spent_usd"]) == (6, 7, 0)
    assert budget["id"] in said(folder, "budgets", "list")
    said(folder, "budgets", "set", "--key", "ci", "--period", "month", "--remove")
    assert as_json(folder, "budgets", "list") == []


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("keys", "create", "x", "--role", "owner"), "--role"),
        (("keys", "create", "ann\u202e"), "--name: it has characters that nobody sees"),
        (("keys", "create", "x", "--rpm", "0"), "--rpm"),
        (("keys", "create", "x", "--rpm", "nan"), "--rpm"),
        (("keys", "create", "x", "--org", "nowhere"), "nowhere"),
        (("keys", "create", "x", "--models", "small,smal"), "Did you mean small"),
        (("keys", "create", "x", "--policies", "nothing"), "`policies` has 'nothing'"),
        (("budgets", "set", "--period", "month", "--hard", "1"), "--key"),
        (("budgets", "set", "--org", "default", "--period", "year", "--hard", "1"), "--period"),
        (("budgets", "set", "--org", "default", "--period", "day"), "hard_usd"),
        (("keys", "revoke", "none"), "none"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_done(
    folder: Path, args: tuple[str, ...], named: str
) -> None:
    done = tierwise(*args, cwd=folder)
    assert done.returncode == 2
    assert named in done.stderr
    assert as_json(folder, "accounts", "audit") == []


def test_what_a_key_may_use_is_not_looked_up_where_a_database_alone_is_named(folder: Path) -> None:
    made = as_json(folder, "keys", "create", "x", "--models", "of-others", "--db", "other.db")
    assert made["models"] == ["of-others"]


def test_the_first_key_is_made_once(folder: Path) -> None:
    secret = said(folder, "accounts", "bootstrap")
    assert secret.startswith("tw-")
    again = tierwise("accounts", "bootstrap", cwd=folder)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert said(folder, "accounts", "bootstrap", "--force") != secret


def test_without_a_terminal_no_secret_is_printed(folder: Path) -> None:
    with GatewayProcess(cwd=folder) as gateway:
        assert gateway.url
        assert "tierwise accounts bootstrap" in gateway.stderr
        assert "tw-" not in gateway.stderr
        assert "no key configured" not in gateway.stderr
        assert call(gateway.url, "GET", "/v1/models", key=None).status == 401


def test_the_first_start_prints_a_key_on_the_terminal_and_the_second_none(folder: Path) -> None:
    import subprocess
    import sys

    for expected in (1, 0):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "tierwise", "serve", "--port", "0"],
            cwd=folder,
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while b"/v1" not in shown:
                shown += os.read(ours, 4096)
        finally:
            process.terminate()
            process.wait(10)
            os.close(ours)
        words = shown.decode().split()
        secrets = [word for word in words if word.startswith("tw-")]
        assert len(secrets) == expected


def test_what_the_command_line_revokes_a_running_gateway_refuses_at_once(folder: Path) -> None:
    secret = said(folder, "keys", "create", "ci")
    with GatewayProcess("--workers", "2", cwd=folder) as gateway:
        url = gateway.url
        until(lambda: _asked(url, secret) == 200, "the gateway to serve")
        said(folder, "keys", "revoke", "ci")
        assert {chat(url, key=secret).status for _ in range(20)} == {401}


def _asked(url: str, secret: str) -> int:
    try:
        return chat(url, key=secret).status
    except OSError:
        return 0
