"""The Gemini API: `POST {base_url}/v1beta/models/{model}:generateContent`, keyed.

What callers send passes as it is, but for two things that models before Gemini 3 take differently:
how much to think is a budget there, not a level, and there are no signatures to be skipped. Later
models have some of the levels each; one that a model refuses, of callers of other dialects, becomes
the nearest that it has.
ai.google.dev/gemini-api/docs/thinking, ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tierwise.errors import UpstreamError
from tierwise.providers.account import Account
from tierwise.providers.gemini_answers import GeminiReply, GeminiStream
from tierwise.providers.http import HttpRequest
from tierwise.types import Deployment, Task
from tierwise.wire.gemini.budget import with_budget
from tierwise.wire.gemini.unsigned import without_unsigned

_VERSION = re.compile(r"/v\d+(?:alpha|beta)?\d*$")
_BEFORE_3 = re.compile(r"gemini-[12](?:\.|-|$)")
# "Thinking level MEDIUM is not supported for this model":
# https://github.com/egoist/chatwise-releases/issues/1206 (3 Pro),
# https://github.com/vellum-ai/vellum-assistant/pull/32687 (3.1 Pro),
# https://github.com/fishjar/kiss-translator/issues/1048 (3.7 Flash)
_LEVELS = (
    (re.compile(r"gemini-3(?:\.\d)?-"), b"XHIGH", b"HIGH"),
    (re.compile(r"gemini-3(?:\.\d)?-pro|gemini-3\.7-flash"), b"MINIMAL", b"LOW"),
    (re.compile(r"gemini-3-pro"), b"MEDIUM", b"HIGH"),
)
_LEVEL = b'"thinkingLevel":"%b"'
_COUNTED = b'{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}'


class Gemini:
    """Asks one deployment in Gemini's dialect."""

    speaks = "gemini"

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        model = deployment.upstream_model
        self._model = self._url_of(deployment.base_url.rstrip("/"), model)
        self._account = Account(deployment, lambda key: {"x-goog-api-key": key})
        self._levels = [
            (_LEVEL % refused, _LEVEL % nearest)
            for name, refused, nearest in _LEVELS
            if name.search(model)
        ]
        self._before_3 = _BEFORE_3.match(model.rpartition("/")[2]) is not None

    def _url_of(self, base: str, model: str) -> str:
        """Where the model is asked; tuned ones bring their folder with them."""
        if not _VERSION.search(base):
            base += "/v1beta"
        return f"{base}/{model if '/' in model else f'models/{model}'}"

    def request(self, task: Task) -> HttpRequest:
        """The caller's own bytes."""
        verb = ":streamGenerateContent?alt=sse" if task.stream else ":generateContent"
        body = self._understood(task.body) if self._before_3 else task.body
        for refused, nearest in self._levels:
            body = body.replace(refused, nearest)
        return self._call(verb, body)

    def sign_of_life(self) -> HttpRequest:
        """A count of tokens, which is free and needs the key and the model."""
        return self._call(":countTokens", _COUNTED)

    def _call(self, verb: str, body: bytes) -> HttpRequest:
        return self._account.call(self._model + verb, body)

    def reply(self, body: bytes, task: Task) -> GeminiReply:  # noqa: ARG002 - the protocol's
        """A whole answer; raises `ServerFailed` if the body is not one."""
        return GeminiReply(body, self)

    def stream_reader(self, task: Task, *, keep: bool = False) -> GeminiStream:  # noqa: ARG002
        """A reader that forwards the events as they are."""
        return GeminiStream(keep=keep, adapter=self)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return self._account.error(status, headers, body)

    def no_stream(self, body: bytes) -> UpstreamError:
        """What it means that something else came where a stream should have begun."""
        return self._account.no_stream(body)

    def _understood(self, body: bytes) -> bytes:
        """The body as models before Gemini 3 understand it."""
        body = without_unsigned(body)
        if b'"thinkingLevel"' in body or b'"thinking_level"' in body:
            body = with_budget(body)
        return body
