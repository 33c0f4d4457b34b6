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

from tierwise.errors import ServerFailed, UpstreamError
from tierwise.providers.errors import classify, redact
from tierwise.providers.gemini_answers import GeminiReply, GeminiStream
from tierwise.providers.http import HttpRequest
from tierwise.types import Deployment, Task
from tierwise.wire.gemini.asking import UNSIGNED
from tierwise.wire.gemini.budget import with_budget

_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)
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
_UNSIGNED = b',"thoughtSignature":"' + UNSIGNED.encode() + b'"'


class Gemini:
    """Asks one deployment in Gemini's dialect."""

    speaks = "gemini"

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        model = deployment.upstream_model
        self._model = self._url_of(deployment.base_url.rstrip("/"), model)
        self._headers = {"content-type": "application/json", **dict(deployment.headers)}
        if deployment.api_key:
            self._headers["x-goog-api-key"] = deployment.api_key
        found = [value for name, value in deployment.headers if _SECRET_HEADER.search(name)]
        self._secrets = (*found, *([deployment.api_key] if deployment.api_key else ()))
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
        connect = self.deployment.timeouts.connect
        return HttpRequest(self._model + verb, self._headers, body, connect)

    def reply(self, body: bytes, task: Task) -> GeminiReply:  # noqa: ARG002 - the protocol's
        """A whole answer; raises `ServerFailed` if the body is not one."""
        return GeminiReply(body, self)

    def stream_reader(self, task: Task, *, keep: bool = False) -> GeminiStream:  # noqa: ARG002
        """A reader that forwards the events as they are."""
        return GeminiStream(keep=keep, adapter=self)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a non-200 answer means, without the secrets it may quote."""
        return classify(status, headers, body, secrets=self._secrets)

    def no_stream(self, body: bytes) -> UpstreamError:
        """What it means that something else came where a stream should have begun."""
        if b'"error"' in body:
            return self.error(200, {}, body)
        begins = " ".join(redact(body[:1000].decode("utf-8", "replace"), self._secrets).split())
        return ServerFailed(f"the answer is not a stream but begins with {begins[:80]}", status=200)

    def _understood(self, body: bytes) -> bytes:
        """The body as models before Gemini 3 understand it."""
        if _UNSIGNED in body:
            body = body.replace(_UNSIGNED, b"")
        if b'"thinkingLevel"' in body or b'"thinking_level"' in body:
            body = with_budget(body)
        return body
