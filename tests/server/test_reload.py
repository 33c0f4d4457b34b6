"""The configuration read again while requests run: what changes, what goes on, what is refused."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector import Collector
from gateway import (
    KEY,
    PATIENCE_S,
    Body,
    GatewayProcess,
    Provider,
    Reply,
    call,
    chat,
    config_for,
    fails,
    pauses,
    says,
    until,
    write_config,
)

pytestmark = pytest.mark.process
ADMIN = "admin-key-1"
KEYS = [KEY, {"key": ADMIN, "name": "operator", "admin": True}]


class Configured:
    """A configuration file that can be changed, and the gateway that reads it."""

    def __init__(self, directory: Path, provider: Provider) -> None:
        self.data = config_for(
            provider.url,
            server={"api_keys": KEYS, "grace_s": 5},
            ledger={"path": str(directory / "ledger.db")},
        )
        self.path = directory / "tierwise.yaml"
        self.directory = directory
        self.write()

    def write(self) -> None:
        write_config(self.path, self.data)

    def start(self, *args: str) -> GatewayProcess:
        return GatewayProcess("--config", str(self.path), *args, cwd=self.directory)


@pytest.fixture
def written(tmp_path: Path, provider: Provider) -> Configured:
    return Configured(tmp_path, provider)


@pytest.fixture
def second() -> Iterator[Provider]:
    """Another provider, for what is configured later."""
    with Provider() as provider:
        yield provider


def admin(url: str, path: str) -> Reply:
    return call(url, "POST", f"/v1/admin/{path}", key=ADMIN)


def status(url: str, key: str = KEY) -> Any:
    reply = call(url, "GET", "/v1/status", key=key)
    assert reply.status == 200
    return reply.json


def deployment(url: str, name: str) -> Body:
    found: Body = next(one for one in status(url)["deployments"] if one["id"] == name)
    return found


def models(url: str) -> set[str]:
    return {model["id"] for model in call(url, "GET", "/v1/models").json["data"]}


def hang_up(gateway: GatewayProcess) -> None:
    gateway.process.send_signal(signal.SIGHUP)


def stream_of(url: str, model: str = "small") -> http.client.HTTPResponse:
    """A stream that has begun."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"authorization": f"Bearer {KEY}"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    reply = connection.getresponse()
    assert b"one" in reply.readline()
    return reply


def test_sighup_serves_new_requests_by_the_new_file_while_streams_finish_on_the_old(
    written: Configured, provider: Provider, second: Provider
) -> None:
    provider.acts["small"] = pauses(provider)
    second.acts["small"] = says("from elsewhere")
    with written.start() as gateway:
        url = gateway.url
        stream = stream_of(url)
        written.data["providers"]["alpha"]["base_url"] = second.url
        written.write()
        hang_up(gateway)
        until(lambda: status(url)["config"]["reloads"] == 1, "the reload")
        assert chat(url).json["choices"][0]["message"]["content"] == "from elsewhere"
        provider.release.set()
        rest = stream.read().decode()
        assert gateway.process.poll() is None
    assert '"content": "two"' in rest
    assert rest.endswith("data: [DONE]\n\n")
    assert len(second.seen) == 1


def test_a_connection_stays_open_through_a_reload(written: Configured) -> None:
    with written.start() as gateway:
        url = gateway.url
        with closing(http.client.HTTPConnection(url.removeprefix("http://"))) as connection:
            connection.connect()
            opened = connection.sock
            for path in ("/health/live", "/health/live"):
                connection.request("GET", path)
                assert connection.getresponse().read()
                assert admin(url, "reload").status == 200
            assert connection.sock is opened


@pytest.mark.parametrize("workers", [1, 2])
def test_a_wrong_file_is_refused_with_its_words_and_the_old_one_serves_on(
    written: Configured, workers: int
) -> None:
    with written.start("--workers", str(workers)) as gateway:
        url = gateway.url
        until(lambda: chat(url).status == 200, "the workers")
        written.data["policies"]["stepwise"]["tiers"][0]["model"] = "nobody"
        written.write()
        refused = admin(url, "reload")
        assert refused.status == 400
        assert refused.error["code"] == "invalid_config"
        assert refused.error["param"] == "policies.stepwise.tiers.0.model"
        (mistake,) = refused.json["mistakes"]
        assert mistake["file"] == str(written.path)
        assert "nobody" in written.path.read_text().splitlines()[mistake["line"] - 1]
        assert mistake["field"] == "policies.stepwise.tiers.0.model"
        assert "'nobody' is not configured" in mistake["message"]
        assert "Use one of" in mistake["remedy"]
        hang_up(gateway)
        until(lambda: gateway.stderr.count("was not reloaded") == 2, "the refusal in the log")
        assert "'nobody' is not configured" in gateway.stderr
        assert chat(url, "stepwise").status == 200


