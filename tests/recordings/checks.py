"""Checks one recorded call: it is asked as it was, and every client reads what was answered."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from builders import a_deployment, a_task
from recordings.frames import frames
from recordings.gist import gist
from recordings.meaning import normal
from recordings.meant import by_bedrock, by_cohere
from recordings.recorded import Interaction
from recordings.said import Said, bedrock_frames, streamed, whole
from recordings.scope import Place, Scope, place_of
from recordings.wishes import answered, wishes
from tierwise.config.presets import PRESETS
from tierwise.errors import AllPathsFailed, TierwiseError, UpstreamError
from tierwise.providers import Adapter, StreamReader, Transport, load_adapter
from tierwise.providers.http import HttpRequest
from tierwise.providers.translating import speaking
from tierwise.types import Task
from tierwise.wire.conversation import Conversation
from tierwise.wire.dialect import dialect_named
from tierwise.wire.features import features_of, unsupported
from tierwise.wire.translate import task_of
from upstream import Reply, Upstream

CLIENTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
"""The dialects that clients speak."""
_MADE_UP = re.compile(
    rb'"(?:created|created_at|id|item_id|responseId|createTime)":\s*(?:\d+(?:\.\d+)?|"[^"]*")'
)
_PLAIN_ID = re.compile(r"[a-zA-Z0-9_-]+")
"""An id that everybody takes; there are some who get others in place of theirs."""
CUTS = 3
"""How often a stream is cut anew."""


class Check:
    """One call. `problems` are what was found wrong, in words."""

    def __init__(self, one: Interaction, scope: Scope, upstream: Upstream) -> None:
        self.problems: list[str] = []
        self._one = one
        self._scope = scope
        self._upstream = upstream
        self._place: Place = place_of(one, scope)
        self._asked = _in_dialect(one, scope, self._place)
        self._question: dict[str, Any] = json.loads(self._asked or b"{}")
        self._meant = self._as_meant()
        self._adapter = self._adapter_at(upstream.base_url.removesuffix("/v1"))

    async def run(self) -> None:
        """Finds out."""
        one, scope = self._one, self._scope
        self._writes_the_same()
        if scope.dialect in CLIENTS:
            await self._asks_the_same()
        expected = _expected(one, scope)
        for client in CLIENTS:
            task = self._task(client)
            if task is None:
                task = _plain_task(client, one.streamed)
            elif client != scope.dialect:
                self._says_the_same(client, task)
            await self._answers(client, task, expected)

    def _says(self, what: str) -> None:
        self.problems.append(what)

    def _adapter_at(self, root: str) -> Adapter:
        scope = self._scope
        quirks = PRESETS[scope.provider].quirks if scope.provider else frozenset[str]()
        deployment = a_deployment(
            self._place.model,
            scope.provider or "near",
            dialect=scope.adapter,
            base_url=root + self._place.root,
            upstream_model=self._place.model,
            quirks=quirks,
            api_key="key",
            region="us-east-1",
        )
        return load_adapter(scope.adapter)(deployment)

    def _task(self, client: str) -> Task | None:
        """The recorded request as a client of that dialect would send it; None if it cannot."""
        asked = self._meant
        if client == self._scope.dialect:
            body = self._asked
        elif unsupported(asked, client):
            return None
        else:
            if client == "anthropic" and asked.max_tokens is None:
                asked = replace(asked, max_tokens=4096)  # it asks for one
            body = dialect_named(client).write_request(asked)
        read = dialect_named(client).read_request(body)
        read = replace(read, model=asked.model, stream=asked.stream, stream_usage=asked.stream)
        betas = self._one.question().get("anthropic_beta", ()) if client == "anthropic" else ()
        return replace(task_of(read, body), betas=tuple(betas))

    def _as_meant(self) -> Conversation:
        """The recorded request in words of no dialect."""
        dialect, place, streamed = self._scope.dialect, self._place, self._one.streamed
        if dialect == "bedrock":
            return by_bedrock(place.model, self._question, stream=streamed)
        if dialect == "cohere":
            return by_cohere(place.model, self._question, stream=streamed)
        read = dialect_named(dialect).read_request(self._asked)
        stream = place.stream if place.stream is not None else read.stream
        return replace(read, model=place.model, stream=stream, stream_usage=stream)

    def _writes_the_same(self) -> None:
        """Through the middle, the request means what it meant."""
        dialect = self._scope.dialect
        if self._meant.foreign_tools and dialect not in CLIENTS:
            return  # a tool that the provider runs, and nobody could ask for
        body = dialect_named(dialect).write_request(self._meant)
        if dialect not in CLIENTS:
            asked = replace(task_of(self._meant, body), dialect=dialect)
            body = self._adapter.request(asked).body or b"{}"  # models there differ
        was, now = normal(dialect, self._question), normal(dialect, json.loads(body))
        for difference in _differences(was, now):
            self._says(f"written again, {difference}")

    async def _asks_the_same(self) -> None:
        """A client of the provider's own dialect has its request passed on as it is."""
        task = self._task(self._scope.dialect)
        assert task is not None
        call = self._adapter.request(task)
        was, now = self._one.question(), json.loads(call.body or b"{}")
        if self._scope.provider is not None:
            was, now = (normal(self._scope.dialect, body) for body in (was, now))
        for name in ("model", "stream_options"):
            was.pop(name, None)
            now.pop(name, None)
        for difference in _differences(was, now):
            self._says(f"passed on, {difference}")
        path = "/" + call.url.partition("://")[2].partition("/")[2].partition("?")[0]
        if path != self._one.path:
            self._says(f"it was asked at {path}")

    def _says_the_same(self, client: str, task: Task) -> None:
        """A client of another dialect has the same said to the provider."""
        if client == "openai-chat" and "tool_results_with_media" in features_of(self._meant):
            return  # they stand in a message of their own there
        call = speaking(self._adapter, task).request(task)
        was = gist(self._scope.dialect, self._question)
        now = gist(self._scope.dialect, call.body or b"{}")
        for difference in _differences(was, now):
            self._says(f"{client}: as asked by this client, {difference}")
        told = json.loads(call.body or b"{}")
        wished = {
            **wishes(self._scope.dialect, told),
            **wishes(self._scope.dialect, self._question),
        }
        for difference in _differences(wished, wishes(self._scope.dialect, told)):
            self._says(f"{client}: as wished by this client, {difference}")
        links = [answered(self._scope.dialect, one) for one in (self._question, told)]
        if links[0] != links[1]:
            self._says(f"{client}: the results are of the calls {links[1]}, not {links[0]}")

    async def _answers(self, client: str, task: Task, expected: Said | None) -> None:
        try:
            body = await self._answered(task)
        except UpstreamError as error:
            if expected is not None:
                self._says(f"{client}: {error.kind}: {error.message}")
            else:
                self._tells(client, error)
            return
        if expected is None:
            self._says(f"{client}: an error was read as an answer")
            return
        _compare(client, body, expected, self._one.streamed, self._says)

    async def _answered(self, task: Task) -> bytes:
        """What a client reads, of an answer that comes over HTTP and, in streams, in pieces."""
        one, adapter = self._one, speaking(self._adapter, task)
        self._upstream.script[:] = [Reply(one.status, one.answered, one.headers)]
        transport = Transport()
        try:
            reply = await transport.send(_unsigned(adapter.request(task)), 10)
        finally:
            await transport.close()
        if not 200 <= reply.status < 300:
            raise adapter.error(reply.status, reply.headers, reply.body)
        if not one.streamed:
            return adapter.reply(reply.body, task).body
        bodies = {
            _read(adapter.stream_reader(task, keep=True), pieces) for pieces in _cut(reply.body)
        }
        if len({_timeless(body) for body in bodies}) > 1:
            self._says(f"{task.reads}: cut elsewhere, the stream reads differently")
        return bodies.pop()

    def _tells(self, client: str, error: UpstreamError) -> None:
        """An error reaches the client in its own shape, with the provider's words."""
        failed: TierwiseError = error
        if error.status is None or error.status == 200 or error.status >= 500:
            failed = AllPathsFailed([f"near: {error.message}"])
        status, body, _ = dialect_named(client).error(failed)
        told = json.loads(body)
        if not 400 <= status < 600 or not isinstance(told.get("error"), dict):
            self._says(f"{client}: the error is told as {status} {body[:80]!r}")
        elif error.message[:40] not in told["error"].get("message", ""):
            self._says(f"{client}: the error does not say {error.message[:40]!r}")


