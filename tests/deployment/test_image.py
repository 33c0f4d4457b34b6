"""The image is made of the versions that deploy/constraints.txt names, and of nothing else."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deployment.checks import DEPLOY, ROOT

DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
LINES = (DEPLOY / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINNED = dict(line.split("==") for line in LINES if not line.startswith("#"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def of_the_image() -> list[Requirement]:
    """What pyproject.toml wants for the extras of the image, and for building its wheel."""
    (extras,) = re.findall(r"^ARG EXTRAS=(\S+)$", DOCKERFILE, re.MULTILINE)
    wanted = [*PROJECT["dependencies"], *PYPROJECT["build-system"]["requires"]]
    for extra in extras.split(","):
        wanted += PROJECT["optional-dependencies"][extra]
    return [Requirement(one) for one in wanted]


def names(requirements: Iterable[Requirement]) -> set[str]:
    return {canonicalize_name(one.name) for one in requirements}


def test_whatever_the_image_needs_has_one_version_that_is_allowed() -> None:
    for wanted in of_the_image():
        version = PINNED.get(canonicalize_name(wanted.name))
        assert version is not None, f"{wanted.name}: run `make constraints`"
        assert wanted.specifier.contains(version), f"{wanted}: run `make constraints`"


def test_each_package_is_named_once_with_an_exact_version() -> None:
    packages = [line for line in LINES if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in packages)
    assert len(packages) == len(PINNED)


def test_nothing_is_named_that_is_for_development_or_for_other_extras() -> None:
    elsewhere = [
        Requirement(one)
        for group in (
            *PROJECT["optional-dependencies"].values(),
            *PYPROJECT["dependency-groups"].values(),
        )
        for one in group
        if isinstance(one, str)
    ]
    # Development names it for certificates of its own; the image has it for tokens and logins.
    strangers = names(elsewhere) - names(of_the_image()) - {"cryptography"}
    assert not strangers & PINNED.keys()


def test_every_installation_of_the_image_keeps_to_it() -> None:
    installations = re.findall(r"pip install (.*?)(?:&&|\Z|\n\n)", DOCKERFILE, re.DOTALL)
    assert len(installations) == 2
    assert all("--constraint constraints.txt" in one for one in installations)
    assert "pip wheel --no-deps --no-build-isolation" in DOCKERFILE
