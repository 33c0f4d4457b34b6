"""The fleet in a process of its own."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import contextmanager

import msgspec
import pytest
import yaml

from tierwise.config import from_mapping, load
from tierwise.errors import ConfigError
from tierwise.fleet import Fleet, FleetControl
from tierwise.fleet.runner import write_config


@contextmanager
def started(*options, module=("tierwise.fleet",)):
    """The process and the configuration that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module, "--base-port", "0", "--speed", "0", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, msgspec.json.decode(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=20)


async def test_it_prints_its_configuration_and_answers_there(client):
    with started() as (process, config):
        from_mapping(config)
        alpha = config["providers"]["alpha"]
        body = {"model": "sim-large", "messages": [{"role": "user", "content": "hi"}]}
        async with client.session.post(
            f"{alpha['base_url']}/chat/completions",
            json=body,
            headers={"authorization": f"Bearer {alpha['api_key']}"},
        ) as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert process.stdout.read() == ""


async def test_it_listens_where_it_is_told_and_its_control_api_on_loopback_alone(client):
    with started("--host", "127.0.0.2", module=("tierwise", "fleet")) as (_, config):
        url = config["providers"]["alpha"]["base_url"]
        key = {"authorization": f"Bearer {config['providers']['alpha']['api_key']}"}
        elsewhere = url.replace("127.0.0.1", "127.0.0.2")
        async with client.session.get(f"{elsewhere}/models", headers=key) as response:
            assert response.status == 200
        with pytest.raises(OSError, match=r"[Cc]onnect"):
            await client.session.get(f"{url}/models", headers=key)


async def test_another_process_can_steer_it_by_the_url_on_standard_error():
    with started() as (process, _):
        url = ""
        while not url:
            line = process.stderr.readline()
            assert line, "the control URL was not printed"
            if "control " in line:
                url = line.split("control ")[1].strip().removesuffix("/fleet")
        async with FleetControl(url) as control:
            await control.kill("gamma")
            assert [p["alive"] for p in await control.show()] == [True, True, False, True]


def test_the_command_passes_its_options_on(tmp_path, recording):
    file = tmp_path / "fleet.yaml"
    options = ["--outcomes", str(recording), "--write-config", str(file), "--exit-with-parent"]
    with started(*options, module=("tierwise", "fleet")) as (process, config):
        assert list(config["models"]) == ["gpt-4-test", "tiny-7b"]
        assert yaml.safe_load(file.read_text()) == config
        process.stdin.close()
        assert process.wait(timeout=20) == 0
        process.stdin = None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--speed", "-1"], "--speed: -1 is below zero"),
        (["--base-port", "65534"], "ports 65534 to 65538 do not all exist"),
        (["--outcomes", "/nowhere"], "/nowhere/prompts.parquet"),
    ],
)
def test_a_wrong_option_is_one_line_on_standard_error(options, words):
    run = subprocess.run(
        [sys.executable, "-m", "tierwise.fleet", *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert words in run.stderr


def test_it_ends_when_its_parent_does():
    with started("--exit-with-parent") as (process, _):
        process.stdin.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""
        process.stdin = None


async def test_fixed_ports_count_from_the_base_and_a_port_in_use_is_explained():
    base = free_run_of_ports(5)
    fleet, second = Fleet.simulated(speed=0), Fleet.simulated(speed=0)
    await fleet.start(base_port=base)
    try:
        assert [p.port for p in fleet.providers.values()] == [base + i for i in range(4)]
        assert fleet.control_url == f"http://127.0.0.1:{base + 4}"
        with pytest.raises(ConfigError, match=f"port {base} is in use.*Choose another"):
            await second.start(base_port=base)
        with pytest.raises(ConfigError, match=f"port {base} is in use"):
            await second.start(base_port=base - 1)
        # What the failed start had opened is closed again.
        with pytest.raises(OSError, match=r"[Cc]onnect"):
            await asyncio.open_connection("127.0.0.1", base - 1)
    finally:
        await fleet.stop()


def free_run_of_ports(count):
    """The first of so many neighbouring ports that nobody uses, with one free before it."""
    import socket

    for base in range(21_000, 30_000, 50):
        sockets = [socket.socket() for _ in range(count + 1)]
        try:
            for offset, one in enumerate(sockets, -1):
                one.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
        return base
    pytest.skip("no run of free ports")


def test_a_port_in_use_is_one_line_on_standard_error():
    with started() as (_, config):
        port = int(config["providers"]["alpha"]["base_url"].split(":")[2].split("/")[0])
        run = subprocess.run(
            [sys.executable, "-m", "tierwise.fleet", "--base-port", str(port)],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert f"port {port} is in use" in run.stderr


def test_the_written_file_is_a_configuration_and_may_be_written_again(tmp_path):
    file = tmp_path / "fleet.yaml"
    fleet = Fleet.simulated()
    write_config(fleet.config(), file)
    write_config(fleet.config(base_port=9500), file)
    assert load(file).providers["alpha"].base_url == "http://127.0.0.1:9500/v1"
    assert yaml.safe_load(file.read_text()) == fleet.config(base_port=9500)


def test_a_file_that_is_not_ours_is_left_alone(tmp_path):
    file = tmp_path / "tierwise.yaml"
    file.write_text("providers: {}\n")
    with pytest.raises(ConfigError, match=r"tierwise\.yaml.*not written by"):
        write_config(Fleet.simulated().config(), file)
    assert file.read_text() == "providers: {}\n"
