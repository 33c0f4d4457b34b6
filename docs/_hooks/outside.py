"""Links from a page to a file outside docs/ lead to the repository: the site has no such page."""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"\]\(\.\./([^)\s]+)\)")
HERE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Files of the repository that are pages of the site too."""


def on_page_markdown(markdown: str, *, config: Any, **_: Any) -> str:
    """The page with such links made absolute."""

    repository = config.extra["repository"]

    def moved(found: re.Match[str]) -> str:
        path = found[1]
        return f"]({HERE.get(path) or f'{repository}/blob/main/{path}'})"

    return _OUTSIDE.sub(moved, markdown)
