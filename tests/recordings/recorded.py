"""Reads recordings: what a client once sent to a provider, and what the provider answered."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OF_THE_CONNECTION = frozenset(
    {"content-length", "content-encoding", "transfer-encoding", "connection"}
)
"""Headers that said how the bytes travelled then; recordings keep them decoded."""
_GZIP = b"\x1f\x8b"
"""How compressed bytes begin, of recordings that do not."""


@dataclass(frozen=True)
class Interaction:
    """One request and its answer. Bodies are as they were on the wire, but never compressed."""

    method: str
    url: str
    asked: bytes
    status: int
    headers: Mapping[str, str]
    answered: bytes

    @property
    def path(self) -> str:
        """The URL's path, without its query."""
        return "/" + self.url.split("?")[0].split("#")[0].partition("://")[2].partition("/")[2]

    @property
    def host(self) -> str:
        """Whom it was sent to."""
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def streamed(self) -> bool:
        """Whether the answer came in events."""
        return "event-stream" in self.headers.get("content-type", "") or (
            "eventstream" in self.headers.get("content-type", "")
        )

    def question(self) -> dict[str, Any]:
        """The request's JSON object; an empty one if it has none."""
        try:
            found = json.loads(self.asked)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Recording:
    """One file. `wrong` says why it cannot be used, empty if it can."""

    name: str
    interactions: tuple[Interaction, ...]
    wrong: str = ""


def recordings(folder: Path) -> Iterator[Recording]:
    """Those of a folder and the folders in it, in the order of their names."""
    for file in sorted(folder.rglob("*.y*ml")):
        yield _read(file, str(file.relative_to(folder).with_suffix("")))


def recording(folder: Path, name: str) -> Recording:
    """The one of that name; FileNotFoundError if there is none."""
    return _read(folder / f"{name}.yaml", name)


def _read(file: Path, name: str) -> Recording:
    try:
        read = yaml.load(file.read_bytes(), Loader=_LOADER)  # noqa: S506 - a safe one
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        return Recording(name, (), f"no YAML: {' '.join(str(error).split())[:120]}")
    items = (read.get("interactions") if isinstance(read, dict) else None) or []
    if any(not isinstance(item, dict) or "request" not in item for item in items):
        return Recording(name, (), "not recorded over HTTP")
    try:
        return Recording(name, tuple(_interaction(item) for item in items))
    except (AttributeError, KeyError, TypeError, ValueError, OSError, EOFError) as error:
        return Recording(name, (), f"no recording of HTTP: {type(error).__name__}: {error}")


def _interaction(item: dict[str, Any]) -> Interaction:
    request, response = item["request"], item["response"]
    headers = _headers(response)
    return Interaction(
        request["method"].upper(),
        request["uri"],
        _bytes(request, _headers(request)),
        response["status"]["code"],
        {name: value for name, value in headers.items() if name not in _OF_THE_CONNECTION},
        _bytes(response, headers),
    )


def _headers(side: dict[str, Any]) -> dict[str, str]:
    """The first value of each, by its name in small letters."""
    given = {
        name.lower(): values[:1] if isinstance(values, list) else [values]
        for name, values in (side.get("headers") or {}).items()
    }
    return {name: str(values[0]) for name, values in given.items() if values}


def _bytes(side: dict[str, Any], headers: Mapping[str, str]) -> bytes:
    if "parsed_body" in side:
        return json.dumps(side["parsed_body"], ensure_ascii=False).encode("utf-8", "surrogatepass")
    body = side.get("body")
    if isinstance(body, dict):
        body = body.get("string")
    if body is None:
        return b""
    found = body if isinstance(body, bytes) else str(body).encode("utf-8", "surrogatepass")
    if headers.get("content-encoding") == "gzip" and found.startswith(_GZIP):
        return gzip.decompress(found)
    return found
