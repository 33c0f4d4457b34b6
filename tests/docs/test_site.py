"""The site builds without a warning, and works without a network."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("mkdocs", "mkdocstrings")),
        reason="the documentation's tools are not installed",
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_nothing_of_it_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    loads = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=\"?(https?:)?//[^\s\">]+")
    for page in pages:
        found = [m[0] for m in loads.finditer(page.read_text("utf-8")) if 'rel="canon' not in m[0]]
        assert not found, f"{page}: {found}"
        # It would ask GitHub for the number of stars.
        assert 'data-md-component="source"' not in page.read_text("utf-8")


def test_the_interface_is_documented_from_the_code(site: Path) -> None:
    text = (site / "api.html").read_text(encoding="utf-8")
    assert 'id="tierwise.Orchestrator"' in text
    assert "Everything one process needs to serve requests" in text


def test_links_out_of_docs_lead_to_the_repository(site: Path) -> None:
    text = (site / "gates.html").read_text(encoding="utf-8")
    assert "https://github.com/tierwise/tierwise/blob/main/benchmarks/README.md" in text
    assert 'href="contributing.html"' in text
