"""OpenAI Chat Completions as a provider speaks it: writes answers, whole and streamed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from tierwise.fleet.chat import ChatRequest
from tierwise.fleet.draw import draw
from tierwise.fleet.source import FleetModel, Said

_PIECE = re.compile(r"\S{1,7}\s*|\s+")
_encode = msgspec.json.Encoder().encode
DONE = b"data: [DONE]\n\n"


def pieces(text: str) -> list[str]:
    """A text in pieces of about a token; joined they are the text."""
    return _PIECE.findall(text)


def shorten(said: Said, limit: int, model: FleetModel) -> Said:
    """What is said within a limit of tokens, which cuts it short if it is longer."""
    if said.output_tokens <= limit:
        return said
    all_pieces = pieces(said.text)
    kept = all_pieces[: max(1, len(all_pieces) * limit // said.output_tokens)]
    cost = said.cost_usd
    if cost is not None:
        prices = model.prices
        cost = (said.input_tokens * prices.input + limit * prices.output) / 1e6
    return replace(
        said, text="".join(kept), output_tokens=limit, finish_reason="length", cost_usd=cost
    )


class Answer:
    """One answer of a model to one request, ready to be written either way."""

    def __init__(
        self, request: ChatRequest, model: str, said: Sequence[Said], number: str, created: int
    ) -> None:
        self._request = request
        self._said = said
        self._number = number
        self._base = {"id": f"chatcmpl-{number}", "created": created, "model": model}

    @property
    def usage(self) -> dict[str, Any]:
        """Tokens as they are billed, and the cost where it was recorded."""
        sent = self._said[0].input_tokens
        out = sum(said.output_tokens for said in self._said)
        usage: dict[str, Any] = {
            "prompt_tokens": sent,
            "completion_tokens": out,
            "total_tokens": sent + out,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }
        costs = [said.cost_usd for said in self._said if said.cost_usd is not None]
        if costs:
            usage["cost"] = sum(costs)
        return usage

    def whole(self) -> bytes:
        """The body of an answer that is not streamed."""
        return _encode(
            {
                **self._base,
                "object": "chat.completion",
                "choices": [self._choice(i, said) for i, said in enumerate(self._said)],
                "usage": self.usage,
                "service_tier": "default",
                "system_fingerprint": "fp_fleet",
            }
        )

    def events(self) -> list[bytes]:
        """The events of a stream, each complete, the end mark last."""
        events = [self._event(chunk) for chunk in self._chunks()]
        if self._request.wants_usage:
            events.append(self._event([], self.usage))
        events.append(DONE)
        return events

    def _choice(self, index: int, said: Said) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None}
        finish = said.finish_reason
        if said.tool is not None:
            function = {"name": said.tool, "arguments": said.text}
            call = {"id": self._call_id(index), "type": "function", "function": function}
            message |= {"content": None, "tool_calls": [call]}
            finish = "tool_calls" if finish == "stop" else finish
        return {
            "index": index,
            "message": message,
            "logprobs": self._logprobs(said, index, pieces(said.text)),
            "finish_reason": finish,
        }

    def _chunks(self) -> Iterator[list[dict[str, Any]]]:
        for index, said in enumerate(self._said):
            first: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
            if said.tool is not None:
                function = {"name": said.tool, "arguments": ""}
                call = {"index": 0, "id": self._call_id(index), "type": "function"}
                first |= {"content": None, "tool_calls": [{**call, "function": function}]}
            yield [_delta(index, first)]
            for place, piece in enumerate(pieces(said.text)):
                if said.tool is not None:
                    part = {"index": 0, "function": {"arguments": piece}}
                    yield [_delta(index, {"tool_calls": [part]})]
                    continue
                logprobs = self._logprobs(said, index, [piece], place)
                yield [_delta(index, {"content": piece}, logprobs)]
            finish = said.finish_reason
            if said.tool is not None and finish == "stop":
                finish = "tool_calls"
            yield [_delta(index, {}, finish=finish)]

    def _event(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        chunk = {
            **self._base,
            "object": "chat.completion.chunk",
            "system_fingerprint": "fp_fleet",
            "choices": choices,
        }
        if self._request.wants_usage:
            chunk["usage"] = usage
        return b"data: " + _encode(chunk) + b"\n\n"

    def _call_id(self, index: int) -> str:
        return f"call_{self._number}{index}"

    def _logprobs(
        self, said: Said, index: int, tokens: Sequence[str], first: int = 0
    ) -> dict[str, Any] | None:
        if not self._request.logprobs or said.tool is not None:
            return None
        if said.logprob is not None:
            told = [
                {"token": t, "logprob": said.logprob, "bytes": list(t.encode()), "top_logprobs": []}
                for t in tokens
            ]
            return {"content": told, "refusal": None}
        if said.confidence is None:
            return None
        return {
            "content": [
                self._logprob(said.confidence, token, (said.text, index, first + place))
                for place, token in enumerate(tokens)
            ],
            "refusal": None,
        }

    def _logprob(self, confidence: float, token: str, seed: tuple[object, ...]) -> dict[str, Any]:
        """Around the answer's confidence, the alternatives sharing what is left."""
        p = min(0.9999, max(0.02, confidence + 0.2 * (draw("logprob", *seed) - 0.5)))
        alternatives = [(token, p)]
        rest = 1.0 - p
        for number in range(1, self._request.top_logprobs or 0):
            rest *= 0.5
            alternatives.append((f"{token.strip() or '_'}~{number}", min(rest, p) or 1e-9))
        return {
            **_token(token, p),
            "top_logprobs": [
                _token(text, share)
                for text, share in alternatives[: self._request.top_logprobs or 0]
            ],
        }


def _delta(
    index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None = None, finish: Any = None
) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}


def _token(text: str, p: float) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(p), "bytes": list(text.encode())}
