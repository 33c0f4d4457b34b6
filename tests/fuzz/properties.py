"""What must hold, whatever anybody sends. A case is one of these, with what it is told to spoil."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Any

import msgspec

from builders import a_deployment
from fuzz.inside import PROVIDERS, Answer, Inside, Response, answered
from fuzz.mutate import cuts, encoded, spoiled, spoiled_bytes, spoiled_value
from fuzz.seeds import (
    ANSWERS,
    CLIENTS,
    CLIENTS_ON_VERTEX,
    EMBEDDINGS,
    ERRORS,
    FEEDBACK,
    GOOGLE_EMBEDDINGS,
    STREAMS,
    VECTORS,
    event_of,
)
from tierwise.analysis import measure
from tierwise.errors import RequestError, TierwiseError, UpstreamError
from tierwise.providers import load_adapter
from tierwise.providers.embedding import load_embedding_adapter
from tierwise.providers.translating import speaking
from tierwise.types import Task
from tierwise.wire import embeddings, openai_chat, sse
from tierwise.wire.dialect import dialect_named, dialect_names
from tierwise.wire.features import unsupported
from tierwise.wire.translate import task_of

ADAPTERS = {
    name: load_adapter(name)(a_deployment(model, f"p-{name}", dialect=name, api_key="a-secret-key"))
    for name, model in PROVIDERS.items()
}
_EMBEDS = {
    name: load_embedding_adapter(name)(
        a_deployment("amazon.titan-embed-text-v2:0", f"p-{name}", dialect=name, api_key="secret")
    )
    for name in VECTORS
}
_PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/{model}:{method}",
}
_HEADERS = (
    *(b"x-tierwise-policy", b"x-tierwise-quality", b"x-tierwise-max-cost-usd"),
    *(b"x-tierwise-max-latency-s", b"x-tierwise-session", b"x-tierwise-priority"),
    *(b"x-tierwise-streams", b"x-tierwise-on-stream-break", b"x-tierwise-drop-unsupported"),
    *(b"idempotency-key", b"content-encoding", b"anthropic-version", b"anthropic-beta"),
    *(b"x-goog-api-key", b"x-tierwise-provider", b"accept", b"origin"),
)
_SAID = (
    *(b"auto", b"0.5", b"1e9", b"nan", b"true", b"high", b"held", b"fail", b"gzip", b"br"),
    *(b"identity", b"\xff\xfe", b"", b"x" * 5000, b"2023-06-01", b"m-chat", b"1" * 5000),
)
_GETS = (
    "/v1/models",
    "/v1/models/m-chat",
    "/v1/models?limit=2&after_id=auto",
    "/v1/models?limit=1&before_id=m-chat",
    "/v1beta/models?pageSize=2&pageToken=1",
    "/v1beta/models/auto",
    "/v1/decisions/d1",
    "/v1/certificate",
    "/v1/status",
    "/metrics",
    "/health/live",
    "/health/ready",
    "/openapi.json",
    "/v1/responses/resp_1",
    "/v1/responses/resp_1/input_items?limit=2&order=asc&after=x",
    "/v1/admin/reload",
    "/v1/admin/cache/clear",
    "/v1/admin/deployments/p-bedrock/m-nova/drain",
    "/v1/admin/deployments/p-bedrock/m-nova/restore",
    "/v1/embeddings",
)
_ON_VERTEX = "/v1/projects/p/locations/l/publishers/anthropic/models"
_POSTS = {
    "/v1/feedback": FEEDBACK,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/messages/count_tokens": CLIENTS["anthropic"],
    "/v1/responses/input_tokens": CLIENTS["openai-responses"],
    "/v1beta/models/auto:countTokens": CLIENTS["gemini"],
    "/v1beta/models/vec-gemini:batchEmbedContents": GOOGLE_EMBEDDINGS[:1],
    "/v1beta/models/vec-chat:embedContent": GOOGLE_EMBEDDINGS[1:],
    f"{_ON_VERTEX}/auto:rawPredict": CLIENTS_ON_VERTEX,
    f"{_ON_VERTEX}/auto:streamRawPredict": CLIENTS_ON_VERTEX,
    f"{_ON_VERTEX}/count-tokens:rawPredict": CLIENTS["anthropic"],
}
_METHODS = ("GET", "GET", "GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS")
_STATUSES = (300, 400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 503, 529, 999)
_WAITS = (
    *("1", "0.5", "-1", "nan", "1e400", "\xff", "9" * 5000, "1m3s"),
    "Wed, 21 Oct 2015 07:28:00 GMT",
)
_TOLD = (
    *("retry-after", "retry-after-ms", "x-ratelimit-reset-requests", "x-should-retry"),
    *("x-amzn-errortype", "anthropic-ratelimit-requests-reset"),
)

Property = Callable[[Random, Inside], Awaitable[None]]


async def a_request_is_read_or_refused(random: Random, inside: Inside) -> None:
    """By a dialect, for each that it may be told to a provider in."""
    name = random.choice(list(CLIENTS))
    body = spoiled(random.choice(CLIENTS[name]), random)
    dialect = dialect_named(name)
    try:
        asked = dialect.read_request(body)
    except RequestError as error:
        _refusal(name, error)
        return
    finally:
        if name == "openai-chat":
            _reads_chat(body)
    task = task_of(asked, body)
    measure(task)
    other = random.choice(dialect_names())
    unsupported(asked, other)
    _json(dialect_named(other).write_request(asked))
    _tell(random.choice(list(ADAPTERS)), task)


async def an_answer_is_read_or_fails(random: Random, inside: Inside) -> None:
    """Of a provider, whole, for a client of any dialect."""
    name = random.choice(list(ADAPTERS))
    task = _client(random, stream=False)
    adapter = speaking(ADAPTERS[name], task)
    body = spoiled(random.choice(ANSWERS[name]), random)
    try:
        reply = adapter.reply(body, task)
        reply.rename("another")
        _said(reply.completion())
        given = reply.body
    except UpstreamError:
        return
    if adapter is not ADAPTERS[name]:
        _json(given)


async def a_stream_is_read_or_fails(random: Random, inside: Inside) -> None:
    """Of a provider, cut anywhere, for a client of any dialect."""
    name = random.choice(list(ADAPTERS))
    task = _client(random, stream=True)
    adapter = speaking(ADAPTERS[name], task)
    stream = _spoiled_stream(name, random)
    reader = adapter.stream_reader(task, keep=random.random() < 0.5)
    given = b""
    try:
        for piece in cuts(stream, random):
            block = reader.feed(piece)
            if block and random.random() < 0.1:
                block = reader.rename("another", block)
            given += block
        given += reader.close()
    except UpstreamError:
        pass
    with suppress(UpstreamError):
        _said(reader.completion())
    if adapter is not ADAPTERS[name]:
        _events(given)


async def an_error_is_understood(random: Random, inside: Inside) -> None:
    """Of a provider, and can be told to a client of any dialect."""
    name = random.choice(list(ADAPTERS))
    task = _client(random, stream=False)
    status = random.choice(_STATUSES)
    headers = {random.choice(_TOLD): random.choice(_WAITS)}
    body = spoiled(random.choice(ERRORS), random)
    error = speaking(ADAPTERS[name], task).error(status, headers, body)
    assert isinstance(error, UpstreamError), error
    _rendered(task.reads, error)


async def embeddings_are_read_or_refused(random: Random, inside: Inside) -> None:
    """What is asked, and what is answered."""
    body = spoiled(random.choice(EMBEDDINGS), random)
    try:
        asked = embeddings.read_request(body)
    except RequestError as error:
        _refusal("openai-chat", error)
        asked = embeddings.read_request(encoded(EMBEDDINGS[0]))
    name = random.choice(list(_EMBEDS))
    try:
        for request in _EMBEDS[name].requests(asked)[:3]:
            _json(request.body or b"")
    except RequestError as error:
        _refusal("openai-chat", error)
    try:
        found = _EMBEDS[name].reply(spoiled(random.choice(VECTORS[name]), random), {}, asked)
        _json(embeddings.write_reply(embeddings.join([found], asked), asked, "m"))
    except UpstreamError:
        pass


async def a_client_is_answered(random: Random, inside: Inside) -> None:
    """Through the endpoint, whatever it sends and whatever the providers say."""
    inside.forget()
    well = random.random() < 0.5
    inside.upstream.says = answered if well else _unwell(random)
    name = random.choice(list(CLIENTS))
    value = random.choice(CLIENTS[name])
    body = spoiled(value, random) if well or random.random() < 0.5 else encoded(value)
    if random.random() < 0.3:
        at = body.rfind(b"}")
        body = body[:at] + b', "stream": true' + body[at:]
    method = random.choice(
        ("generateContent", "streamGenerateContent", "streamGenerateContent?alt=sse")
    )
    path = _PATHS[name].format(model=random.choice(["auto", *PROVIDERS.values()]), method=method)
    response = await inside.ask("POST", path, body, _spoiled_headers(random))
    _answered(name, response, inside, well=well)


async def any_call_is_answered(random: Random, inside: Inside) -> None:
    """Of every other endpoint."""
    inside.forget()
    inside.upstream.says = answered
    method, target, body = random.choice(_METHODS), random.choice(_GETS).encode(), b""
    if random.random() < 0.6:
        method, path = "POST", random.choice(list(_POSTS))
        target, body = path.encode(), spoiled(random.choice(_POSTS[path]), random)
    elif random.random() < 0.5:
        spoilt = spoiled_bytes(target[1:], random)[:3000]
        target = b"/" + spoilt.replace(b"\n", b"").replace(b" ", b"%20")
    response = await inside.ask(method, target, body, _spoiled_headers(random))
    assert response.status < 500, (response.status, response.body[:300])
    assert not inside.broke, inside.broke[0]
    kind = response.headers.get("content-type", "")
    if response.body and kind.startswith("application/json"):
        _json(response.body)
        assert response.status < 400 or b'"error"' in response.body


PROPERTIES: tuple[tuple[Property, int], ...] = (
    (a_request_is_read_or_refused, 35),
    (an_answer_is_read_or_fails, 10),
    (a_stream_is_read_or_fails, 20),
    (an_error_is_understood, 5),
    (embeddings_are_read_or_refused, 5),
    (a_client_is_answered, 20),
    (any_call_is_answered, 5),
)
"""With the share of the cases that each has, in percent."""


def _reads_chat(body: bytes) -> None:
    """The hot path has a reader of its own."""
    try:
        task = openai_chat.read_request(body)
    except RequestError as error:
        _refusal("openai-chat", error)
        return
    measure(task)


def _tell(adapter: str, task: Task) -> None:
    """The call at a provider that is not refused for what it cannot express."""
    try:
        request = speaking(ADAPTERS[adapter], task).request(task)
    except RequestError as error:
        _refusal(task.reads, error)
        return
    _json(request.body or b"")


def _client(random: Random, *, stream: bool) -> Task:
    """What a client asks whom answers are read for."""
    name = random.choice(list(CLIENTS))
    body = encoded(random.choice(CLIENTS[name]))
    task = task_of(dialect_named(name).read_request(body), body)
    return msgspec.structs.replace(task, stream=stream, wants_stream_usage=random.random() < 0.5)


def _spoiled_stream(adapter: str, random: Random) -> bytes:
    """A stream of a provider in which an event, or its bytes, are spoiled."""
    events = random.choice(STREAMS[adapter])
    blocks = [event_of(adapter, event) for event in events]
    way = random.random()
    if way < 0.3:
        return spoiled_bytes(b"".join(blocks), random)
    if way < 0.95:
        at = random.randrange(len(events))
        said = events[at]
        if adapter == "bedrock":  # the name of an event is its frame's
            (said,) = said.values()
        spoilt = spoiled_value(said, random) if random.random() < 0.7 else None
        data = spoiled(said, random) if spoilt is None else encoded(spoilt)
        blocks[at] = event_of(adapter, events[at], data)
        _shuffle(blocks, random)
    return b"".join(blocks)


def _shuffle(events: list[Any], random: Random) -> None:
    """Sometimes one event is missing, comes twice, or early."""
    if random.random() < 0.7:
        return
    at = random.randrange(len(events))
    event = events[at]
    if random.random() < 0.6:
        del events[at]
    if random.random() < 0.6:
        events.insert(random.randrange(len(events) + 1), event)


def _unwell(random: Random) -> Callable[..., Answer]:
    """Providers that say what they should not."""

    def says(adapter: str, *, streams: bool, embeds: bytes | None = None) -> Answer:
        status, headers, pieces = answered(adapter, streams=streams, embeds=embeds)
        if random.random() < 0.2:
            status = random.choice((400, 401, 404, 413, 429, 500, 529))
            return status, {"retry-after": "1"}, [spoiled(random.choice(ERRORS), random)]
        if embeds is not None:
            return status, headers, [spoiled_bytes(b"".join(pieces), random)]
        if streams:
            return status, headers, cuts(_spoiled_stream(adapter, random), random)
        return status, headers, [spoiled(random.choice(ANSWERS[adapter]), random)]

    return says


def _spoiled_headers(random: Random) -> list[tuple[bytes, bytes]]:
    if random.random() < 0.7:
        return []
    return [(random.choice(_HEADERS), random.choice(_SAID)) for _ in range(random.randint(1, 3))]


def _refusal(dialect: str, error: RequestError) -> None:
    assert 400 <= error.status < 500, (error.status, error)
    assert str(error), "says nothing"
    _rendered(dialect, error)


def _rendered(dialect: str, error: TierwiseError) -> None:
    """An error as its client sees it."""
    spoken = dialect_named(dialect)
    status, body, headers = spoken.error(error)
    assert 300 <= status < 1000, status
    _error_shape(dialect, body)
    assert all("\n" not in value for value in headers.values())
    _events(spoken.error_event(error))


def _answered(dialect: str, response: Response, inside: Inside, *, well: bool) -> None:
    assert not inside.broke, inside.broke[0]
    assert response.status != 500, response.body[:300]
    if well:
        assert response.status < 500, (response.status, response.body[:300])
    if response.status >= 400:
        assert response.headers["content-type"].startswith("application/json"), response.headers
        _error_shape(dialect, response.body)
        assert b"Traceback" not in response.body
        return
    if not well:
        return  # what a provider says in its client's own dialect is passed on as it is
    if "event-stream" in response.headers["content-type"]:
        _events(response.body)
    else:
        _json(response.body)


def _error_shape(dialect: str, body: bytes) -> None:
    said = _json(body)
    if dialect == "anthropic":
        assert said["type"] == "error", said
    error = said["error"]
    assert isinstance(error, dict), said
    assert error.get("message") is None or isinstance(error["message"], str), said


def _said(completion: Any) -> None:
    assert isinstance(completion.text, str)
    msgspec.json.encode(completion)


def _events(stream: bytes) -> None:
    """Whole events, each of which is JSON."""
    assert not stream or stream.endswith((b"\n\n", b"\r\n\r\n")), stream[-100:]
    for event in sse.events(stream):
        data = sse.payload(event)
        if data is not None and data != b"[DONE]":
            _json(data)


def _json(body: bytes) -> Any:
    """What it says; strictly UTF-8, and nothing that JSON has no word for."""
    # Python reads no integer of more than 4,300 digits as such; in JSON it is one all the same.
    return json.loads(body.decode(), parse_constant=_no_json, parse_int=float)


def _no_json(word: str) -> Any:
    raise AssertionError(f"{word} is no JSON")
