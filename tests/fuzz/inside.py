"""The gateway called as ASGI calls it, in front of providers that are played in this process.

Nothing goes through a socket, so that thousands of requests take seconds.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from fuzz.seeds import ANSWERS, STREAMS, VECTORS, stream_of
from tierwise.config import from_mapping
from tierwise.orchestrator import Orchestrator
from tierwise.providers.connections import Connections
from tierwise.server.app import Gateway
from tierwise.state.health import DeploymentState
from tierwise.state.kept_responses import InProcess

KEY = "client-key-1"
PROVIDERS = {
    "openai_compatible": "m-chat",
    "mistral": "m-mistral",
    "anthropic": "m-claude",
    "openai_responses": "m-responses",
    "gemini": "m-gemini",
    "cohere": "m-cohere",
    "bedrock": "m-nova",
}
"""The model of each adapter."""

_CAPABILITIES = [
    *("tools", "json_schema", "json_mode", "vision", "audio", "documents", "logprobs"),
]
Answer = tuple[int, Mapping[str, str], Sequence[bytes]]
"""Status, headers, and the body as it comes."""


def answered(adapter: str, *, streams: bool, embeds: bytes | None = None) -> Answer:
    """What a provider says that is well; `embeds` is what it is asked to embed."""
    if embeds is not None:
        return 200, {}, [json.dumps(_vectors(adapter, json.loads(embeds))).encode()]
    if streams:
        return 200, {"content-type": "text/event-stream"}, [stream_of(adapter, STREAMS[adapter][0])]
    return 200, {}, [json.dumps(ANSWERS[adapter][0]).encode()]


class Played(Connections):
    """In place of connections: `says` is told the adapter's name, and what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.says: Callable[..., Answer] = answered

    async def open(self, url: str, _: Mapping[str, str], body: bytes | None, *__: Any) -> Any:
        adapter = url.partition("://")[2].partition(".")[0].replace("-", "_")
        embeds = "embed" in url.lower() or url.endswith("/invoke")
        streams = "stream" in url or (
            adapter != "gemini" and body is not None and b'"stream":' in body and _streams(body)
        )
        asked = (body or b"") if embeds else None
        return _Stream(*self.says(adapter, streams=streams, embeds=asked))


class _Stream:
    def __init__(self, status: int, headers: Mapping[str, str], pieces: Sequence[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._pieces = list(pieces)[::-1]

    def ready(self) -> bytes | None:
        return self._pieces.pop() if self._pieces else b""

    async def read(self, timeout_s: float | None = None) -> bytes:  # noqa: ARG002
        return self.ready() or b""

    async def read_all(self, limit: int = 1 << 20, timeout_s: float = 5.0) -> bytes:  # noqa: ARG002
        return b"".join(self._pieces[::-1])

    def close(self) -> None:
        self._pieces.clear()


class Response:
    """What the client got."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Inside:
    """One gateway. Start it in a running event loop, and close it there."""

    def __init__(self, **sections: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tierwise-fuzz-")
        config = from_mapping(configured(Path(self._folder.name), sections), {})
        self.orchestrator = Orchestrator.from_config(config)
        self.upstream = Played()
        self.orchestrator._transport._connections = self.upstream
        self.gateway = Gateway(self.orchestrator, config)
        self.broke: list[str] = []
        self._handler = _Broken(self.broke)

    def start(self) -> None:
        """Lets requests in."""
        self.orchestrator.start()
        self.gateway._lasting.state = "ready"
        logger = logging.getLogger("tierwise")
        logger.addHandler(self._handler)
        logger.propagate = False

    async def close(self) -> None:
        """Ends it, and forgets what it wrote."""
        logger = logging.getLogger("tierwise")
        logger.removeHandler(self._handler)
        logger.propagate = True
        await self.orchestrator.close()
        self._folder.cleanup()

    def forget(self) -> None:
        """All deployments are well again, and nothing broke."""
        states = self.orchestrator.health.states
        states.update({name: DeploymentState() for name in states})
        # Answers that are kept on purpose, up to a bound, would look like a leak.
        self.gateway._lasting.once._kept.clear()
        kept = self.orchestrator.kept_responses
        assert isinstance(kept, InProcess)
        kept.__init__()  # type: ignore[misc]
        self.broke.clear()

    async def ask(
        self,
        method: str,
        target: str | bytes,
        body: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
        key: str | None = KEY,
    ) -> Response:
        """One request. A path of bytes is as it stands in the request's line."""
        raw = quote(target, safe="/:?=&%-._~*").encode() if isinstance(target, str) else target
        path, _, query = raw.partition(b"?")
        sent = [(b"host", b"tierwise"), (b"content-type", b"application/json"), *headers]
        if key is not None:
            sent.append((b"authorization", b"Bearer " + key.encode()))
        if body:
            sent.append((b"content-length", b"%d" % len(body)))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": sent,
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 4100),
        }
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])
        got: list[Any] = []

        async def receive() -> Any:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            got.append(message)

        await self.gateway(scope, receive, send)
        return _response(got)