def _in_dialect(one: Interaction, scope: Scope, place: Place) -> bytes:
    """What was asked, as a client of the dialect says it."""
    if scope.adapter != "bedrock_invoke":
        return one.asked
    ours = ("anthropic_version", "anthropic_beta")
    said = {name: value for name, value in one.question().items() if name not in ours}
    return json.dumps({**said, "model": place.model, "stream": place.stream}).encode()


def _expected(one: Interaction, scope: Scope) -> Said | None:
    """What the recorded answer says; None if it is an error."""
    if one.status >= 300 or not (one.streamed or one.answered.lstrip()[:1] == b"{"):
        return None
    if one.streamed and scope.dialect == "bedrock":
        told = frames(one.answered)
        broken = any(kind.lower().endswith(("exception", "error")) for kind, _ in told)
        return None if broken else bedrock_frames(told)
    answer = one.answered
    if one.streamed and scope.adapter == "bedrock_invoke":
        answer = b"".join(map(_event, frames(answer)))
    if _fails(answer) if one.streamed else _failed(json.loads(answer)):
        return None
    said = (streamed if one.streamed else whole)(scope.dialect, answer)
    return said if said.finish else None  # a stream without an end


def _event(frame: tuple[str, dict[str, Any]]) -> bytes:
    """What a frame of InvokeModel's is to Anthropic's clients: an event, or an error."""
    kind, payload = frame
    if kind == "chunk":
        data = base64.b64decode(payload["bytes"])
        return b"event: %b\ndata: %b\n\n" % (json.loads(data)["type"].encode(), data)
    return b'event: error\ndata: {"type":"error","error":{}}\n\n'


