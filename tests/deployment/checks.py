"""What can be checked of deploy/ without a cluster or a container: by the tools that are here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "tierwise"
VALUES: Mapping[str, tuple[str, ...]] = {
    "default values": (),
    "one replica": ("--values", str(CHART / "ci" / "one-replica.yaml")),
}
"""How the chart is tried: each switch is thrown in one of these."""
KUBERNETES = "1.31"
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Outcome:
    """Whether a check passed; None: it was skipped. `words` say why, or what is wrong."""

    passed: bool | None
    words: str = ""


def tool(name: str) -> str | None:
    """Where a program is: in the environments of `make`, or on the machine."""
    places = [ROOT / ".venv-deploy" / "bin", Path(sys.executable).parent]
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", ""), "/usr/sbin"])
    return shutil.which(name, path=path)


def run(*command: str, cwd: Path = ROOT, given: str | None = None) -> tuple[int, str]:
    """The exit status of a command, and all that it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return done.returncode, done.stdout


def _by(name: str, *arguments: str, why: str = "") -> Outcome:
    program = tool(name)
    if program is None:
        return Outcome(None, f"{name} is not installed{why}")
    status, said = run(program, *arguments)
    return Outcome(status == 0, said.strip())


def dockerfile() -> Outcome:
    return _by("hadolint", str(DEPLOY / "Dockerfile"))


def compose() -> Outcome:
    """By Compose itself where the plugin is there; it needs no daemon for that."""
    docker = tool("docker")
    if docker is None or run(docker, "compose", "version")[0] != 0:
        return Outcome(None, "docker compose is not installed")
    status, said = run(docker, "compose", "--file", str(DEPLOY / "compose.yaml"), "config", "-q")
    return Outcome(status == 0, said.strip())


def prometheus() -> Outcome:
    file = str(DEPLOY / "prometheus" / "prometheus.yml")
    return _by("promtool", "check", "config", "--syntax-only", file)


def alerts() -> Outcome:
    return _by("promtool", "check", "rules", str(DEPLOY / "prometheus" / "alerts.yml"))


@contextmanager
def nginx_folder(upstream: str, port: int = 8080) -> Iterator[Path]:
    """nginx.conf as it is deployed, in a folder of its own, before another upstream."""
    with TemporaryDirectory(prefix="nginx-") as name:
        folder = Path(name)
        text = (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8")
        moved = text.replace("/tmp/", f"{folder}/").replace("listen 8080;", f"listen {port};")  # noqa: S108
        assert moved.count(str(folder)) == 6
        (folder / "nginx.conf").write_text(moved, encoding="utf-8")
        (folder / "upstream.conf").write_text(upstream, encoding="utf-8")
        yield folder


def nginx_command(program: str, folder: Path, *more: str) -> list[str]:
    """nginx in the foreground, with the configuration in a folder."""
    # Its workers would be nobody, who does not get into that folder.
    user = "user root; " if os.getuid() == 0 else ""
    setup = f"{user}daemon off;"
    return [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", setup, *more]


def upstream_of(*addresses: str) -> str:
    """upstream.conf as it is deployed, for gateways at fixed addresses."""
    text = (DEPLOY / "nginx" / "upstream.conf").read_text(encoding="utf-8")
    text = re.sub(r"^resolver .*$", "", text, flags=re.MULTILINE)
    own = re.search(r"^ *server gateway:4100 resolve(?P<rest>[^;]*);\n", text, re.MULTILINE)
    assert own is not None
    servers = "".join(f"    server {address}{own['rest']};\n" for address in addresses)
    return text.replace(own[0], servers)


def nginx() -> Outcome:
    program = tool("nginx")
    if program is None:
        return Outcome(None, "nginx is not installed")
    with nginx_folder(upstream_of("127.0.0.1:4100")) as folder:
        status, said = run(*nginx_command(program, folder, "-t"))
    return Outcome(status == 0, said.strip())


def nginx_upstream() -> Outcome:
    """The upstream itself, which needs nginx 1.27.3 for `resolve`."""
    program = tool("nginx")
    if program is None:
        return Outcome(None, "nginx is not installed")
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", run(program, "-v")[1])
    assert found is not None
    if tuple(map(int, found.groups())) < (1, 27, 3):
        return Outcome(None, f"{found[0]} is older than 1.27.3, which `resolve` came with")
    text = (DEPLOY / "nginx" / "upstream.conf").read_text(encoding="utf-8")
    with nginx_folder(text) as folder:
        status, said = run(*nginx_command(program, folder, "-t"))
    return Outcome(status == 0, said.strip())


def chart_lint(*values: str) -> Outcome:
    return _by("helm", "lint", "--strict", str(CHART), *values)


def chart_objects(*values: str) -> Outcome:
    """What the chart makes, by the schemas of Kubernetes; of others' kinds it has none."""
    validate = tool("kubernetes-validate")
    if validate is None:
        return Outcome(None, "kubernetes-validate is not installed")
    made = _by("helm", "template", "try", str(CHART), *values)
    if not made.passed:
        return made
    with TemporaryDirectory() as name:
        file = Path(name) / "chart.yaml"
        file.write_text(made.words, encoding="utf-8")
        status, said = run(validate, "--strict", "--kubernetes-version", KUBERNETES, str(file))
    return Outcome(status == 0, said.strip())


def checks() -> dict[str, Callable[[], Outcome]]:
    """All of them, by name."""
    named: dict[str, Callable[[], Outcome]] = {
        "Dockerfile (hadolint)": dockerfile,
        "compose.yaml (docker compose config)": compose,
        "nginx.conf (nginx -t)": nginx,
        "upstream.conf (nginx -t)": nginx_upstream,
        "prometheus.yml (promtool)": prometheus,
        "alerts.yml (promtool)": alerts,
    }
    for name, values in VALUES.items():
        named[f"chart, {name} (helm lint)"] = lambda v=values: chart_lint(*v)
        named[f"chart, {name} (kubernetes-validate)"] = lambda v=values: chart_objects(*v)
    return named
