"""Claude as Vertex AI serves it: Anthropic's Messages, but for where model and stream stand.

`POST /v1/projects/{project}/locations/{location}/publishers/anthropic/models/{model}:rawPredict`,
and `:streamRawPredict` for a stream. The body has no `model` and has `anthropic_version`:
https://docs.anthropic.com/en/api/claude-on-vertex-ai. Project and location mean nothing here.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from tierwise.errors import InvalidRequest
from tierwise.server.keys import Client
from tierwise.server.request import Scope
from tierwise.server.speech import AnthropicSpeech, Exchange
from tierwise.wire.openai_chat import given, json_string, with_fields
from tierwise.wire.unreadable import UNREADABLE

_BEFORE = "/publishers/anthropic/models/"
COUNT = "/v1/projects/{project}/locations/{location}" + _BEFORE + "count-tokens:rawPredict"
"""Where tokens are counted; the model is in the body then."""
_COUNTS = "count-tokens"
_WHOLE, _STREAM = "rawPredict", "streamRawPredict"
_ROOTS = ("/v1/projects/", "/v1beta1/projects/")


def claude_in(path: str) -> tuple[str, str] | None:
    """The model and the method that a path names; None if it is not of this kind."""
    if not path.startswith(_ROOTS):
        return None
    where, found, asked = path.partition(_BEFORE)
    model, colon, method = asked.rpartition(":")
    if not (found and colon) or model in ("", _COUNTS) or method not in (_WHOLE, _STREAM):
        return None
    match where.split("/"):
        case ["", _, "projects", project, "locations", location] if project and location:
            return model, method
    return None


def is_claudes(path: str) -> bool:
    """Whether a path is one of Claude's on Vertex, be it known here or not."""
    return path.startswith(_ROOTS) and _BEFORE in path


class _Read(Struct):
    """What of a body is not Anthropic's own, and what stands elsewhere here."""

    model: Raw = Raw(b"")
    stream: Raw = Raw(b"")
    anthropic_beta: Raw = Raw(b"")


_decode = msgspec.json.Decoder(_Read).decode
_decode_betas = msgspec.json.Decoder(list[str]).decode


class ClaudeOnVertexSpeech(AnthropicSpeech):
    """Anthropic's Messages by way of Vertex. A client's access token is its key."""

    proves = "`Authorization: Bearer <key>`"

    async def read(self, body: bytes, scope: Scope, client: Client) -> Exchange:
        """As in `Speech`."""
        model, method = claude_in(scope["path"]) or ("", "")
        streams = method == _STREAM
        changes: dict[str, bytes | None] = {
            "model": json_string(model),
            "stream": b"true" if streams else None,
            "anthropic_version": None,
            "anthropic_beta": None,
        }
        try:
            said = _decode(body)
            body = with_fields(body, changes)
        except UNREADABLE:
            return await super().read(body, scope, client)  # which says what is wrong with it
        if given(said.model):
            raise InvalidRequest(
                "`model` stands in the path here. Leave it out of the body.", param="model"
            )
        if bytes(said.stream) == b"true" and not streams:
            raise InvalidRequest(
                f"`stream` is true. A stream is asked for by `:{_STREAM}`.", param="stream"
            )
        exchange = await super().read(body, scope, client)
        if given(said.anthropic_beta):
            betas = dict.fromkeys((*exchange.task.betas, *_betas(said.anthropic_beta)))
            exchange.task = replace(exchange.task, betas=tuple(betas))
        return exchange


def _betas(value: Raw) -> list[str]:
    try:
        return _decode_betas(value)
    except UNREADABLE:
        shown = bytes(value).decode("utf-8", "replace")[:60]
        raise InvalidRequest(
            f"`anthropic_beta` must be a list of strings, not {shown}.", param="anthropic_beta"
        ) from None