class _Broken(logging.Handler):
    """Keeps what the gateway says that it did not foresee."""

    def __init__(self, broke: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._broke = broke

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._broke.append(logging.Formatter().format(record))


def _vectors(adapter: str, asked: dict[str, Any]) -> dict[str, Any]:
    """As many of them as are asked for."""
    answer = json.loads(json.dumps(VECTORS[adapter][0]))
    match adapter:
        case "openai_compatible":
            given = asked["input"]
            count = (
                len(given) if isinstance(given, list) and isinstance(given[0], str | list) else 1
            )
            answer["data"] = [{**answer["data"][0], "index": i} for i in range(count)]
        case "gemini":
            answer["embeddings"] = answer["embeddings"][:1] * len(asked["requests"])
        case "cohere":
            answer["embeddings"]["float"] *= len(asked["texts"])
        case _:
            pass
    return answer


class _Asked(msgspec.Struct):
    stream: bool | None = None


def _streams(body: bytes) -> bool:
    """Read as providers would, without a look at what is spoiled elsewhere in the body."""
    try:
        return msgspec.json.decode(body, type=_Asked).stream is True
    except (msgspec.MsgspecError, RecursionError):
        return False


def _response(got: list[Any]) -> Response:
    assert got, "nothing was answered"
    start, *rest = got
    assert start["type"] == "http.response.start"
    for name, value in start["headers"]:
        assert name == name.lower(), name
        assert b"\n" not in value, (name, value)
        assert b"\r" not in value, (name, value)
        value.decode("latin-1")
    assert rest, "no body was sent"
    assert not rest[-1].get("more_body", False), "the body has no end"
    assert all(one.get("more_body") for one in rest[:-1]), "the body goes on after its end"
    headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    body = b"".join(one.get("body", b"") for one in rest)
    if "content-length" in headers:
        assert int(headers["content-length"]) == len(body), headers
    return Response(start["status"], headers, body)


def configured(folder: Path, sections: Mapping[str, Any]) -> dict[str, Any]:
    """A model at each provider that there is, and one of embeddings where it has such."""
    providers: dict[str, Any] = {}
    models: dict[str, Any] = {}
    for adapter, model in PROVIDERS.items():
        provider = providers[f"p-{adapter}"] = {
            "dialect": adapter,
            "base_url": f"http://{adapter.replace('_', '-')}.test/v1",
            "api_key": "upstream-secret",
            "models": [model],
        }
        if adapter == "bedrock":
            provider["models"] = [{"model": model, "upstream": "amazon.nova-pro-v1:0"}]
        models[model] = {
            "prices": {"input": 1, "output": 2},
            "quality": 0.8,
            "capabilities": [
                "tools",
                "json_schema",
                "json_mode",
                "vision",
                "audio",
                "documents",
                "logprobs",
            ],
        }
        if adapter in VECTORS:
            name = "vec-" + {"openai_compatible": "chat"}.get(adapter, adapter)
            upstream = "amazon.titan-embed-text-v2:0" if adapter == "bedrock" else name
            provider["embeddings"] = [{"model": name, "upstream": upstream}]
            models[name] = {"prices": {"input": 1, "output": 0}}
    data: dict[str, Any] = {
        "providers": providers,
        "models": models,
        "policies": {
            "auto": {"wait_s": 0, "drop_unsupported": True},
            "economy": {"wait_s": 0, "tiers": [{"model": "m-claude"}, {"model": "m-chat"}]},
        },
        "router": {"artifact": "none"},
        "ledger": {"path": str(folder / "ledger.db"), "store_content": True},
        "server": {"grace_s": 1, "api_keys": [KEY], "max_body_mb": 1},
    }
    for name, section in sections.items():
        data[name] = {**data.get(name, {}), **section}
    return data
