"""A request that does not say how much to think, for models that cannot.

Its bytes stay what they are in all else, so that the provider of the client's own dialect can be
asked it, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tierwise.types import Task
from tierwise.wire.openai_chat import field_of, with_fields
from tierwise.wire.unreadable import UNREADABLE

_PLACES: Mapping[str, Sequence[tuple[str, ...]]] = {
    "openai-chat": (("reasoning_effort",), ("reasoning",)),
    "openai-responses": (("reasoning",),),
    "anthropic": (("thinking",), ("output_config", "effort")),
    "gemini": tuple(
        (holder, name)
        for holder in ("generationConfig", "generation_config")
        for name in ("thinkingConfig", "thinking_config")
    ),
}
"""Where each dialect says it."""
_INCLUDE, _ENCRYPTED = "include", "reasoning.encrypted_content"
_decode_words = msgspec.json.Decoder(list[str]).decode


def unthinking(task: Task) -> Task:
    """The task without what it says of thinking; as it is where it cannot be read."""
    body = task.body
    try:
        for holder, *inner in _PLACES.get(task.dialect, ()):
            body = _without(body, holder, *inner)
        if task.dialect == "openai-responses":
            body = _without_thoughts(body)
    except UNREADABLE:
        return task  # whoever reads it says what is wrong with it
    return task if body is task.body else replace(task, body=body, reasoning=False)


def _without(body: bytes, name: str, inner: str | None = None) -> bytes:
    said = field_of(body, name)
    if said is None or (inner is not None and (said == b"null" or field_of(said, inner) is None)):
        return body
    if inner is None:
        return with_fields(body, {name: None})
    rest = with_fields(said, {inner: None})
    return with_fields(body, {name: rest if rest != b"{}" else None})


def _without_thoughts(body: bytes) -> bytes:
    """OpenAI refuses to include encrypted thoughts where there are none."""
    include = field_of(body, _INCLUDE)
    if include is None or _ENCRYPTED.encode() not in include:
        return body
    rest = [word for word in _decode_words(include) if word != _ENCRYPTED]
    return with_fields(body, {_INCLUDE: msgspec.json.encode(rest) if rest else None})
