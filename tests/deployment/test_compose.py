"""compose.yaml, the image and the configurations beside them fit together."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployment.checks import DEPLOY, ROOT
from gateway import RunningGateway, config_for
from tierwise.config import from_mapping
from tierwise.config.load import load
from tierwise.fleet import Fleet
from tierwise.ledger.ledger import CLOSE_PATIENCE_S
from tierwise.server.run import options

Object = dict[str, Any]
SERVICES: dict[str, Object]
COMPOSE: Object = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
CONFIGURATIONS = ("tierwise.yaml", "tierwise.simulated.yaml")


def configuration(name: str) -> Object:
    data: Object = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    return data


def secrets_of(name: str) -> set[str]:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    return set(re.findall(r"\$\{file:/run/secrets/(\w+)\}", text))


def test_two_gateways_share_what_is_counted_and_kept() -> None:
    assert SERVICES["gateway"]["deploy"]["replicas"] == 2
    for name in CONFIGURATIONS:
        data = configuration(name)
        assert "@postgres:5432/" in data["ledger"]["url"]
        assert data["state"]["url"].startswith("redis://valkey:")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_that_stays_says_how_it_is_and_has_bounds(name: str) -> None:
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"]["max-size"]
    if name == "migrate":  # it comes to an end
        return
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory"}
    # The image has a health check of its own, which is that of a gateway.
    assert name == "gateway" or "healthcheck" in service


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_wants_is_there(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    assert set(service.get("depends_on", ())) <= set(SERVICES)
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        assert source in COMPOSE["volumes"] or source.startswith("./")
    for other, wish in service.get("depends_on", {}).items():
        if wish["condition"] == "service_healthy":
            assert other == "gateway" or "test" in SERVICES[other]["healthcheck"]


def test_only_nginx_and_grafana_can_be_reached_and_from_this_machine_alone() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(ports) == {"nginx", "grafana"}
    assert all("127.0.0.1:" in port for own in ports.values() for port in own)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_gateways_are_given_each_secret_that_they_read(name: str) -> None:
    assert secrets_of(name) <= set(SERVICES["gateway"]["secrets"])


def test_the_proxy_s_network_is_the_one_that_is_trusted() -> None:
    (front,) = COMPOSE["networks"]["front"]["ipam"]["config"]
    for name in CONFIGURATIONS:
        assert configuration(name)["server"]["trusted_proxies"] == [front["subnet"]]


def test_streams_have_time_to_end_before_a_gateway_is_killed() -> None:
    # And what they did is written: see `CLOSE_PATIENCE_S` of the ledger.
    for name in CONFIGURATIONS:
        server = configuration(name)["server"]
        stop = int(SERVICES["gateway"]["stop_grace_period"].removesuffix("s"))
        assert stop >= server.get("notice_s", 0) + server["grace_s"] + CLOSE_PATIENCE_S


def test_nginx_gives_idle_connections_up_before_a_gateway_does() -> None:
    text = (DEPLOY / "nginx" / "upstream.conf").read_text(encoding="utf-8")
    (seconds,) = re.findall(r"keepalive_timeout (\d+)s;", text)
    config = from_mapping(config_for("http://provider"), {})
    assert int(seconds) < options(config)["timeout_keep_alive"]


def test_prometheus_shows_a_key_that_the_gateways_know_and_that_buys_no_answers() -> None:
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    (shown,) = re.findall(r"credentials_file: /run/secrets/(\w+)", text)
    assert shown in SERVICES["prometheus"]["secrets"]
    keys = {key["key"]: key for key in configuration("tierwise.yaml")["server"]["api_keys"]}
    assert keys[f"${{file:/run/secrets/{shown}}}"]["only"] == ["metrics"]


def test_prometheus_finds_its_alerts() -> None:
    read = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (rules,) = read["rule_files"]
    (there,) = [
        v for v in SERVICES["prometheus"]["volumes"] if v.startswith(f"./prometheus/{rules}")
    ]
    assert there == f"./prometheus/{rules}:/etc/prometheus/{rules}:ro"
    assert (DEPLOY / "prometheus" / rules).is_file()


def test_the_made_up_providers_are_those_of_the_fleet() -> None:
    ours, fleet = configuration("tierwise.simulated.yaml"), Fleet.simulated().config()
    for provider in fleet["providers"].values():
        provider["base_url"] = provider["base_url"].replace("127.0.0.1", "fleet")
    assert {name: ours[name] for name in fleet} == fleet
    rest = configuration("tierwise.yaml")
    assert {n: v for n, v in ours.items() if n not in fleet} == {
        n: v for n, v in rest.items() if n not in fleet
    }


def test_everything_that_is_fetched_names_its_version() -> None:
    named = [service["image"] for service in SERVICES.values() if "build" not in service]
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", text, re.MULTILINE)
    sources = {one.replace("${PYTHON}", python) for one in re.findall(r"^FROM (\S+)", text, re.M)}
    assert len(named) > 4
    for image in {*named, *sources}:
        assert re.search(r":v?\d+(\.\d+)*(-[a-z]+)*$", image), image


def test_secrets_are_made_once_and_by_nobody_to_be_seen(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets.sh"
    script.write_bytes((DEPLOY / "make-secrets.sh").read_bytes())
    environment = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": "sk-mine"}

    def made() -> dict[str, str]:
        subprocess.run(["sh", str(script)], env=environment, check=True, capture_output=True)
        return {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    first = made()
    assert set(first) == set(COMPOSE["secrets"])
    assert first["openai_api_key"] == "sk-mine"
    assert len(set(first.values())) == len(first)
    assert made() == first
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_configuration_is_a_right_one(name: str, tmp_path: Path) -> None:
    for secret in secrets_of(name):
        (tmp_path / secret).write_text(f"secret-{secret}")
    text = (DEPLOY / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(text.replace("/run/secrets/", ""))
    load(tmp_path / name, {})


def test_the_image_is_healthy_when_its_gateway_is_ready(gateway: RunningGateway) -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    found = re.search(r"HEALTHCHECK.*?CMD (\[.*?\])\n", text, re.DOTALL)
    assert found is not None
    program, *arguments = json.loads(found[1])
    assert program == "python"

    def healthy(url: str) -> bool:
        environment = {**os.environ, "TIERWISE_HEALTH_URL": url}
        command = [sys.executable, *arguments]
        return (
            subprocess.run(command, env=environment, capture_output=True, check=False).returncode
            == 0
        )

    assert healthy(f"{gateway.url}/health/ready")
    assert not healthy("http://127.0.0.1:1/health/ready")


def test_the_image_is_no_root_and_takes_nothing_along_that_it_is_not_made_of() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    final = text[text.rindex("FROM ") :]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    wanted = {line[1:] for line in ignored if line.startswith("!")}
    copied = set(re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE))
    assert {name for line in copied for name in line.split()} == wanted
    assert all((ROOT / name).exists() for name in wanted)
