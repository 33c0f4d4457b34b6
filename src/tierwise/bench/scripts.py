"""What travels where dialects are measured: one conversation and its answer in each of them.

Questions are of a kilobyte, answers of two, streams of `PIECES` pieces of text: the same words in
every dialect, as its own writer has them. Cohere and Bedrock have no clients here, so their answers
stand below.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from tierwise.types import Usage
from tierwise.wire.conversation import Conversation, Sampling, Text, Turn
from tierwise.wire.dialect import dialect_named
from tierwise.wire.spoken import Began, Choice, Counted, Ended, Event, Spoken, TextPiece

PIECES = 50
CLIENTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
"""The dialects of clients, by the names in `wire.dialect`."""
ADAPTERS = {
    "openai-chat": "openai_compatible",
    "openai-responses": "openai_responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "cohere": "cohere",
}
"""The dialects of providers, and what asks in them."""
_PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
}
_PROMPT = (
    "You are asked to summarise the following report for a busy reader, keep every number and "
    "name, and answer in at most three sentences. "
)
_ANSWER = ("The quick brown fox jumps over the lazy dog. " * 45)[:2000]
_USAGE = Usage(input_tokens=230, output_tokens=500)
_ID, _CREATED = "bench-0123456789", 1_763_900_000


class Script(Struct, frozen=True):
    """What a provider of one dialect says: a body, or the events of a stream, one write each."""

    whole: bytes
    events: tuple[bytes, ...]


def model_of(provider: str) -> str:
    """The model that only the provider of this dialect has."""
    return f"bench-{provider}"


def question(client: str, provider: str, *, stream: bool) -> tuple[str, bytes]:
    """Path and body of a request in the client's dialect for the provider's model."""
    asked = _asked(client, model_of(provider), stream=stream)
    body = dialect_named(client).write_request(asked)
    if client != "gemini":
        return _PATHS[client], body
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/models/{asked.model}:{method}", body


def script(provider: str) -> Script:
    """What a provider of this dialect answers."""
    if provider == "cohere":
        return _cohere()
    dialect = dialect_named(provider)
    asked = _asked(provider, model_of(provider), stream=True)
    said = Choice(parts=(Text(text=_ANSWER),), finish="stop")
    whole = Spoken(
        id=_ID, model=asked.model, choices=(said,), usage=_USAGE, created=_CREATED, origin=provider
    )
    writer = dialect.event_writer(asked)
    pieces: list[Event] = [TextPiece(text=f" token{number:02d}") for number in range(PIECES)]
    began = Began(id=_ID, model=asked.model, created=_CREATED, usage=_USAGE)
    ended: list[Event] = [Ended(finish="stop"), Counted(usage=_USAGE)]
    blocks = [writer.write([began]), *(writer.write([piece]) for piece in pieces)]
    blocks.append(writer.write(ended) + writer.close())
    return Script(dialect.write_reply(whole, asked), tuple(block for block in blocks if block))


def _asked(dialect: str, model: str, *, stream: bool) -> Conversation:
    return Conversation(
        dialect=dialect,
        model=model,
        turns=(
            Turn(role="system", parts=(Text(text="You are a helpful assistant."),)),
            Turn(role="user", parts=(Text(text=(_PROMPT * 8)[:1000]),)),
        ),
        sampling=Sampling(temperature=0.7),
        max_tokens=1024,
        stream=stream,
        stream_usage=stream,
    )


def _cohere() -> Script:
    """https://docs.cohere.com/reference/chat and https://docs.cohere.com/reference/chat-stream"""
    tokens = {"input_tokens": _USAGE.input_tokens, "output_tokens": _USAGE.output_tokens}
    usage = {"billed_units": tokens, "tokens": tokens}
    message = {"role": "assistant", "content": [{"type": "text", "text": _ANSWER}]}
    whole = {"id": _ID, "finish_reason": "COMPLETE", "message": message, "usage": usage}
    events: list[dict[str, object]] = [
        {"type": "message-start", "id": _ID, "delta": {"message": {"role": "assistant"}}},
        {"type": "content-start", "index": 0, "delta": _content({"type": "text", "text": ""})},
        *(
            {"type": "content-delta", "index": 0, "delta": _content({"text": f" token{n:02d}"})}
            for n in range(PIECES)
        ),
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    return Script(
        msgspec.json.encode(whole),
        tuple(
            b"event: %b\ndata: %b\n\n" % (str(one["type"]).encode(), msgspec.json.encode(one))
            for one in events
        ),
    )


def _content(content: dict[str, str]) -> dict[str, object]:
    return {"message": {"content": content}}


def bedrock_script() -> Script:
    """What Bedrock answers by Converse and ConverseStream, whose events are frames.

    docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
    """
    read, said = _USAGE.input_tokens, _USAGE.output_tokens
    end = {"stopReason": "end_turn"}
    usage = {"usage": {"inputTokens": read, "outputTokens": said, "totalTokens": read + said}}
    message = {"role": "assistant", "content": [{"text": _ANSWER}]}
    at: dict[str, object] = {"contentBlockIndex": 0}
    return Script(
        msgspec.json.encode({"output": {"message": message}, **end, **usage}),
        (
            _frame("messageStart", {"role": "assistant"}),
            *(
                _frame("contentBlockDelta", {**at, "delta": {"text": f" token{number:02d}"}})
                for number in range(PIECES)
            ),
            _frame("contentBlockStop", at),
            _frame("messageStop", end),
            _frame("metadata", usage),
        ),
    )


def _frame(kind: str, said: Mapping[str, object]) -> bytes:
    """An event in AWS's framing: see `wire.eventstream`."""
    names = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2) + value.encode()
        for name, value in names.items()
    )
    payload = msgspec.json.encode(said)
    prelude = (len(headers) + len(payload) + 16).to_bytes(4) + len(headers).to_bytes(4)
    frame = prelude + zlib.crc32(prelude).to_bytes(4) + headers + payload
    return frame + zlib.crc32(frame).to_bytes(4)
