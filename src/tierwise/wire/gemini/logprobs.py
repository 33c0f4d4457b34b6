"""Log-probabilities: Google's `logprobsResult`, and OpenAI's JSON that stands for them between.

ai.google.dev/api/generate-content#LogprobsResult
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from tierwise.wire.unreadable import UNREADABLE

_ABSENT = Raw(b"")


class _Token(Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class _Top(Struct):
    candidates: list[_Token] | None = None


class _Result(Struct, rename="camel"):
    chosen_candidates: list[_Token] | None = None
    top_candidates: list[_Top] | None = None


class _OpenAIToken(Struct):
    token: str
    logprob: float | None = None
    top_logprobs: list[_OpenAIToken] | None = None


class _OpenAI(Struct):
    content: list[_OpenAIToken] | None = None


_decode_result = msgspec.json.Decoder(_Result).decode
_decode_openai = msgspec.json.Decoder(_OpenAI).decode
_encode = msgspec.json.Encoder().encode


def read_logprobs(raw: Raw) -> Raw:
    """`logprobsResult` as OpenAI writes it; empty where there is none that can be read."""
    if len(raw) == 0 or bytes(raw) == b"null":
        return _ABSENT
    try:
        found = _decode_result(raw)
    except UNREADABLE:
        return _ABSENT
    tops = found.top_candidates or []
    content = []
    for place, one in enumerate(found.chosen_candidates or ()):
        top = tops[place].candidates or [] if place < len(tops) else []
        content.append({**_openai(one), "top_logprobs": [_openai(other) for other in top]})
    return Raw(_encode({"content": content, "refusal": None})) if content else _ABSENT


def _openai(token: _Token) -> dict[str, object]:
    return {
        "token": token.token,
        "logprob": token.log_probability,
        "bytes": list(token.token.encode()),
    }


def write_logprobs(raw: Raw) -> dict[str, object] | None:
    """OpenAI's JSON as `logprobsResult`; None where there is nothing in it."""
    try:
        found = _decode_openai(raw)
    except UNREADABLE:
        return None
    if not found.content:
        return None
    return {
        "chosenCandidates": [_google(one) for one in found.content],
        "topCandidates": [
            {"candidates": [_google(other) for other in one.top_logprobs or ()]}
            for one in found.content
        ],
    }


def _google(token: _OpenAIToken) -> dict[str, object]:
    return {"token": token.token, "logProbability": token.logprob or 0.0}
