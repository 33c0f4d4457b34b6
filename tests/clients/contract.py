"""What every client has to do against the gateway, each in its own words."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel

KINDS = ("", "-slow", "-refusing", "-limited")
MODELS = (
    *(
        dialect + kind
        for dialect in ("openai-chat", "openai-responses", "anthropic", "gemini")
        for kind in KINDS
    ),
    "none-such",
)
"""All that are asked for; of the last one nobody knows."""


@dataclass(frozen=True)
class Target:
    """What is asked: the gateway's address without a path, a key of it, and a model."""

    url: str
    key: str
    model: str


class City(BaseModel):
    """A structured answer."""

    name: str
    degrees: int
    tags: list[str]


@dataclass(frozen=True)
class Refusal:
    """An error as a client raises it: the name of its type, the status, what it says."""

    kind: str
    status: int
    message: str


def weather(city: str) -> str:
    """Tells the weather of a city.

    Args:
        city: its name.
    """
    return f"sunny in {city}"


def time(city: str) -> str:
    """Tells the time of a city.

    Args:
        city: its name.
    """
    return f"noon in {city}"


TOOLS: dict[str, Callable[[str], str]] = {"weather": weather, "time": time}
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "its name"}},
    "required": ["city"],
    "additionalProperties": False,
}


class Client:
    """One way to ask the gateway.

    `needs` are the packages it is made of. `cannot` names operations below that it has no way to
    ask for. `errors` are the types that it raises by status, where it has one for each. `names` are
    other names of models, for clients that take none but those they know.
    """

    name: ClassVar[str]
    dialect: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    cannot: ClassVar[frozenset[str]] = frozenset()
    errors: ClassVar[dict[int, str]] = {}
    names: ClassVar[dict[str, str]] = {}

    def missing(self) -> str | None:
        """The first package it needs that is not installed; None if all are."""
        return next((name for name in self.needs if not _installed(name)), None)

    def called(self, model: str) -> str:
        """The name by which it asks for a model."""
        return self.names.get(model, model)

    def chat(self, to: Target, text: str) -> tuple[str, tuple[int, int] | None]:
        """An answer and its tokens read and written; None if the client does not tell them."""
        raise NotImplementedError

    def stream(self, to: Target, text: str) -> list[str]:
        """The pieces of a streamed answer."""
        raise NotImplementedError

    def tools(self, to: Target, text: str) -> str:
        """The last answer of a conversation in which `TOOLS` are called."""
        raise NotImplementedError

    def tools_streamed(self, to: Target, text: str) -> str:
        """As `tools`, each answer streamed."""
        raise NotImplementedError

    def structured(self, to: Target, text: str) -> City:
        """A structured answer."""
        raise NotImplementedError

    def picture(self, to: Target, text: str, png: bytes) -> str:
        """What is said of a picture."""
        raise NotImplementedError

    def refused(self, to: Target) -> Refusal:
        """The error that a chat raises."""
        raise NotImplementedError

    def leave(self, to: Target, text: str) -> str:
        """The first piece of a stream that is closed then."""
        raise NotImplementedError


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def a_png() -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = zlib.crc32(kind + data)
        return len(data).to_bytes(4, "big") + kind + data + sum_.to_bytes(4, "big")

    head = (1).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    pixel = zlib.compress(b"\0\xff\0\0")
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")
