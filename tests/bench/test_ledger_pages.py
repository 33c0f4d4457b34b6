"""The benchmark of a large ledger looks at every page that there is."""

from __future__ import annotations

import inspect
import re
from typing import Any

from tierwise.bench import ledger_pages
from tierwise.dashboard import site

_NOT_OF_THE_LEDGER = {"/", "/static/{{name}}"}
"""Of the dashboard's folder: what leads to the overview, and files."""


class _Signed:
    """Somebody who has signed in and is shown an empty form."""

    name = "operator"
    token = "0" * 64

    def page(self, path: str, form: Any = None, *, status: int = 200) -> str:  # noqa: ARG002
        return ""


def test_every_page_is_measured() -> None:
    pattern = r'Route\(f"\{ROOT\}([^"]*)",[^\n]*methods=get'
    known = set(re.findall(pattern, inspect.getsource(site))) - _NOT_OF_THE_LEDGER
    assert len(known) > 7
    seen = {
        path.partition("?")[0]
        for _, path, _ in ledger_pages._pages(_Signed(), "id-1", "key-1", 1.0)  # type: ignore[arg-type]
    }
    assert "/" in seen
    for route in known:
        wanted = re.sub(r"\\\{\\\{\w+(:path)?\\\}\\\}", "[^/]+", re.escape(f"/dashboard{route}"))
        assert any(re.fullmatch(wanted, path) for path in seen), route
