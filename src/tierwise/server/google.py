"""Gemini's way of asking: the model and the method stand in the path, the key may in the query.

`POST /v1beta/models/{model}:generateContent`, and `:streamGenerateContent`, whose answer is a JSON
array unless the query says `alt=sse`: https://ai.google.dev/api/generate-content. `:countTokens`,
`:embedContent` and `:batchEmbedContents` are no answers, and served elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

import msgspec

from tierwise.errors import TierwiseError
from tierwise.listing import COUNT, EMBED, EMBED_MANY, GENERATE, STREAM
from tierwise.server.keys import Client
from tierwise.server.request import Scope
from tierwise.server.speech import Exchange, Header, Speech, Spoken
from tierwise.types import Task
from tierwise.wire import sse
from tierwise.wire.translate import read_task

_METHODS = (GENERATE, STREAM, COUNT, EMBED, EMBED_MANY)
PUBLISHED = "/v1beta1/publishers/google/models"
_PREFIXES = ("/v1beta/models/", "/v1/models/", PUBLISHED + "/")
_ARRAY: Sequence[Header] = ((b"content-type", b"application/json; charset=utf-8"),)


def asked_in(path: str) -> tuple[str, str] | None:
    """The model and the method that a path names; None if it is not of this kind."""
    if not path.startswith(_PREFIXES):
        return None
    prefix = next(one for one in _PREFIXES if path.startswith(one))
    model, colon, method = path[len(prefix) :].rpartition(":")
    return (model, method) if colon and model and method in _METHODS else None


def is_googles(path: str) -> bool:
    """Whether a path asks a model for something in Google's way, be it known here or not."""
    return any(path.startswith(one) and ":" in path[len(one) :] for one in _PREFIXES)


class GeminiSpeech(Spoken):
    """Gemini's generateContent."""

    proves = "`x-goog-api-key: <key>` or `Authorization: Bearer <key>`"

    def __init__(self) -> None:
        super().__init__("gemini")

    def credential(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bytes | None:
        """As in `Speech`."""
        key = headers.get(b"x-goog-api-key") or key_in_query(scope)
        return b"Bearer " + key if key else super().credential(scope, headers)

    async def read(self, body: bytes, scope: Scope, client: Client) -> Exchange:  # noqa: ARG002
        """As in `Speech`."""
        model, method = asked_in(scope["path"]) or ("", "")
        streams = method == STREAM
        task = msgspec.structs.replace(
            read_task(self.name, body), model=model, stream=streams, wants_stream_usage=streams
        )
        array = streams and _query(scope).get("alt") != "sse"
        return ArrayExchange(self, task) if array else Exchange(self, task)


class ArrayExchange(Exchange):
    """A stream that is one JSON array, an element for each event."""

    __slots__ = ("_between",)

    head = _ARRAY
    alive = b"\n"  # space is allowed wherever this can come

    def __init__(self, speech: Speech, task: Task) -> None:
        super().__init__(speech, task)
        self._between = b"["

    def shown(self, block: bytes) -> bytes:
        """The events of a block as elements."""
        parts: list[bytes] = []
        for data in sse.payloads(block):
            parts += (self._between, data)
            self._between = b",\r\n"
        return b"".join(parts)

    def ended(self) -> bytes:
        """The array's end."""
        return b"]" if self._between != b"[" else b"[]"

    def late(self, headers: Sequence[Header]) -> bytes:  # noqa: ARG002
        """JSON has no comments, so such headers are lost."""
        return b""

    def broken(self, error: TierwiseError) -> bytes:
        """The error as the last element."""
        return self._between + self.speech.error(error)[1] + b"]"


def key_in_query(scope: Scope) -> bytes:
    """The key that the query of a request has; b"" without one."""
    return _query(scope).get("key", "").encode() if scope["query_string"] else b""


def _query(scope: Scope) -> dict[str, str]:
    """The parameters of the query; of those given twice, the first."""
    raw: bytes = scope["query_string"]
    found = parse_qs(raw.decode("latin-1")) if raw else {}
    return {name: values[0] for name, values in found.items()}
