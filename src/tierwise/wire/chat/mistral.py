"""Requests in Chat Completions, as Mistral takes them.

It refuses every field that it does not know with a 422, and has other words for some:
https://docs.mistral.ai/api/endpoint/chat
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Raw

from tierwise.wire.chat.sources import read_url
from tierwise.wire.chat.wish import word_for
from tierwise.wire.unreadable import UNREADABLE

_LABELS = frozenset(
    {
        "cache_control",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "store",
        "usage",
        "user",
    }
)
"""Fields that say nothing of the answer, and that it does not know."""
_RENAMED = {"seed": "random_seed"}
_EFFORT, _REASONING = "reasoning_effort", "reasoning"
_OF_ROLE: Mapping[str, frozenset[str]] = {
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls", "prefix"}),
    "tool": frozenset({"role", "content", "tool_call_id", "name"}),
}
_ID_LENGTH = 9


_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode
_Fields = dict[str, Raw]


def for_mistral(body: bytes) -> bytes:
    """The body in Mistral's words; as it is if it cannot be read."""
    try:
        fields = _decode_fields(body)
        messages = [_message(message) for message in _decode_list(fields.get("messages", b"[]"))]
    except UNREADABLE:
        return body
    _put_effort(fields)
    kept = {
        _RENAMED.get(name, name): value for name, value in fields.items() if name not in _LABELS
    }
    kept["messages"] = Raw(_encode(messages))
    return _encode(kept)


def _put_effort(fields: _Fields) -> None:
    """OpenRouter's `reasoning` as the word that is nearest to it."""
    raw = fields.pop(_REASONING, None)
    if raw is None or _EFFORT in fields:
        return
    effort = word_for(raw)
    if effort is not None:
        fields[_EFFORT] = Raw(_encode(effort))


def _message(message: _Fields) -> _Fields:
    role = _decode_text(message.get("role", Raw(b'""')))
    if role == "developer":
        role = "system"
        message["role"] = Raw(b'"system"')
    known = _OF_ROLE.get(role)
    if known is None:
        return message
    kept = {name: value for name, value in message.items() if name in known}
    content = kept.get("content")
    if content is not None and bytes(content)[:1] == b"[":
        kept["content"] = Raw(_encode([_part(part) for part in _decode_list(content)]))
    calls = kept.get("tool_calls")
    if calls is not None and bytes(calls) != b"null":
        kept["tool_calls"] = Raw(_encode([_with_id(call, "id") for call in _decode_list(calls)]))
    return _with_id(kept, "tool_call_id")


def _with_id(fields: _Fields, name: str) -> _Fields:
    given = fields.get(name)
    if given is not None:
        fields[name] = Raw(_encode(mistrals_id(_decode_text(given))))
    return fields


def mistrals_id(id_: str) -> str:
    """The id of a call in the only form that it takes: nine letters and digits.

    The same for the same id, so that results find their calls.
    https://github.com/langchain-ai/langchain/pull/24668
    """
    if len(id_) == _ID_LENGTH and id_.isascii() and id_.isalnum():
        return id_
    number = int.from_bytes(hashlib.sha256(id_.encode()).digest()[:8])
    letters = []
    for _ in range(_ID_LENGTH):
        number, rest = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[rest])
    return "".join(letters)


def _part(part: _Fields) -> _Fields:
    """A part of content: documents are named by URLs, sounds are their bytes."""
    part.pop("cache_control", None)
    part.pop("prompt_cache_breakpoint", None)
    kind = _decode_text(part.get("type", Raw(b'""')))
    if kind == "file" and "file" in part:
        return _document(_decode_fields(part["file"])) or part
    sound = part.get("input_audio")
    if kind == "input_audio" and sound is not None and bytes(sound)[:1] == b"{":
        part["input_audio"] = _decode_fields(sound).get("data", sound)
    return part


def _document(file: _Fields) -> _Fields | None:
    if "file_data" not in file:
        id_ = file.get("file_id")
        return {"type": Raw(b'"file"'), "file_id": id_} if id_ is not None else None
    url = _decode_text(file["file_data"])
    source = read_url(url)
    if source.data is None and "://" not in url:
        url = f"data:application/pdf;base64,{url}"
    document = {"type": Raw(b'"document_url"'), "document_url": Raw(_encode(url))}
    if "filename" in file:
        document["document_name"] = file["filename"]
    return document