def _fails(stream: bytes) -> bool:
    """Whether a stream reports an error."""
    events = (line[5:].strip() for line in stream.split(b"\n") if line.startswith(b"data:"))
    return any(_failed(json.loads(event)) for event in events if event[:1] == b"{")


def _failed(said: dict[str, Any]) -> bool:
    """Whether an answer, or an event of one, reports an error in place of it."""
    response = said.get("response") or said
    return (
        bool(said.get("error"))
        or said.get("type") in ("error", "response.failed")
        or (isinstance(response, dict) and response.get("status") == "failed")
        or str(said.get("stopReason")).startswith("malformed_")  # Bedrock has kept it to itself
        or any(one.get("finish_reason") == "error" for one in said.get("choices") or ())
    )


def _plain_task(client: str, stream: bool) -> Task:
    """A question that any client can ask, for an answer that is read by it all the same."""
    asked = dialect_named("openai-chat").read_request(a_task("Hello", stream=stream).body)
    asked = replace(asked, stream_usage=stream, max_tokens=4096)
    body = dialect_named(client).write_request(asked)
    read = dialect_named(client).read_request(body)
    return task_of(replace(read, model="m", stream=stream, stream_usage=stream), body)


def _unsigned(call: HttpRequest) -> HttpRequest:
    """The call without credentials, which are nobody's here."""
    return replace(call, authorise=None)


def _cut(body: bytes) -> Iterator[list[bytes]]:
    """The bytes of a stream, whole and cut at random."""
    yield [body]
    chance = random.Random(len(body))
    for _ in range(CUTS):
        places = sorted(chance.sample(range(len(body)), min(len(body), 40)))
        yield [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]


def _read(reader: StreamReader, pieces: list[bytes]) -> bytes:
    out = b"".join(reader.feed(piece) for piece in pieces)
    return out + reader.close()


def _timeless(body: bytes) -> bytes:
    """A stream without what says when and by which name it was written."""
    return _MADE_UP.sub(b"", body)


def _compare(client: str, body: bytes, expected: Said, stream: bool, says: Any) -> None:
    try:
        read = (streamed if stream else whole)(client, body)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        says(f"{client}: cannot be read: {type(error).__name__}: {str(error)[:200]}")
        return
    for name in ("text", "calls", "finish", "usage"):
        was, now = getattr(expected, name), getattr(read, name)
        if was != now:
            says(f"{client}: {name} is {str(now)[:200]}, not {str(was)[:200]}")
    _compare_more(client, read, expected, says)


def _compare_more(client: str, read: Said, expected: Said, says: Any) -> None:
    """What not every dialect has to say: thoughts, what was cached, names of calls."""
    if client != "gemini" or read.thoughts:  # its clients are shown none that they did not ask for
        was, now = ("".join(one.thoughts.split()) for one in (expected, read))
        if was != now:
            says(f"{client}: thoughts are {now[:200]!r}, not {was[:200]!r}")
    if expected.usage is not None and read.cached != expected.cached:
        says(f"{client}: cached is {read.cached}, not {expected.cached}")
    if read.pages != expected.pages:
        says(f"{client}: cited are {read.pages}, not {expected.pages}")
    named = all(_PLAIN_ID.fullmatch(one) for one in expected.ids)
    if named and read.ids != expected.ids:
        says(f"{client}: ids are {read.ids}, not {expected.ids}")


def _differences(was: Any, now: Any, at: str = "") -> Iterator[str]:
    """Where two JSON values differ, in words."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in {**was, **now}:
            yield from _differences(was.get(name), now.get(name), f"{at}.{name}")
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for number, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from _differences(one, other, f"{at}[{number}]")
    elif was != now:
        yield f"{at or 'it'} is {str(now)[:160]!r}, not {str(was)[:160]!r}"