def test_what_needs_a_restart_is_said_and_left_out(written: Configured, tmp_path: Path) -> None:
    with written.start() as gateway:
        url = gateway.url
        elsewhere = tmp_path / "other.db"
        written.data["ledger"]["path"] = str(elsewhere)
        written.data["server"] |= {"host": "0.0.0.0", "port": 1}  # noqa: S104
        written.write()
        done = admin(url, "reload")
        assert done.status == 200
        # The port came from the command line, which goes on to count.
        assert done.json["ignored"] == ["server.host", "ledger.path"]
        assert "server.host, ledger.path needs a restart" in gateway.stderr
        assert chat(url).status == 200
    assert not elsewhere.exists()


def test_counts_states_and_answers_go_on_through_a_reload(
    written: Configured, provider: Provider
) -> None:
    provider.acts["large"] = fails(429, "wait", {"retry-after": "600"})
    key = {"idempotency-key": "once"}
    with written.start() as gateway:
        url = gateway.url
        first = chat(url, headers=key)
        assert chat(url, "large").status == 429
        before = deployment(url, "alpha/large")
        assert before["state"] == "resting"
        written.data["policies"]["new"] = {"tiers": [{"model": "small"}]}
        written.write()
        assert admin(url, "reload").status == 200
        assert "new" in models(url)
        after = deployment(url, "alpha/large")
        assert (after["state"], after["last_error"]) == ("resting", before["last_error"])
        assert after["why"]
        again = chat(url, headers=key)
        assert again.headers["x-tierwise-replayed"] == "true"
        assert again.body == first.body
        assert chat(url).status == 200

        def counted() -> bool:
            text = call(url, "GET", "/metrics").body.decode()
            small = 'tierwise_requests_total{model="small",policy="",status="ok",tier="1"} 2.0'
            return small in text

        until(counted, "both requests in one count")
    assert len(provider.seen) == 3


def test_what_a_key_has_used_stays_used_when_its_limits_change(written: Configured) -> None:
    def limit(rpm: int) -> None:
        written.data["server"]["limits"] = {"rpm": rpm}
        written.write()

    limit(3)
    with written.start() as gateway:
        url = gateway.url
        assert [chat(url).status for _ in range(4)] == [200, 200, 200, 429]
        limit(4)
        assert admin(url, "reload").status == 200
        assert [chat(url).status for _ in range(2)] == [200, 429]


def test_a_key_that_is_gone_is_refused_from_the_reload_on(written: Configured) -> None:
    with written.start() as gateway:
        url = gateway.url
        assert chat(url).status == 200
        written.data["server"]["api_keys"] = KEYS[1:]
        written.write()
        assert admin(url, "reload").status == 200
        assert chat(url).status == 401
        assert chat(url, key=ADMIN).status == 200


def test_a_repaired_deployment_begins_afresh(written: Configured, provider: Provider) -> None:
    provider.acts["small"] = fails(401, {"message": "wrong key"})
    with written.start() as gateway:
        url = gateway.url
        assert chat(url).status != 200
        assert deployment(url, "alpha/small")["state"] == "resting"
        provider.acts["small"] = says("well again")
        written.data["providers"]["alpha"]["api_key"] = "the right one"
        written.write()
        assert admin(url, "reload").status == 200
        assert deployment(url, "alpha/small")["state"] == "ready"
        assert chat(url).status == 200
    assert provider.seen[-1].headers["Authorization"] == "Bearer the right one"


def test_what_was_drained_stays_out_though_it_begins_afresh(written: Configured) -> None:
    alpha, policies = written.data["providers"]["alpha"], written.data["policies"]

    def reload(url: str) -> None:
        written.write()
        assert admin(url, "reload").status == 200

    with written.start() as gateway:
        url = gateway.url
        assert admin(url, "deployments/alpha/small/drain").status == 200
        alpha["api_key"] = "another one"
        reload(url)
        assert deployment(url, "alpha/small")["state"] == "drained"
        alpha["models"], written.data["policies"] = ["large"], {}
        reload(url)
        assert "small" not in models(url)
        alpha["models"], written.data["policies"] = ["small", "large"], policies
        reload(url)
        assert deployment(url, "alpha/small")["state"] == "drained"
        assert deployment(url, "alpha/large")["state"] == "ready"


