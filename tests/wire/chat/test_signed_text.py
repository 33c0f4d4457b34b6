"""Gemini signs what it says, and clients of Chat Completions keep the signature for it."""

from __future__ import annotations

import json
from typing import Any

from tierwise.wire import sse
from tierwise.wire.dialect import dialect_named

CHAT, GEMINI = dialect_named("openai-chat"), dialect_named("gemini")
EXTRA = {"google": {"thought_signature": "c2ln"}}
ASKED = CHAT.read_request(b'{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}')
TWO = [{"text": "It is "}, {"text": "Paris.", "thoughtSignature": "c2ln"}]
LATE = [{"text": "It is Paris."}, {"text": "", "thoughtSignature": "c2ln"}]


def an_answer(parts: list[dict[str, Any]]) -> bytes:
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    return json.dumps({"candidates": [candidate], "responseId": "r"}).encode()


def shown(parts: list[dict[str, Any]]) -> Any:
    """What a client of Chat Completions reads of Gemini's answer."""
    reply = CHAT.write_reply(GEMINI.read_reply(an_answer(parts)), ASKED)
    return json.loads(reply)["choices"][0]["message"]


def streamed(parts: list[dict[str, Any]]) -> list[Any]:
    block = b"".join(b"data: " + an_answer([part]) + b"\n\n" for part in parts)
    written = CHAT.event_writer(ASKED).write(GEMINI.event_reader().read(block))
    return [json.loads(data)["choices"][0]["delta"] for data in sse.payloads(written)]


def told(message: dict[str, Any]) -> Any:
    """What Gemini is told of it when it comes back."""
    messages = [{"role": "user", "content": "Hi"}, message, {"role": "user", "content": "Why?"}]
    asked = CHAT.read_request(json.dumps({"model": "m", "messages": messages}).encode())
    return json.loads(GEMINI.write_request(asked))["contents"][1]["parts"]


def test_the_signature_of_a_text_is_shown_where_those_of_calls_are() -> None:
    for parts in (TWO, LATE):
        message = shown(parts)
        assert (message["content"], message["extra_content"]) == ("It is Paris.", EXTRA)
    assert "extra_content" not in shown([{"text": "Paris."}])


def test_in_a_stream_it_comes_with_its_piece() -> None:
    for parts, last in ((TWO, "Paris."), (LATE, "")):
        signed = [delta for delta in streamed(parts) if "extra_content" in delta]
        assert signed == [{"content": last, "extra_content": EXTRA}]


def test_a_client_that_sends_it_back_sends_it_to_gemini() -> None:
    assert told(shown(TWO)) == [{"text": "It is Paris.", "thoughtSignature": "c2ln"}]
    assert told({"role": "assistant", "content": "Paris."}) == [{"text": "Paris."}]


def test_to_others_it_is_not_told() -> None:
    messages = [{"role": "user", "content": "Hi"}, shown(TWO), {"role": "user", "content": "Why?"}]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    for dialect in ("anthropic", "openai-responses", "cohere"):
        assert b"c2ln" not in dialect_named(dialect).write_request(CHAT.read_request(body))
    own = json.loads(CHAT.write_request(CHAT.read_request(body)))
    assert own["messages"][1]["extra_content"] == EXTRA


def test_google_s_compatible_api_signs_for_gemini_s_clients() -> None:
    message = {"role": "assistant", "content": "Paris.", "extra_content": EXTRA}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    spoken = CHAT.read_reply(json.dumps({"id": "1", "choices": [choice]}).encode())
    asked = GEMINI.read_request(b'{"contents": [{"parts": [{"text": "Hi"}]}]}')
    parts = json.loads(GEMINI.write_reply(spoken, asked))["candidates"][0]["content"]["parts"]
    assert parts == [{"text": "Paris.", "thoughtSignature": "c2ln"}]
    chunk = {"id": "1", "choices": [{"index": 0, "delta": message}]}
    events = CHAT.event_reader().read(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    assert b'"thoughtSignature":"c2ln"' in GEMINI.event_writer(asked).write(events)
