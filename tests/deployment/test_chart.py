"""What the chart makes of its values, and which mistakes it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployment.checks import CHART, VALUES, run, tool
from tierwise import __version__
from tierwise.config.load import load
from tierwise.config.serving import KeyConfig

HELM = tool("helm")
pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not installed")
Object = dict[str, Any]


def template(*arguments: str) -> tuple[int, str]:
    assert HELM is not None
    return run(HELM, "template", "try", str(CHART), *arguments)


def made(*arguments: str) -> dict[str, Object]:
    """The chart's objects by kind, and those of hooks as `hook Kind`."""
    status, text = template(*arguments)
    assert status == 0, text
    named: dict[str, Object] = {}
    for found in filter(None, yaml.safe_load_all(text)):
        hook = "helm.sh/hook" in (found["metadata"].get("annotations") or {})
        named[f"{'hook ' if hook else ''}{found['kind']}"] = found
    return named


def pod(found: Object) -> Object:
    spec: Object = found["spec"]["template"]["spec"]
    return spec


def test_by_default_it_makes_all_that_two_replicas_need() -> None:
    assert set(made()) == {
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
        "hook ConfigMap",
        "hook Job",
    }


def test_one_replica_on_sqlite_needs_no_migration_and_nothing_to_scale() -> None:
    objects = made(*VALUES["one replica"])
    assert set(objects) == {"ConfigMap", "Deployment", "Ingress", "Service", "ServiceMonitor"}
    assert objects["Deployment"]["spec"]["replicas"] == 1


@pytest.mark.parametrize("kind", ["Deployment", "hook Job"])
def test_its_containers_may_nothing_that_they_need_not(kind: str) -> None:
    spec = pod(made()[kind])
    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["automountServiceAccountToken"]
    (container,) = spec["containers"]
    allowed = container["securityContext"]
    assert allowed["readOnlyRootFilesystem"]
    assert not allowed["allowPrivilegeEscalation"]
    assert allowed["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]
    written = {m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")}
    assert written == {"/tmp", "/var/lib/tierwise"}  # noqa: S108


@pytest.mark.parametrize("kind", ["Deployment", "hook Job"])
def test_what_is_mounted_is_there(kind: str) -> None:
    spec = pod(made()[kind])
    (container,) = spec["containers"]
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in spec["volumes"]}


def test_the_migration_runs_before_everything_else_and_brings_its_configuration_along() -> None:
    objects = made()
    hooks = {n: o["metadata"] for n, o in objects.items() if n.startswith("hook ")}
    for metadata in hooks.values():
        assert metadata["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    weights = {n: int(m["annotations"]["helm.sh/hook-weight"]) for n, m in hooks.items()}
    assert weights["hook ConfigMap"] < weights["hook Job"]
    spec = pod(objects["hook Job"])
    assert spec["containers"][0]["args"] == ["db", "migrate"]
    (volume,) = (v for v in spec["volumes"] if v["name"] == "config")
    assert volume["configMap"]["name"] == hooks["hook ConfigMap"]["name"]
    assert objects["hook ConfigMap"]["data"] == objects["ConfigMap"]["data"]


def test_only_gateways_are_asked_scaled_and_disrupted() -> None:
    objects = made()
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    migration = objects["hook Job"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        objects["Service"]["spec"]["selector"],
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= migration.items()


def test_another_configuration_makes_other_pods() -> None:
    def checksum(*arguments: str) -> str:
        annotations = made(*arguments)["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["checksum/config"])

    assert checksum() == checksum("--set", "replicaCount=3")
    assert checksum() != checksum("--set", "config.server.grace_s=20")


def test_the_configuration_arrives_as_it_was_written(tmp_path: Path) -> None:
    told = yaml.safe_load(made()["ConfigMap"]["data"]["tierwise.yaml"])
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert told == values["config"]


def test_the_configuration_is_a_right_one(tmp_path: Path) -> None:
    text = made()["ConfigMap"]["data"]["tierwise.yaml"]
    for name, value in {
        "admin_key": "tw-admin",
        "metrics_key": "tw-metrics",
        "openai_api_key": "k",
        "ledger_url": "postgresql://tierwise:secret@db/tierwise",
        "state_url": "redis://valkey:6379/0",
    }.items():
        (tmp_path / name).write_text(value)
    file = tmp_path / "tierwise.yaml"
    file.write_text(text.replace("/run/secrets/tierwise/", ""))
    written = load(file, {}).server.api_keys
    keys = {k.key.get_secret_value(): k.only for k in written if isinstance(k, KeyConfig)}
    assert keys == {"tw-admin": None, "tw-metrics": ["metrics"]}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"config.ledger.url": None}, "config.ledger.url is not set"),
        ({"config.state.url": None}, "config.state.url is not set"),
        ({"terminationGracePeriodSeconds": 49}, "raise it to 50 at least"),
        ({"config.server.grace_s": 41}, "raise it to 61 at least"),
        ({"config.server.notice_s": 16}, "raise it to 61 at least"),
        ({"preStopSeconds": 11}, "raise it to 61 at least"),
        ({"probes.scheme": "HTTPS"}, "probes.scheme is HTTPS"),
        ({"config.server.tls": {"certificate": "c", "key": "k"}}, "probes.scheme is HTTP"),
        ({"probes.scheme": "HTTPS", "config.server.tls": {"client_ca": "c"}}, "probes show none"),
        ({"autoscaling.minReplicas": 20}, "autoscaling.minReplicas is above"),
        ({"ingress.enabled": True}, "hosts"),
        ({"config.server.api_keys": []}, "api_keys"),
        ({"secretname": "mine"}, "secretname"),
        ({"image.pullPolicy": "Sometimes"}, "pullPolicy"),
    ],
)
def test_a_mistake_is_refused_by_its_name(values: dict[str, object], words: str) -> None:
    sets = [part for n, v in values.items() for part in ("--set-json", f"{n}={json.dumps(v)}")]
    status, said = template(*sets)
    assert status != 0
    assert words in said


def test_its_version_is_that_of_what_it_installs() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == __version__


def test_every_value_has_a_place_in_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert set(values) == set(schema["properties"]) - {"global"}
