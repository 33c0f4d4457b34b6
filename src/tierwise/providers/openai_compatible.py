"""The OpenAI-compatible family: one adapter, the known differences as data.

Serves OpenAI, Groq, Mistral, DeepSeek, Together, Fireworks, OpenRouter, xAI, vLLM, SGLang, Ollama,
llama.cpp and LM Studio by base URL. What sets a provider apart stands in its preset as quirks:

- `no-stream-options`: sends usage in every stream by itself, and may reject `stream_options`;
- `max-tokens`: knows `max_tokens` only;
- `max-completion-tokens`: knows `max_completion_tokens` only;
- `no-cache-marks`: refuses `cache_control` in messages, or is not known to bear it;
- `no-reasoning-object`: does not know OpenRouter's `reasoning`, and is told the nearest
  `reasoning_effort` instead;
- `usage-cost`: `usage.cost` is what it bills, in USD. From anybody else it is not believed;
- `prefill-continue`: goes on from the text of a last message by the assistant if
  `continue_final_message` says so;
- `prefill-prefix`: does so if that message says `prefix`;
- `thoughts-back`: wants to see again what its model thought before it called a tool;
- `output-dimension`: about embeddings, see `embedding_openai.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from tierwise.errors import ServerFailed, UpstreamError
from tierwise.providers.account import Account, bearer
from tierwise.providers.http import HttpRequest
from tierwise.providers.reading import EventStream, Said, unreadable_answer, unreadable_stream
from tierwise.types import Completion, Deployment, Task, Usage
from tierwise.wire import openai_chat, openai_logprobs, sse
from tierwise.wire.chat.given_back import with_thoughts
from tierwise.wire.chat.marks import without_cache_marks
from tierwise.wire.chat.refused import without, words_of
from tierwise.wire.chat.wish import word_for
from tierwise.wire.openai_usage import read_usage
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

_ASKING_LOGPROBS = {"logprobs": b"true", "top_logprobs": b"2"}
# vLLM takes only one of the two: docs.vllm.ai, "OpenAI-Compatible Server", extra parameters.
_CONTINUING = {"continue_final_message": b"true", "add_generation_prompt": b"false"}
_STREAM_USAGE = b'{"include_usage":true}'
# Marks the few events of a stream that need a look inside; all others pass as bytes. Quotes in
# text are escaped in JSON, so a model's words cannot look like one of these fields.
# Four searches, because one with alternatives cannot jump to its literal beginning and takes six
# times as long as all of these.
_NOTABLE = (
    re.compile(rb'"usage"\s*:\s*[^\sn]'),  # not null, which some send in every event
    re.compile(rb'"error"\s*:'),
    re.compile(rb'"finish_reason"\s*:\s*"'),
    re.compile(rb"\[DONE\]"),
)
_NOT_OF_EVERY_REQUEST = frozenset(
    {
        *("usage-cost", "no-cache-marks", "prefill-continue", "prefill-prefix"),
        *("output-dimension", "thoughts-back", "no-reasoning-object"),
    }
)
"""Quirks that change nothing in the requests of callers."""
_KNOWS_NEW_LIMIT = frozenset({"max-completion-tokens"})
_FAILED = "error"
"""The finish of an answer that is none, at Mistral and OpenRouter."""
_NO_ANSWER = "the answer ended with an error"
_SAID = Said("content", "reasoning_content", "reasoning", "refusal", "arguments")
_WISH = b'"reasoning"'
_GOODBYE = b"data: [DONE]\n\n"
_MODEL = re.compile(rb'"model"\s*:\s*"((?:[^"\\]|\\.)*)"')


class OpenAICompatible:
    """Asks one deployment in the dialect of `POST {base_url}/chat/completions`."""

    speaks = "openai-chat"

    def __init__(self, deployment: Deployment, *, asks_logprobs: bool = False) -> None:
        self.deployment = deployment
        self.asks_logprobs = asks_logprobs
        self._url, self._models_url = self._urls(deployment)
        self._account = Account(deployment, self._key)
        self._upstream_model = openai_chat.json_string(deployment.upstream_model)
        self._bears_marks = "no-cache-marks" not in deployment.quirks
        self._wants_thoughts = "thoughts-back" in deployment.quirks
        self._knows_effort_alone = "no-reasoning-object" in deployment.quirks
        self._bills_cost = "usage-cost" in deployment.quirks
        self._refused = words_of(deployment.lacks).fields
        self._asked_differently = deployment.quirks - _NOT_OF_EVERY_REQUEST

    def _urls(self, deployment: Deployment) -> tuple[str, str]:
        """Where it is asked for answers, and for its list of models."""
        base = deployment.base_url.rstrip("/")
        return f"{base}/chat/completions", f"{base}/models"

    def _key(self, key: str) -> dict[str, str]:
        """The header that shows the key."""
        return bearer(key)

    def request(self, task: Task) -> HttpRequest:
        """The caller's own bytes, with only the fields changed that must be."""
        deployment = self.deployment
        quirks = self._asked_differently
        asked = task.body if self._bears_marks else without_cache_marks(task.body)
        if self._wants_thoughts:
            asked = with_thoughts(asked)
        if self._refused and not self._refused.isdisjoint(openai_chat.field_names(asked)):
            asked = without(asked, deployment.lacks)
        if self._knows_effort_alone and _WISH in asked:
            asked = _with_effort(asked)
        changes: dict[str, bytes | None] = {}
        if task.model != deployment.upstream_model:
            changes["model"] = self._upstream_model
        if task.stream and not task.wants_stream_usage and "no-stream-options" not in quirks:
            changes["stream_options"] = _with_usage(task.body)
        if quirks:
            changes.update(_quirky(task, quirks))
        if self.asks_logprobs:
            changes.update(_ASKING_LOGPROBS)
        body = openai_chat.with_fields(asked, changes) if changes else asked
        return self._call(self._url, body)

    def sign_of_life(self) -> HttpRequest:
        """Its list of models, which is free everywhere and asks for the key where there is one."""
        return self._call(self._models_url, None)

    def _call(self, url: str, body: bytes | None) -> HttpRequest:
        return self._account.call(url, body)

    def asking_logprobs(self) -> OpenAICompatible:
        """For callers who did not ask for log-probabilities and are not to see them."""
        return type(self)(self.deployment, asks_logprobs="logprobs" not in self.deployment.lacks)

    def prefilled(self, task: Task, said: str) -> Task | None:
        """The task with the beginning of its answer, by the quirks; None without one."""
        quirks = self.deployment.quirks
        message = {"role": "assistant", "content": said}
        if "prefill-continue" in quirks:
            body = openai_chat.with_messages(task.body, [message])
            return replace(task, body=openai_chat.with_fields(body, _CONTINUING))
        if "prefill-prefix" in quirks:
            body = openai_chat.with_messages(task.body, [{**message, "prefix": True}])
            return replace(task, body=body)
        return None

    def reply(self, body: bytes, task: Task) -> _Reply:  # noqa: ARG002 - the protocol's
        """A whole answer; raises `ServerFailed` if the body is not one."""
        return _Reply(body, self)

    def stream_reader(self, task: Task, *, keep: bool = False) -> _Stream:
        """A reader that forwards bytes and hides the usage that only we asked for."""
        return _Stream(hide_usage=not task.wants_stream_usage, keep=keep, adapter=self)

    def usage(self, raw: msgspec.Raw) -> Usage | None:
        """What a field `usage` says, as far as it can be believed."""
        return read_usage(raw, with_cost=self._bills_cost)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        if self.asks_logprobs and 400 <= status < 500 and b"logprob" in body.lower():
            # Some say 403, which would otherwise take the deployment out of service.
            status = 400
        return self._account.error(status, headers, body)

    def no_stream(self, body: bytes) -> UpstreamError:
        """What it means that something else came where a stream should have begun."""
        return self._account.no_stream(body)


