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


def test_what_a_killed_replica_loses_is_the_same_on_both_pages() -> None:
    (row,) = re.findall(r"^\| a replica \|(.*)\|$", (ROOT / "docs/replicas.md").read_text(), re.M)
    _, _, answered, _, cut_off, _, _, rows, *_ = (cell.strip() for cell in row.split("|"))
    lost = int(answered.replace(",", "")) - int(rows.replace(",", ""))
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    assert f"but for {cut_off} that were under way" in text
    assert f"those {cut_off} and for {lost} answers that it had not written yet" in text


def test_the_gateway_s_overhead_is_the_same_on_every_page() -> None:
    readme = table("README.md", "CPU per 1 kB request")
    assert len(readme) > 8
    assert table("docs/deployment.md", "CPU of a request of 1 kB") <= readme
    targets = {"2.5", "8,000", "50", "80"}
    assert table("docs/benchmark.md", "CPU per 1 kB request") - targets <= readme
