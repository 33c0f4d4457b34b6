"""The pages of docs/ are all on the site, and what they show is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import tierwise
from tierwise.config import from_mapping

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))
ELSEWHERE: dict[str, Any] = {
    "providers": {
        "some": {"preset": "openai_compatible", "base_url": "http://h/v1", "models": ["m"]}
    }
}
"""What a snippet is completed with if it has no providers of its own."""


URLS = {"REDIS_URL": "redis://host:6379/0", "DATABASE_URL": "postgresql://user:word@host/name"}


class _AllSet(dict[str, str]):
    """An environment in which everything is set."""

    def get(self, name: str, _: Any = None) -> Any:
        return URLS.get(name, f"value-of-{name}".ljust(32, "-"))


def in_nav(entries: Any) -> Iterator[str]:
    """The pages under an entry of the navigation."""
    if isinstance(entries, str):
        yield entries
    for entry in entries if isinstance(entries, list) else ():
        yield from in_nav(entry)
    for entry in entries.values() if isinstance(entries, dict) else ():
        yield from in_nav(entry)


def snippets() -> list[tuple[str, str]]:
    """Every piece of YAML that is a configuration, with its page; others have a title."""
    files = [*(DOCS / name for name in PAGES), ROOT / "CONTRIBUTING.md"]
    found = [
        (f"{file.name}-{number}", code)
        for file in files
        for number, code in enumerate(
            re.findall(r"^```yaml\n(.*?)^```", file.read_text("utf-8"), re.DOTALL | re.MULTILINE)
        )
    ]
    assert len(found) > 10
    return found


def test_every_page_is_in_the_navigation_once_and_is_there() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = list(in_nav(yaml.safe_load(text)["nav"]))
    assert sorted(listed) == PAGES


@pytest.mark.parametrize("code", [pytest.param(c, id=name) for name, c in snippets()])
def test_a_snippet_of_configuration_is_a_right_one(code: str) -> None:
    data = yaml.safe_load(re.sub(r"\$\{file:[^}]+\}", "what-a-file-says", code))
    from_mapping({**ELSEWHERE, **data}, _AllSet())


def test_the_python_page_has_all_that_is_exported_and_nothing_else() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    shown = re.findall(r"^::: tierwise\.(\w+)$", text, re.MULTILINE)
    assert sorted(shown) == sorted(set(tierwise.__all__) - {"__version__"})


def test_every_picture_is_shown_and_says_what_it_shows() -> None:
    texts = "".join((DOCS / name).read_text(encoding="utf-8") for name in PAGES)
    for picture in (DOCS / "pictures").iterdir():
        assert re.search(rf"!\[[^\]]+\]\(pictures/{picture.name}\)", texts)
        assert "<title id=" in picture.read_text(encoding="utf-8")