def _with_effort(body: bytes) -> bytes:
    """The body with a word for how much to think, if it has OpenRouter's object for that."""
    wish = openai_chat.field_of(body, "reasoning")
    if wish is None:
        return body
    changes: dict[str, bytes | None] = {"reasoning": None}
    word = word_for(wish)
    if word is not None and openai_chat.field_of(body, "reasoning_effort") is None:
        changes["reasoning_effort"] = openai_chat.json_string(word)
    return openai_chat.with_fields(body, changes)


def _with_usage(body: bytes) -> bytes:
    """The caller's stream options with usage asked for."""
    options = openai_chat.field_of(body, "stream_options")
    if options is None:
        return _STREAM_USAGE
    return openai_chat.with_fields(options, {"include_usage": b"true"})


def _quirky(task: Task, quirks: frozenset[str]) -> dict[str, bytes | None]:
    """What a provider's peculiarities change.

    Only fields that the body has are touched, so that one without them keeps its bytes.
    """
    changes: dict[str, bytes | None] = {}
    limit = None if task.max_output_tokens is None else b"%d" % task.max_output_tokens
    if limit is None and quirks == _KNOWS_NEW_LIMIT:
        return changes  # the commonest case needs no look at the body
    given = openai_chat.field_names(task.body)
    if "max-tokens" in quirks and "max_completion_tokens" in given:
        changes["max_completion_tokens"] = None
        if limit is not None:
            changes["max_tokens"] = limit
    elif "max-completion-tokens" in quirks and "max_tokens" in given:
        changes["max_tokens"] = None
        if limit is not None:
            changes["max_completion_tokens"] = limit
    if "no-stream-options" in quirks and "stream_options" in given:
        changes["stream_options"] = None
    return changes


