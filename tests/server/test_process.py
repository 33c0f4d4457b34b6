"""The gateway as a process of its own: signals, workers, addresses, keys, and what it logs."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import sqlite3
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from gateway import (
    KEY,
    PATIENCE_S,
    UPSTREAM_KEY,
    GatewayProcess,
    Provider,
    call,
    chat,
    config_for,
    fails,
    pauses,
    says,
    tierwise,
    until,
    write_config,
)
from tierwise.ledger import Ledger
from tierwise.ledger.ledger import BATCH_SIZE

pytestmark = pytest.mark.process
CHAT = "/v1/chat/completions"


@pytest.fixture
def file(tmp_path: Path, provider: Provider) -> Path:
    """A configuration with a key and a ledger in `tmp_path`."""
    data = config_for(
        provider.url,
        server={"api_keys": [KEY], "grace_s": 5},
        ledger={"path": str(tmp_path / "ledger.db")},
    )
    return write_config(tmp_path / "tierwise.yaml", data)


def records(directory: Path) -> list[dict[str, object]]:
    """Id, status and cost of all requests in the ledger."""
    with closing(sqlite3.connect(directory / "ledger.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute(
            "SELECT requests.id, shapes.status, requests.cost_usd"
            " FROM requests JOIN shapes ON shapes.id = requests.shape ORDER BY requests.seq"
        )
        return [{"id": id_, "status": status, "cost": cost} for id_, status, cost in rows]


def open_stream(url: str) -> http.client.HTTPResponse:
    """A stream that has begun."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
    body = {"model": "small", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    connection.request("POST", CHAT, json.dumps(body), {"authorization": f"Bearer {KEY}"})
    reply = connection.getresponse()
    assert b"one" in reply.readline()
    return reply


def refuses(url: str) -> bool:
    """Whether nobody is let in there any more: at first who comes is not even told so."""
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=0.2).close()
    except (ConnectionRefusedError, TimeoutError):
        return True
    return False


def test_sigterm_lets_an_open_stream_finish_and_keeps_every_record(
    file: Path, tmp_path: Path, provider: Provider
) -> None:
    with GatewayProcess("--config", str(file), cwd=tmp_path) as gateway:
        url = gateway.url
        for _ in range(20):
            assert chat(url, "large").status == 200
        provider.acts["small"] = pauses(provider)
        stream = open_stream(url)
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: refuses(url), "the port to close")
        provider.release.set()
        rest = stream.read().decode()
        assert gateway.process.wait(PATIENCE_S) == 0
    assert '"content": "two"' in rest
    assert rest.endswith("data: [DONE]\n\n")
    assert Counter(record["status"] for record in records(tmp_path)) == {"ok": 21}


def test_a_request_on_an_idle_connection_just_after_sigterm_is_answered_as_its_last(
    file: Path, tmp_path: Path
) -> None:
    with GatewayProcess("--config", str(file), cwd=tmp_path) as gateway:
        url = gateway.url
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
        with closing(connection):
            body = json.dumps({"model": "small", "messages": [{"role": "user", "content": "Hi"}]})
            headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
            connection.request("POST", CHAT, body, headers)
            assert connection.getresponse().read()
            gateway.process.send_signal(signal.SIGTERM)
            until(lambda: refuses(url), "the port to close")
            connection.request("POST", CHAT, body, headers)
            reply = connection.getresponse()
            assert reply.status == 200
            assert reply.getheader("connection") == "close"
            assert reply.read()
        assert gateway.process.wait(PATIENCE_S) == 0
    assert Counter(record["status"] for record in records(tmp_path)) == {"ok": 2}


def test_a_stop_is_noticed_before_it_begins(tmp_path: Path, provider: Provider) -> None:
    data = config_for(provider.url, server={"api_keys": [KEY], "notice_s": 1.5})
    file = write_config(tmp_path / "tierwise.yaml", data)
    with GatewayProcess("--config", str(file), cwd=tmp_path) as gateway:
        url = gateway.url
        assert call(url, "GET", "/health/ready").status == 200
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: call(url, "GET", "/health/ready").status == 503, "it to be noticed")
        reply = chat(url)
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        until(lambda: refuses(url), "the port to close")
        assert gateway.process.wait(PATIENCE_S) == 0


def test_a_second_signal_does_not_wait_for_anybody_to_notice(
    tmp_path: Path, provider: Provider
) -> None:
    data = config_for(provider.url, server={"api_keys": [KEY], "notice_s": 600})
    file = write_config(tmp_path / "tierwise.yaml", data)
    for workers in ("1", "2"):
        with GatewayProcess("--config", str(file), "--workers", workers, cwd=tmp_path) as gateway:
            url = gateway.url
            until(lambda url=url: call(url, "GET", "/health/ready").status == 200, "it")
            gateway.process.send_signal(signal.SIGTERM)
            until(lambda url=url: call(url, "GET", "/health/ready").status == 503, "the notice")
            assert gateway.end(signal.SIGTERM) == 0


