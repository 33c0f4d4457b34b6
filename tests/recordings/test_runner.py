"""What becomes of recordings that are not as the usual ones: none of them stops the others."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import yaml

from converse import frame
from recordings.outcome import Outcome, outcome_of
from recordings.recorded import recordings
from upstream import Reply, upstreams

_Json = dict[str, Any]
CHAT = "https://api.openai.com/v1/chat/completions"
CONVERSE = "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-micro-v1%3A0/converse"
CLAUDE = (
    "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-v1%3A0"
)
ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
ANSWERED: _Json = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
}


def call(url: str, asked: _Json, answered: _Json | str | bytes, **headers: str) -> _Json:
    streamed = isinstance(answered, str)
    kind = "text/event-stream" if streamed else "application/json"
    response: _Json = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"content-type": [kind], **{name: [value] for name, value in headers.items()}},
    }
    if isinstance(answered, dict):
        response["parsed_body"] = answered
    else:
        response["body"] = {"string": answered}
    request = {"method": "POST", "uri": url, "headers": {}, "parsed_body": asked}
    return {"request": request, "response": response}


async def outcome(folder: Path, content: str) -> Outcome:
    (folder / "one.yaml").write_text(content)
    (found,) = recordings(folder)
    async with upstreams(Reply()) as (upstream,):
        return await outcome_of(found, upstream)


async def replayed(folder: Path, *calls: _Json) -> Outcome:
    return await outcome(folder, yaml.safe_dump({"interactions": list(calls)}))


async def test_what_is_no_recording_is_skipped_with_its_reason(tmp_path: Path) -> None:
    assert (await outcome(tmp_path, "interactions: [\n - {")).skipped.startswith("no YAML")
    assert (await outcome(tmp_path, "")).skipped == "it is empty"
    assert (await outcome(tmp_path, "- a")).skipped == "it is empty"
    assert (
        await outcome(tmp_path, "interactions: [{grpc: 1}]")
    ).skipped == "not recorded over HTTP"
    half = {**call(CHAT, ASKED, ANSWERED), "response": None}
    assert (await replayed(tmp_path, half)).skipped.startswith("no recording of HTTP")


async def test_calls_that_ask_no_model_are_skipped_with_their_names(tmp_path: Path) -> None:
    for path in ("/v1/images/generations", "/v1/files", "/v1/batches", "/v1/ocr", "/v1/rerank"):
        found = await replayed(tmp_path, call(f"https://api.openai.com{path}", {}, {}))
        assert path in found.skipped
    drawing = CONVERSE.replace("/converse", "/invoke")
    assert (await replayed(tmp_path, call(drawing, {"taskType": "TEXT_IMAGE"}, {}))).skipped
    guarded = {"messages": [{"role": "user", "content": [{"guardContent": {}}]}]}
    assert "guardContent" in (await replayed(tmp_path, call(CONVERSE, guarded, {}))).skipped


async def test_bodies_that_were_kept_compressed_are_read(tmp_path: Path) -> None:
    body = gzip.compress(json.dumps(ANSWERED).encode())
    kept = call(CHAT, ASKED, body, **{"content-encoding": "gzip"})
    assert await replayed(tmp_path, kept) == Outcome("one")


async def test_streams_that_fail_or_have_no_end_are_to_be_told_as_errors(tmp_path: Path) -> None:
    begun = '{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}'
    asked = {**ASKED, "stream": True}
    for stream in (
        'data: {"error":"Model overloaded"}\n\n',
        f'data: {begun}\n\ndata: {{"error":{{"message":"gone"}}}}\n\n',
        f"data: {begun}\n\n",
    ):
        assert await replayed(tmp_path, call(CHAT, asked, stream)) == Outcome("one")


async def test_what_no_client_can_ask_of_converse_is_left_out_of_what_is_compared(
    tmp_path: Path,
) -> None:
    answered = {
        "output": {"message": {"role": "assistant", "content": [{"text": "a"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    }
    asked = {
        "messages": [{"role": "user", "content": [{"text": "x"}]}],
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "requestMetadata": {"team": "a"},
        "additionalModelRequestFields": {"test": "test"},
    }
    assert await replayed(tmp_path, call(CONVERSE, asked, answered)) == Outcome("one")


INVOKED: _Json = {
    "anthropic_version": "bedrock-2023-05-31",
    "anthropic_beta": ["a-trial"],
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Hi"}],
}
MESSAGE: _Json = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
    "usage": {"input_tokens": 9, "output_tokens": 1},
}  # fmt: skip
EVENTS: tuple[_Json, ...] = (
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
)


def invoked(*events: _Json) -> bytes:
    """Events of Anthropic's in the frames of InvokeModel."""
    said = [base64.b64encode(json.dumps(event).encode()).decode() for event in events]
    return b"".join(frame("chunk", {"bytes": one}) for one in said)


async def test_anthropic_s_words_at_bedrock_are_read_whole_and_in_frames(tmp_path: Path) -> None:
    whole = {**MESSAGE, "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"}
    assert await replayed(tmp_path, call(f"{CLAUDE}/invoke", INVOKED, whole)) == Outcome("one")
    exception = frame("throttlingException", {"message": "slow"}, "exception")
    for stream in (invoked(*EVENTS), invoked(*EVENTS[:3]) + exception, invoked(*EVENTS[:3])):
        one = call(f"{CLAUDE}/invoke-with-response-stream", INVOKED, stream)
        one["response"]["headers"]["content-type"] = ["application/vnd.amazon.eventstream"]
        assert await replayed(tmp_path, one) == Outcome("one")


async def test_arguments_that_are_no_json_are_read_alike_by_all(tmp_path: Path) -> None:
    called = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "not JSON"}}
    message = {"role": "assistant", "content": None, "tool_calls": [called]}
    told = {**ANSWERED, "choices": [{**ANSWERED["choices"][0], "message": message}]}
    assert await replayed(tmp_path, call(CHAT, ASKED, told)) == Outcome("one")


async def test_what_is_read_otherwise_fails(tmp_path: Path) -> None:
    """A count of tokens that nobody can believe is one that the other reader takes."""
    cached = {**ANSWERED["usage"], "prompt_tokens_details": {"cached_tokens": 100}}
    found = await replayed(tmp_path, call(CHAT, ASKED, {**ANSWERED, "usage": cached}))
    assert any("usage" in problem for problem in found.problems)
