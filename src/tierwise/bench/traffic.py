"""What travels in a measurement: one chat request and its answer, whole and as a stream."""

from __future__ import annotations

import json

PATH = "/v1/chat/completions"
WHOLE_MODEL = "bench-whole"
STREAM_MODEL = "bench-stream"

CHUNKS = 50
EVENTS = CHUNKS + 1
"""The chunks of a stream and the `[DONE]` behind them."""
EVENT_BYTES = 256

_PROMPT = (
    "You are asked to summarise the following report for a busy reader, keep every number and "
    "name, and answer in at most three sentences. "
)
_USAGE = {"prompt_tokens": 230, "completion_tokens": 80, "total_tokens": 310}


def request_text(*, stream: bool) -> str:
    """A chat request with a prompt of one kilobyte."""
    body: dict[str, object] = {
        "model": STREAM_MODEL if stream else WHOLE_MODEL,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": (_PROMPT * 8)[:1000]},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
    }
    if stream:
        body["stream"] = True
    return json.dumps(body)


def answer_text() -> str:
    """A chat answer of about a kilobyte."""
    message = {
        "role": "assistant",
        "content": "The quick brown fox jumps over the lazy dog. " * 8,
        "refusal": None,
    }
    answer = {
        **_stem("chat.completion", WHOLE_MODEL),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            **_USAGE,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_bench",
    }
    return json.dumps(answer)


def stream_text() -> str:
    """A stream of `CHUNKS` chunks: a role, the text, a finish reason, the usage; and `[DONE]`.

    Every chunk is `EVENT_BYTES` long; OpenAI, too, fills its chunks up with an `obfuscation`.
    """
    chunks = [_delta({"role": "assistant", "content": ""})]
    chunks += [_delta({"content": f" token{number:02d}"}) for number in range(CHUNKS - 3)]
    chunks.append(_delta({}, finish="stop"))
    chunks.append({**_stem("chat.completion.chunk", STREAM_MODEL), "choices": [], "usage": _USAGE})
    return "".join(map(_event, chunks)) + "data: [DONE]\n\n"


def _event(chunk: dict[str, object]) -> str:
    bare = f"data: {json.dumps({**chunk, 'obfuscation': ''}, separators=(',', ':'))}\n\n"
    fill = "x" * (EVENT_BYTES - len(bare))
    return bare.replace('"obfuscation":""', f'"obfuscation":"{fill}"')


def _delta(delta: dict[str, str], finish: str | None = None) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**_stem("chat.completion.chunk", STREAM_MODEL), "choices": [choice]}


def _stem(kind: str, model: str) -> dict[str, object]:
    return {"id": "chatcmpl-bench", "object": kind, "created": 1_763_900_000, "model": model}
