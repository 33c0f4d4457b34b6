"""`GET /openapi.json`: what the gateway serves, in the words of OpenAPI 3.1."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.resources import files

import msgspec
from starlette.requests import Request
from starlette.responses import Response


@cache
def description() -> bytes:
    """The description as JSON. It is written as YAML, in `openapi.yaml`."""
    import yaml

    written = files("tierwise.server").joinpath("openapi.yaml").read_text(encoding="utf-8")
    described = yaml.safe_load(written)
    described["info"]["version"] = version("tierwise")
    return msgspec.json.encode(described)


async def describe(_: Request) -> Response:
    """It, for whoever asks; it says nothing of this gateway that is not in its documentation."""
    return Response(description(), media_type="application/json")