def test_the_port_of_several_workers_is_closed_while_their_streams_go_on(
    file: Path, tmp_path: Path, provider: Provider
) -> None:
    provider.acts["small"] = pauses(provider)
    with GatewayProcess("--config", str(file), "--workers", "2", cwd=tmp_path) as gateway:
        url = gateway.url
        stream = open_stream(url)
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: refuses(url), "the port to close")
        provider.release.set()
        assert stream.read().decode().endswith("data: [DONE]\n\n")
        assert gateway.process.wait(PATIENCE_S) == 0


def test_a_stream_that_outlasts_the_grace_is_cut_and_booked(
    tmp_path: Path, provider: Provider
) -> None:
    data = config_for(
        provider.url,
        server={"api_keys": [KEY], "grace_s": 0},
        ledger={"path": str(tmp_path / "ledger.db")},
    )
    file = write_config(tmp_path / "tierwise.yaml", data)
    provider.acts["small"] = pauses(provider)
    with (
        GatewayProcess("--config", str(file), cwd=tmp_path) as gateway,
        closing(open_stream(gateway.url)) as stream,
    ):
        gateway.end(signal.SIGTERM)
        assert b"two" not in stream.fp.read()
    assert provider.gone.wait(PATIENCE_S)
    found = records(tmp_path)
    assert [record["status"] for record in found] == ["cancelled"]


def test_sigkill_in_mid_load_loses_at_most_the_last_batch(
    file: Path, tmp_path: Path, provider: Provider
) -> None:
    answered: list[str] = []
    stop = threading.Event()

    def load(url: str) -> None:
        while not stop.is_set():
            try:
                reply = chat(url, "large")
            except (OSError, http.client.HTTPException):
                return
            answered.append(reply.headers["x-tierwise-decision-id"])

    with GatewayProcess("--config", str(file), cwd=tmp_path) as gateway:
        url = gateway.url
        with ThreadPoolExecutor(4) as pool:
            loads = [pool.submit(load, url) for _ in range(4)]
            try:
                until(lambda: records(tmp_path) and len(answered) > 100, "the first batch")
                gateway.process.kill()
            finally:
                stop.set()
            for done in loads:
                done.result()
    kept = {record["id"] for record in records(tmp_path)}
    lost = set(answered) - kept
    assert kept
    assert len(lost) <= BATCH_SIZE
    newest = answered[-len(lost) - 8 :] if lost else []
    assert lost <= set(newest), "something is missing before a record that is there"
    with Ledger(tmp_path / "ledger.db") as again:
        assert again.get(next(iter(kept))) is not None


def test_two_workers_serve_write_one_ledger_and_add_their_metrics_up(
    file: Path, tmp_path: Path
) -> None:
    with GatewayProcess("--config", str(file), "--workers", "2", cwd=tmp_path) as gateway:
        url = gateway.url
        until(lambda: not refuses(url), "the workers")
        assert call(url, "GET", "/health/ready", key=None).status == 200

        def scrape(_: int) -> tuple[float, float]:
            """Workers, and requests that they have served, whoever is asked."""
            reply = call(url, "GET", "/metrics")
            assert reply.status == 200
            text = reply.body.decode()
            served = re.findall(r"^tierwise_requests_total\{.*\} ([\d.]+)$", text, re.MULTILINE)
            [workers] = re.findall(r"^tierwise_workers ([\d.]+)$", text, re.MULTILINE)
            return float(workers), sum(map(float, served))

        with ThreadPoolExecutor(8) as pool:

            def all_say(total: float) -> bool:
                # Several at once, because one after the other may well meet the same worker.
                return set(pool.map(scrape, range(8))) == {(2, total)}

            until(lambda: all_say(0), "both workers")
            assert list(pool.map(lambda _: chat(url).status, range(60))) == [200] * 60
            until(lambda: all_say(60), "both workers' metrics to show the sum")
        assert gateway.end(signal.SIGTERM) == 0
    assert Counter(record["status"] for record in records(tmp_path)) == {"ok": 60}


def test_workers_do_not_outlive_the_process_over_them(file: Path, tmp_path: Path) -> None:
    with GatewayProcess("--config", str(file), "--workers", "2", cwd=tmp_path) as gateway:
        url = gateway.url
        until(lambda: call(url, "GET", "/health/ready").status == 200, "a worker")
        gateway.end(signal.SIGKILL)

        def nobody_answers() -> bool:
            try:
                call(url, "GET", "/health/live")
            except OSError:
                return True
            return False

        until(nobody_answers, "the end of the workers")


