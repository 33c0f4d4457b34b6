"""Log-probabilities of an answer's tokens, as the OpenAI dialect has them.

Two shapes are about: `{"content": [{"token", "logprob", "top_logprobs"}]}` of Chat Completions,
and the older `{"tokens": [], "token_logprobs": [], "top_logprobs": []}` that Together keeps.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct, field

from tierwise.types import TokenLogprob
from tierwise.wire import sse


class _Top(Struct):
    token: str
    logprob: float | None = None


class _Token(Struct):
    token: str
    logprob: float | None = None
    top_logprobs: list[_Top] | None = None


class _Logprobs(Struct):
    content: list[_Token] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[Mapping[str, float] | None] | None = field(default=None)


_decode = msgspec.json.Decoder(_Logprobs).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_choices = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_encode = msgspec.json.Encoder().encode
_NULL = Raw(b"null")


def read_logprobs(raw: Raw) -> tuple[TokenLogprob, ...]:
    """The tokens of a field `logprobs`; none where it is missing or unreadable.

    What a provider gets wrong here says nothing about its answer, so it is not an error.
    """
    if bytes(raw) in (b"", b"null"):
        return ()
    try:
        found = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()
    if found.content is not None:
        return tuple(
            TokenLogprob(one.token, min(one.logprob, 0.0), _runner_up(one))
            for one in found.content
            if one.logprob is not None
        )
    tops = found.top_logprobs or ()
    return tuple(
        TokenLogprob(
            token, min(logprob, 0.0), _best_other(token, tops[i] if i < len(tops) else None)
        )
        for i, (token, logprob) in enumerate(
            zip(found.tokens or (), found.token_logprobs or (), strict=False)
        )
        if logprob is not None
    )


def _runner_up(one: _Token) -> float | None:
    others = {top.token: top.logprob for top in one.top_logprobs or () if top.logprob is not None}
    return _best_other(one.token, others)


def _best_other(token: str, tops: Mapping[str, float] | None) -> float | None:
    return max((lp for other, lp in (tops or {}).items() if other != token), default=None)


def without_logprobs(body: bytes) -> bytes:
    """An answer or a chunk as its provider would have sent it had nobody asked for `logprobs`.

    Every other field keeps its bytes; what cannot be read stays as it is.
    """
    try:
        fields = _decode_fields(body)
        choices = _decode_choices(fields["choices"])
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
        return body
    for choice in choices:
        if "logprobs" in choice:
            choice["logprobs"] = _NULL
    fields["choices"] = Raw(_encode(choices))
    return _encode(fields)


def hide_in_events(block: bytes) -> bytes:
    """A block of complete events without the log-probabilities in them."""
    if b'"logprobs"' not in block:
        return block
    shown: list[bytes] = []
    place = 0
    while place < len(block):
        begin, end = sse.event_around(block, place)
        event = block[begin:end]
        data = sse.payload(event) if b'"logprobs"' in event else None
        shown.append(event if data is None else b"data: " + without_logprobs(data) + b"\n\n")
        place = end
    return b"".join(shown)
