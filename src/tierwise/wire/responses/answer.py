"""The object `response`: its fields, its items and its ids, for whole answers and for streams."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from tierwise.types import Usage
from tierwise.wire.conversation import Conversation, Text
from tierwise.wire.openai_chat import given
from tierwise.wire.responses.items import annotations_of, write_text
from tierwise.wire.responses.request import reasoning_of, wording_of
from tierwise.wire.responses.tools import write_choice, write_tools
from tierwise.wire.responses.usage import write_usage
from tierwise.wire.responses.words import INSTRUCTIONS, OURS
from tierwise.wire.spoken import Finish

NOTHING = Raw(b"")
_NULL = Raw(b"null")
_STRANGE = re.compile(r"[^a-zA-Z0-9_-]")
_INCOMPLETE = {"length": "max_output_tokens", "filter": "content_filter"}


class _Logprobs(Struct):
    content: list[Raw] | None = None
    refusal: list[Raw] | None = None


_decode_logprobs = msgspec.json.Decoder(_Logprobs).decode


def response_id(id: str) -> str:
    """The id of an answer that its provider calls `id`.

    Clients go on from an answer by its id, so it has to be one of its kind; some local servers call
    every answer the same, and begin anew when they are started again.
    """
    return id if id.startswith("resp_") else f"resp_{os.urandom(16).hex()}"


def item_id(kind: str, response: str, index: int) -> str:
    """The id of an item that has none of its own; no other answer's item has it.

    OpenAI, which may be shown the item next, takes 64 letters, digits, underscores and dashes.
    """
    of = _STRANGE.sub("-", response.removeprefix("resp_"))[-48:]
    return f"{kind}_{of}_{index}"


def response_of(
    asked: Conversation, *, id: str, model: str, created: int, tier: str | None = None
) -> dict[str, object]:
    """An answer that has only begun: what was asked, and that nothing was said yet."""
    own = asked.own if asked.dialect == OURS else {}
    hints = asked.hints if asked.dialect == OURS else {}
    wording = wording_of(asked)
    shown: object = wording
    if wording is None or (isinstance(wording, dict) and "format" not in wording):
        shown = {"format": {"type": "text"}, **(wording or {})}
    return {
        "id": id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": _instructions(asked),
        "max_output_tokens": asked.max_tokens,
        "max_tool_calls": hints.get("max_tool_calls", _NULL),
        "model": model,
        "output": [],
        "parallel_tool_calls": asked.parallel_tools is not False,
        "previous_response_id": own.get("previous_response_id", _NULL),
        "prompt_cache_key": asked.cache_key,
        "reasoning": reasoning_of(asked) or {"effort": None, "summary": None},
        "safety_identifier": asked.user,
        "service_tier": tier or asked.service_tier or "default",
        "store": asked.store is not False,
        "temperature": asked.sampling.temperature,
        "text": shown,
        "tool_choice": write_choice(asked) or "auto",
        "tools": write_tools(asked),
        "top_logprobs": asked.top_logprobs or 0,
        "top_p": asked.sampling.top_p,
        "truncation": own.get("truncation", "disabled"),
        "usage": None,
        "user": None,
        "metadata": asked.metadata if given(asked.metadata) else {},
    }


def _instructions(asked: Conversation) -> str | None:
    first = asked.turns[0] if asked.turns else None
    if first is None or first.id != INSTRUCTIONS:
        return None
    return "".join(part.text for part in first.parts if isinstance(part, Text))


def status_of(finish: Finish | None) -> str:
    """The status of an answer that ended so."""
    return "incomplete" if finish in _INCOMPLETE else "completed"


def ended(
    response: dict[str, object], output: list[object], finish: Finish | None, usage: Usage | None
) -> dict[str, object]:
    """The answer when all was said."""
    if finish == "refusal" and not any(map(_is_refusal, output)):
        finish = "filter"  # as in Chat Completions: nobody would see that the model declined
    response = {**response, "status": status_of(finish), "output": output}
    if finish in _INCOMPLETE:
        response["incomplete_details"] = {"reason": _INCOMPLETE[finish]}
    if usage is not None:
        response["usage"] = write_usage(usage)
    return response


def _is_refusal(item: object) -> bool:
    content = item.get("content") if isinstance(item, dict) else None
    return isinstance(content, list) and any(
        isinstance(piece, dict) and piece.get("type") == "refusal" for piece in content
    )


def message(id: str, content: list[object], status: str = "completed") -> dict[str, object]:
    """A message of the model's."""
    return {
        "type": "message",
        "id": id,
        "status": status,
        "role": "assistant",
        "content": content,
    }


def text_piece(texts: Iterable[Text], logprobs: list[Raw], before: int) -> dict[str, object]:
    """Texts that follow each other as one piece of a message.

    `before` are the characters of the answer that stand before it.
    """
    said = ""
    annotations: list[object] = []
    for text in texts:
        annotations += annotations_of(text, len(said), before)
        said += text.text
    return {**write_text(said, annotations), "logprobs": logprobs}


def tokens_of(logprobs: Raw) -> list[Raw]:
    """The tokens in Chat Completions' JSON of log-probabilities."""
    if not given(logprobs):
        return []
    try:
        return _decode_logprobs(logprobs).content or []
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []


def logprobs_of(tokens: list[Raw]) -> Raw:
    """Tokens with their log-probabilities as Chat Completions has them."""
    return Raw(msgspec.json.encode({"content": tokens, "refusal": None})) if tokens else NOTHING
