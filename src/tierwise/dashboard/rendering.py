"""Templates and static files, read once; and the headers that all pages have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from tierwise.dashboard import words

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline and nothing from elsewhere: what somebody smuggles into a page does nothing."""
HEADERS = {
    "content-security-policy": _POLICY,
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
"""Beside those that every answer of the gateway has."""


class Rendering:
    """Fills templates in."""

    def __init__(self) -> None:
        self._files = _static()
        marks = {name: _mark(data) for name, data in self._files.items()}
        self._templates = Environment(
            loader=PackageLoader("tierwise.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        filters = (words.usd, words.percent, words.seconds, words.count, words.number)
        for one in (*filters, words.change, words.price, words.moment, words.iso, words.plural):
            self._templates.filters[one.__name__] = one
        self._templates.globals["asset"] = lambda name: f"/dashboard/static/{name}?{marks[name]}"

    def page(self, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """A page."""
        text = self._templates.get_template(template).render(**values)
        return HTMLResponse(text, status_code=status, headers=HEADERS)

    def static(self, name: str) -> Response | None:
        """A static file; its address changes with what it says, so it may be kept."""
        data = self._files.get(name)
        if data is None:
            return None
        kind = _TYPES[name[name.rindex(".") :]]
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(data, media_type=kind, headers=headers)


def _static() -> dict[str, bytes]:
    folder = files("tierwise.dashboard").joinpath("static")
    return {one.name: one.read_bytes() for one in folder.iterdir() if "." in one.name}


def _mark(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