def test_a_broken_setup_stops_several_workers_with_one_line(file: Path, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("This is not a database, but a text of some length. " * 99)
    done = tierwise("serve", "--config", str(file), "--workers", "2", "--port", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is not a ledger" in done.stderr


def test_a_port_in_use_is_one_line_with_the_remedy(file: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = tierwise("serve", "--config", str(file), "--port", port, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "--port" in done.stderr


def test_a_host_of_another_machine_is_one_line_with_the_remedy(file: Path, tmp_path: Path) -> None:
    done = tierwise("serve", "--config", str(file), "--host", "192.0.2.1", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot listen on 192.0.2.1:4100" in done.stderr
    assert "--host" in done.stderr


def test_without_a_key_it_listens_on_loopback_only(tmp_path: Path, provider: Provider) -> None:
    host = "0.0.0.0"  # noqa: S104
    file = write_config(tmp_path / "open.yaml", config_for(provider.url))
    done = tierwise("serve", "--config", str(file), "--host", host, "--port", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "without keys the gateway listens on loopback only" in done.stderr
    assert "Set TIERWISE_API_KEYS" in done.stderr


def test_an_empty_key_is_refused_before_it_opens_the_gateway(
    tmp_path: Path, provider: Provider
) -> None:
    data = config_for(provider.url, server={"api_keys": ["${NOWHERE_SET:-}"]})
    file = write_config(tmp_path / "empty.yaml", data)
    done = tierwise("serve", "--config", str(file), "--port", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert "server.api_keys: a key is empty" in done.stderr


def test_keys_from_the_environment_are_required_and_accepted(
    tmp_path: Path, provider: Provider
) -> None:
    file = write_config(tmp_path / "open.yaml", config_for(provider.url))
    keys = "first-key, second-key"
    arguments = ("--config", str(file), "--host", "0.0.0.0")  # noqa: S104
    with GatewayProcess(*arguments, cwd=tmp_path, TIERWISE_API_KEYS=keys) as gateway:
        url = gateway.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        assert chat(url, key="second-key").status == 200
        assert chat(url, key="third-key").status == 401
        assert "no key configured" not in gateway.stderr


def test_without_a_key_it_says_so(tmp_path: Path, provider: Provider) -> None:
    file = write_config(tmp_path / "open.yaml", config_for(provider.url))
    with GatewayProcess("--config", str(file), cwd=tmp_path) as gateway:
        assert chat(gateway.url, key=None).status == 200
        assert "(no key configured: loopback only)" in gateway.stderr
        assert "policies auto, economy, best, stepwise, hasty" in gateway.stderr


def test_no_secret_gets_into_logs_answers_metrics_or_the_ledger(
    tmp_path: Path, provider: Provider
) -> None:
    client_key = "MARKED-client-key"
    data = config_for(
        provider.url,
        server={"api_keys": [client_key]},
        ledger={"path": str(tmp_path / "ledger.db"), "store_content": True},
    )
    data["providers"]["alpha"]["api_key"] = "${MARKED_VARIABLE}"
    data["providers"]["dead"] = {
        "preset": "openai_compatible",
        "base_url": "http://127.0.0.1:1/v1",
        "api_key": "${MARKED_VARIABLE}",
        "models": ["small"],
    }
    file = write_config(tmp_path / "tierwise.yaml", data)
    secret = "MARKED-" + UPSTREAM_KEY
    seen: list[bytes] = []
    with GatewayProcess("--config", str(file), cwd=tmp_path, MARKED_VARIABLE=secret) as gateway:
        url = gateway.url
        for act in (
            says(),
            fails(401, {"message": f"Incorrect API key provided: {secret}"}),
            fails(400, {"message": f"bad header Authorization: Bearer {secret}"}),
            fails(500, f"<html>{secret}</html>"),
            fails(429, {"message": f"slow down {secret}"}),
        ):
            provider.acts["small"] = provider.acts["large"] = act
            for stream in (False, True):
                for model in ("small", "stepwise", "dead/small"):
                    reply = chat(url, model, stream=stream, key=client_key)
                    seen.append(str(reply.headers).encode() + reply.body)
        wrong = call(url, "POST", CHAT, b"{", key=client_key)
        unknown = chat(url, "nobody", key=client_key + "x")
        metrics = call(url, "GET", "/metrics", key=client_key)
        models = call(url, "GET", "/v1/models", key=client_key)
        seen += [reply.body for reply in (wrong, unknown, metrics, models)]
        gateway.end(signal.SIGTERM)
        seen.append(gateway.stderr.encode())
    with Ledger(tmp_path / "ledger.db") as ledger:
        seen += [repr(record).encode() for record in ledger.recent(None)]
    assert len(seen) > 50
    assert all(b"MARKED" not in text for text in seen)
