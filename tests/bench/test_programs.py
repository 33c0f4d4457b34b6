"""Finding, starting and ending the programs of a measurement, and what travels between them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tierwise.bench import Options, run
from tierwise.bench import programs as programs_module
from tierwise.bench.gateway import config_text
from tierwise.bench.load import Wrk
from tierwise.bench.nginx import Nginx
from tierwise.bench.process import cores
from tierwise.bench.programs import (
    BenchError,
    MissingProgram,
    find_program,
    free_ports,
    listens,
    run_pinned,
    running,
    wait_until,
)
from tierwise.bench.traffic import CHUNKS, EVENT_BYTES, answer_text, request_text, stream_text
from tierwise.config import build, load
from tierwise.wire import openai_chat, sse

LISTEN = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); s.accept()"


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all of PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setattr(programs_module, "_SBIN", "")
    return directory


def test_without_nginx_the_error_names_the_package_to_install(empty_path: Path) -> None:
    with pytest.raises(MissingProgram) as caught:
        run(Options(seconds=1, rounds=1, starts=1))
    assert caught.value.program == "nginx"
    assert "apt-get install nginx-light" in str(caught.value)


def test_without_a_load_generator_the_error_names_its_package(empty_path: Path) -> None:
    nginx = empty_path / "nginx"
    nginx.touch(0o755)
    assert Nginx(empty_path)
    with pytest.raises(MissingProgram, match="apt-get install wrk"):
        Wrk(empty_path, key="k", core=None)


def test_an_installed_program_is_found() -> None:
    assert find_program(
        Path(sys.executable).name, "python3", str(Path(sys.executable).parent)
    ) == sys.executable  # fmt: skip


def test_a_program_runs_on_its_core_under_the_id_that_is_measured(tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    code = "import os; print(os.getpid(), *os.sched_getaffinity(0))"
    log = tmp_path / "log"
    with running([sys.executable, "-c", code], core=core, log=log) as process:
        process.wait(30)
    assert log.read_text().split() == [str(process.pid), str(core)]


def test_a_program_ends_with_its_block(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    log = tmp_path / "server.log"
    with running([sys.executable, "-c", LISTEN, str(port)], core=None, log=log) as process:
        wait_until(lambda: listens(port), process, log, timeout_s=30)
    assert process.returncode is not None
    assert not listens(port)


def test_a_program_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    command = [sys.executable, "-c", "raise SystemExit('no such luck')"]
    with (
        running(command, core=None, log=log) as process,
        pytest.raises(BenchError, match="server did not start: no such luck"),
    ):
        wait_until(lambda: False, process, log, timeout_s=30)


def test_a_program_that_fails_is_quoted() -> None:
    with pytest.raises(BenchError, match="no such luck"):
        run_pinned([sys.executable, "-c", "raise SystemExit('no such luck')"], core=None,
                   timeout_s=30)  # fmt: skip


def test_an_answer_is_about_a_kilobyte_and_one_of_a_provider() -> None:
    answer = answer_text().encode()
    assert 800 < len(answer) < 1200
    head = openai_chat.read_head(answer)
    assert head.usage is not None
    assert "quick brown fox" in openai_chat.read_completion(answer).text
    assert b"'" not in answer  # nginx's configuration quotes it with these


def test_a_stream_has_its_chunks_and_each_has_the_length_that_nginx_cuts_at() -> None:
    text = stream_text().encode()
    payloads = [sse.payload(event) for event in sse.events(text)]
    assert len(payloads) == CHUNKS + 1
    assert payloads[-1] == b"[DONE]"
    for number in range(CHUNKS):
        assert text[number * EVENT_BYTES : (number + 1) * EVENT_BYTES].endswith(b"}\n\n")
    chunks = [openai_chat.read_chunk(payload) for payload in payloads[:-1] if payload is not None]
    assert openai_chat.join_chunks(chunks).finish_reason == "stop"
    assert chunks[-1].usage is not None


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_asks_for_a_whole_answer_or_a_stream(stream: bool) -> None:
    task = openai_chat.read_request(request_text(stream=stream).encode())
    assert task.stream is stream
    assert 1000 <= len(task.messages[-1].text) < 1100


def test_the_measured_gateway_checks_keys_and_writes_a_ledger_to_disk(tmp_path: Path) -> None:
    file = tmp_path / "tierwise.yaml"
    file.write_text(config_text(tmp_path, 4100, 9100))
    config = load(file)
    assert len(config.server.api_keys) == 1
    assert Path(config.ledger.path).parent == tmp_path
    wanted = {json.loads(request_text(stream=stream))["model"] for stream in (False, True)}
    assert set(build(config).models) == wanted


def test_elsewhere_than_on_linux_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(BenchError, match="runs on Linux only"):
        cores()