def test_another_collector_is_told_of_what_comes_from_then_on(
    written: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with Collector() as old, Collector() as new:
        written.data["telemetry"] = {"otlp_endpoint": old.url}
        written.write()
        with written.start() as gateway:
            for collector in (old, new):
                written.data["telemetry"] = {"otlp_endpoint": collector.url}
                written.write()
                assert admin(gateway.url, "reload").status == 200
                call(gateway.url, "GET", "/v1/files")
                assert chat(gateway.url).status == 200
                until(lambda c=collector: len(roots(c)) == 2, "the spans")  # type: ignore[misc]
        assert roots(old) == roots(new) == ["chat small", "files"]


def roots(collector: Collector) -> list[str]:
    return sorted(one.name for one in collector.spans if not one.parent_span_id)


def test_many_reloads_under_load_lose_no_request_and_leave_nothing_behind(
    written: Configured, provider: Provider
) -> None:
    stop = threading.Event()
    answered: list[int] = []

    def load(url: str) -> None:
        while not stop.is_set():
            reply = chat(url, "stepwise", stream=len(answered) % 2 == 0)
            answered.append(reply.status)

    def opened(gateway: GatewayProcess) -> tuple[int, int]:
        process = Path("/proc") / str(gateway.process.pid)
        return len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("open files are only counted where there is /proc")
    with written.start() as gateway, ThreadPoolExecutor(4) as pool:
        url = gateway.url
        loads = [pool.submit(load, url) for _ in range(4)]
        try:
            counts = []
            for number in range(50):
                before = len(answered)
                written.data["policies"]["hasty"]["deadline_s"] = 1 + number
                written.write()
                assert admin(url, "reload").status == 200
                until(lambda before=before: len(answered) > before, "answers after a reload")
                if number in (9, 49):
                    counts.append(opened(gateway))
        finally:
            stop.set()
        for done in loads:
            done.result()
        tasks = status(url)["tasks"]
        # What was open after ten reloads may be too little by what the newest set-up keeps: idle
        # connections, and the files of readers that came later. Forty set-ups would leave more.
        until(lambda: opened(gateway)[0] < counts[0][0] + 20, "connections of old set-ups to close")
        assert gateway.end(signal.SIGTERM) == 0
    assert set(answered) == {200}
    # The executor of the reads may have grown to its bound meanwhile.
    assert counts[1][1] - counts[0][1] <= (os.cpu_count() or 1) + 4
    assert tasks <= 10


def both(url: str, holds: Callable[[Any], bool]) -> bool:
    """Whether both workers say so; asked at once, as one request may meet the same worker."""
    with ThreadPoolExecutor(8) as pool:
        seen = {one["worker"]: one for one in pool.map(lambda _: status(url), range(8))}
    return len(seen) == 2 and all(map(holds, seen.values()))


@pytest.mark.parametrize("by", ["signal", "call"])
def test_a_reload_reaches_all_workers_and_none_is_replaced(written: Configured, by: str) -> None:
    with written.start("--workers", "2") as gateway:
        url = gateway.url
        until(lambda: both(url, lambda one: one["workers"] == 2), "both workers")
        workers = set[int]()

        def note(one: Any) -> bool:
            workers.add(one["worker"])
            return True

        until(lambda: both(url, note), "both workers")
        written.data["policies"]["new"] = {"tiers": [{"model": "small"}]}
        written.write()
        stop = threading.Event()
        statuses: list[int] = []

        def load() -> None:
            while not stop.is_set():
                statuses.append(chat(url).status)

        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load)
            try:
                if by == "signal":
                    hang_up(gateway)
                else:
                    assert admin(url, "reload").json["workers"] == 2
                until(lambda: both(url, lambda one: one["config"]["reloads"] > 0), "all workers")
            finally:
                stop.set()
            loading.result()
        now = set[int]()
        until(lambda: both(url, lambda one: bool(now.add(one["worker"])) or True), "both")
        assert now == workers
        assert set(statuses) == {200}
        with ThreadPoolExecutor(8) as many:
            assert set(many.map(lambda _: chat(url, "new").status, range(16))) == {200}
        assert gateway.end(signal.SIGTERM) == 0


async def test_a_set_up_without_a_file_says_that_there_is_nothing_to_read_again() -> None:
    from tierwise.config import from_mapping
    from tierwise.errors import ConfigError
    from tierwise.orchestrator import Orchestrator
    from tierwise.server.app import Gateway

    config = from_mapping(config_for("http://127.0.0.1:1/v1"), {})
    gateway = Gateway(Orchestrator.from_config(config), config)
    with pytest.raises(ConfigError, match="started without a configuration file"):
        await asyncio.wait_for(gateway.reload(), PATIENCE_S)
