"""What was measured stands on several pages, and is the same on all of them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FIGURE = re.compile(r"\d[\d,.]*\d")


def table(page: str, beginning: str) -> set[str]:
    """The figures of two digits and more in the table that this row begins."""
    text = (ROOT / page).read_text(encoding="utf-8")
    (found,) = re.findall(rf"^\| {beginning}.*?(?=\n\n)", text, re.S | re.M)
    return {one for row in found.splitlines() for one in _FIGURE.findall(row.rpartition("kB")[2])}


def test_the_gateway_s_overhead_is_the_same_on_every_page() -> None:
    readme = table("README.md", "CPU per 1 kB request")
    assert len(readme) > 8
    assert table("docs/deployment.md", "CPU of a request of 1 kB") <= readme
    targets = {"2.5", "8,000", "50", "80"}
    assert table("docs/benchmark.md", "CPU per 1 kB request") - targets <= readme