class _Reply:
    __slots__ = ("_whole", "body", "reported_model", "usage")

    def __init__(self, body: bytes, adapter: OpenAICompatible) -> None:
        try:
            check_text(body)
            head = openai_chat.read_head(body)
        except UNREADABLE as error:
            if b'"error"' in body:
                # OpenRouter, among others, reports what befell it behind a 200.
                raise adapter.error(200, {}, body) from None
            raise unreadable_answer(error) from None
        if not head.choices:
            raise ServerFailed("the answer has no choices", status=200)
        first = head.choices[0]
        if openai_chat.given(first.error):
            raise adapter.error(200, {}, b'{"error":' + bytes(first.error) + b"}")
        if first.finish_reason == _FAILED:
            raise ServerFailed(_NO_ANSWER, status=200)
        self._whole = body
        self.body = openai_logprobs.without_logprobs(body) if adapter.asks_logprobs else body
        self.reported_model = head.model
        self.usage = adapter.usage(head.usage)

    def completion(self) -> Completion:
        try:
            return openai_chat.read_completion(self._whole)
        except UNREADABLE as error:
            raise unreadable_answer(error) from None

    def rename(self, model: str) -> None:
        self.body = openai_chat.with_fields(self.body, {"model": openai_chat.json_string(model)})


class _Stream(EventStream):
    __slots__ = ("_adapter", "_hide_usage", "_kept", "_name", "usage")
    goodbye = _GOODBYE

    def __init__(self, *, hide_usage: bool, keep: bool, adapter: OpenAICompatible) -> None:
        super().__init__(adapter.no_stream)
        self._adapter = adapter
        self._hide_usage = hide_usage
        self._kept: list[openai_chat.Chunk] | None = [] if keep else None
        self._name: bytes | None = None
        self.usage: Usage | None = None

    def _take(self, block: bytes) -> bytes:
        events = block.count(b"data:")
        self.output_chars += _SAID.chars(block, events)
        if events != block.count(b"}\n\n") + block.endswith(_GOODBYE):
            self._check(block)
        block = self._look(block)
        if self._adapter.asks_logprobs:
            block = openai_logprobs.hide_in_events(block)
        if self._name is not None and block:
            block = _MODEL.sub(self._name, block)
        return block

    def rename(self, model: str, block: bytes) -> bytes:
        name = openai_chat.json_string(model)
        self._name = b'"model":' + name.replace(b"\\", rb"\\")
        return _MODEL.sub(self._name, block)

    def completion(self) -> Completion:
        return openai_chat.join_chunks(self._kept or ())

    def _look(self, block: bytes) -> bytes:
        """Reads the events that need it; gives the block without those to be hidden."""
        shown: list[bytes] = []
        passed = 0
        for begin, end in self._to_read(block):
            if not self._read(block[begin:end]):
                shown.append(block[passed:begin])
                passed = end
        return b"".join(shown) + block[passed:] if passed else block

    def _to_read(self, block: bytes) -> Iterator[tuple[int, int]]:
        """Where the events begin and end that need a look inside."""
        place = 0
        while place < len(block) and (not self.started or self._kept is not None):
            span = sse.event_around(block, place)
            yield span
            place = span[1]
        yield from sse.events_with(block, _NOTABLE, place)

    def _read(self, event: bytes) -> bool:
        """Takes in one event; False if the client is not to see it."""
        data = sse.payload(event)
        if data is None:
            self._stray(event)
            return True
        if data == b"[DONE]":
            self._done = True
            return True
        try:
            chunk = openai_chat.read_chunk(data)
        except UNREADABLE as error:
            raise unreadable_stream(error) from None
        if openai_chat.given(chunk.error):
            raise self._adapter.error(200, {}, b'{"error":' + bytes(chunk.error) + b"}")
        self.started = True
        if not self.reported_model:
            self.reported_model = chunk.model
        if self._kept is not None:
            self._kept.append(chunk)
        for choice in chunk.choices or ():
            if choice.finish_reason == _FAILED:
                raise ServerFailed(_NO_ANSWER, status=200)
            if choice.finish_reason:
                self.finished = True
        if openai_chat.given(chunk.usage):
            self.usage = self._adapter.usage(chunk.usage)
            return bool(chunk.choices) or not self._hide_usage
        return True
