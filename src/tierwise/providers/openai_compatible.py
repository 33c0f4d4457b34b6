"""The OpenAI-compatible family: one adapter, the known differences as data.

Serves OpenAI, Groq, Mistral, DeepSeek, Together, Fireworks, OpenRouter, xAI, vLLM, SGLang, Ollama,
llama.cpp and LM Studio by base URL. What sets a provider apart stands in its preset as quirks:

- `no-stream-options`: sends usage in every stream by itself, and may reject `stream_options`;
- `max-tokens`: knows `max_tokens` only;
- `max-completion-tokens`: knows `max_completion_tokens` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from tierwise.errors import ServerFailed, StreamBroken, UpstreamError
from tierwise.providers.errors import classify
from tierwise.providers.http import HttpRequest
from tierwise.types import Completion, Deployment, Task, Usage
from tierwise.wire import openai_chat, sse

_STREAM_USAGE = b'{"include_usage":true}'
# Marks the few events of a stream that need a look inside; all others pass as bytes. Quotes in
# text are escaped in JSON, so a model's words cannot look like one of these fields.
_NOTABLE = re.compile(rb'"usage"\s*:\s*\{|"error"\s*:|"finish_reason"\s*:\s*"|data:\s*\[DONE\]')
_MODEL = re.compile(rb'"model"\s*:\s*"((?:[^"\\]|\\.)*)"')


class OpenAICompatible:
    """Asks one deployment in the dialect of `POST {base_url}/chat/completions`."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._url = deployment.base_url.rstrip("/") + "/chat/completions"
        self._headers = {"content-type": "application/json", **dict(deployment.headers)}
        if deployment.api_key:
            self._headers["authorization"] = f"Bearer {deployment.api_key}"
        self._upstream_model = openai_chat.json_string(deployment.upstream_model)

    def request(self, task: Task) -> HttpRequest:
        """The caller's own bytes, with only the fields changed that must be."""
        deployment = self.deployment
        quirks = deployment.quirks
        changes: dict[str, bytes | None] = {}
        if task.model != deployment.upstream_model:
            changes["model"] = self._upstream_model
        if task.stream and not task.wants_stream_usage and "no-stream-options" not in quirks:
            changes["stream_options"] = _STREAM_USAGE
        if quirks:
            changes.update(_quirky(task, quirks))
        body = openai_chat.with_fields(task.body, changes) if changes else task.body
        return HttpRequest(self._url, self._headers, body, deployment.timeouts.connect)

    def reply(self, body: bytes) -> _Reply:
        """A whole answer; raises `ServerFailed` if the body is not one."""
        return _Reply(body)

    def stream_reader(self, task: Task, *, keep: bool = False) -> _Stream:
        """A reader that forwards bytes and hides the usage that only we asked for."""
        return _Stream(hide_usage=not task.wants_stream_usage, keep=keep, adapter=self)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return classify(status, headers, body, secret=self.deployment.api_key)


def _quirky(task: Task, quirks: frozenset[str]) -> dict[str, bytes | None]:
    changes: dict[str, bytes | None] = {}
    if task.max_output_tokens is not None:
        limit = str(task.max_output_tokens).encode()
        if "max-tokens" in quirks:
            changes["max_tokens"] = limit
            changes["max_completion_tokens"] = None
        elif "max-completion-tokens" in quirks:
            changes["max_completion_tokens"] = limit
            changes["max_tokens"] = None
    if "no-stream-options" in quirks and task.wants_stream_usage:
        changes["stream_options"] = None
    return changes


class _Reply:
    __slots__ = ("body", "reported_model", "usage")

    def __init__(self, body: bytes) -> None:
        try:
            head = openai_chat.read_head(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ServerFailed(f"the answer cannot be read: {error}", status=200) from None
        if not head.choices:
            raise ServerFailed("the answer has no choices", status=200)
        self.body = body
        self.reported_model = head.model
        self.usage: Usage | None = head.usage.to_usage() if head.usage else None

    def completion(self) -> Completion:
        return openai_chat.read_completion(self.body)

    def rename(self, model: str) -> None:
        self.body = openai_chat.with_fields(self.body, {"model": openai_chat.json_string(model)})


class _Stream:
    __slots__ = (
        "_adapter",
        "_buffer",
        "_done",
        "_hide_usage",
        "_kept",
        "_name",
        "finished",
        "output_chars",
        "reported_model",
        "started",
        "usage",
    )

    def __init__(self, *, hide_usage: bool, keep: bool, adapter: OpenAICompatible) -> None:
        self._adapter = adapter
        self._buffer = sse.EventBuffer()
        self._hide_usage = hide_usage
        self._kept: list[openai_chat.Chunk] | None = [] if keep else None
        self._name: bytes | None = None
        self._done = False
        self.started = False
        self.finished = False
        self.reported_model: str | None = None
        self.usage: Usage | None = None
        self.output_chars = 0

    def feed(self, data: bytes) -> bytes:
        block = self._buffer.feed(data)
        if not block:
            return b""
        # An event carries about one token, which is about four characters.
        self.output_chars += 4 * block.count(b"data:")
        if not self.started or self._kept is not None or _NOTABLE.search(block):
            block = self._look(block)
        if self._name is not None and block:
            block = _MODEL.sub(self._name, block)
        return block

    def close(self) -> bytes:
        rest = self._buffer.rest
        out = b""
        if rest.strip():
            # Some servers leave out the blank line after the last event.
            self._buffer.rest = b""
            out = self._look(rest.rstrip(b"\r\n") + b"\n\n")
        if not self.finished and not self._done:
            raise StreamBroken("the stream ended in the middle of the answer")
        return out if self._done else out + b"data: [DONE]\n\n"

    def rename(self, model: str, block: bytes) -> bytes:
        name = openai_chat.json_string(model)
        self._name = b'"model":' + name.replace(b"\\", rb"\\")
        return _MODEL.sub(self._name, block)

    def completion(self) -> Completion:
        return openai_chat.join_chunks(self._kept or ())

    def _look(self, block: bytes) -> bytes:
        """Reads the notable events of a block; gives the block without those to be hidden."""
        hidden = False
        shown: list[bytes] = []
        for event in sse.events(block):
            keep = True
            if not self.started or self._kept is not None or _NOTABLE.search(event):
                keep = self._read(event)
            if keep:
                shown.append(event)
            else:
                hidden = True
        return b"".join(event + b"\n\n" for event in shown) if hidden else block

    def _read(self, event: bytes) -> bool:
        """Takes in one event; False if the client is not to see it."""
        data = sse.payload(event)
        if data is None:
            return True
        if data == b"[DONE]":
            self._done = True
            return True
        try:
            chunk = openai_chat.read_chunk(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ServerFailed(f"the stream cannot be read: {error}", status=200) from None
        if chunk.error is not None:
            status = 200
            raise self._adapter.error(status, {}, b'{"error":' + bytes(chunk.error) + b"}")
        self.started = True
        if self.reported_model is None:
            self.reported_model = chunk.model
        if self._kept is not None:
            self._kept.append(chunk)
        if any(choice.finish_reason for choice in chunk.choices):
            self.finished = True
        if chunk.usage is not None:
            self.usage = chunk.usage.to_usage()
            return bool(chunk.choices) or not self._hide_usage
        return True
