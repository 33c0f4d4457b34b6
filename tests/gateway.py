"""Runs what the tests of the gateway need: a provider that does as it is told, and the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from aiohttp import web

from tierwise.config import from_mapping
from tierwise.orchestrator import Orchestrator
from tierwise.server.app import Gateway
from tierwise.server.run import options
from tierwise.state.health import DeploymentState

KEY = "client-key-1"
UPSTREAM_KEY = "upstream-secret-key"
PATIENCE_S = 30.0
"""How long a test waits for something that should come at once, before it fails."""

Body = dict[str, Any]
Act = Callable[[web.Request, Body], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """One request that reached the provider."""

    body: Body
    headers: Mapping[str, str]

    @property
    def said(self) -> list[tuple[str, str]]:
        """Roles and texts of its messages."""
        found = []
        for message in self.body["messages"]:
            content = message["content"]
            if not isinstance(content, str):
                content = "".join(part["text"] for part in content)
            found.append((message["role"], content))
        return found


@dataclass
class Provider:
    """An OpenAI-shaped provider on a port of its own, in a thread of its own.

    `acts` says what each model does; any other echoes the last message. `gone` is set when a
    client has left a call before its end; `arrived` when a call has come; `release` lets those
    go on that wait for it. Only if it `shows_life` does it list its models.
    """

    acts: dict[str, Act] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    shows_life: bool = False

    def reset(self) -> None:
        """Forgets all that was and all that it was told."""
        self.release.set()
        self.shows_life = False
        self.acts.clear()
        self.seen.clear()
        for event in (self.arrived, self.gone, self.release):
            event.clear()

    def __enter__(self) -> Provider:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._on_loop(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._on_loop(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)

    def _on_loop(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _start(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"data": []}, status=200 if self.shows_life else 404)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen.append(Seen(body, dict(request.headers)))
        self.arrived.set()
        try:
            return await self.acts.get(body["model"], says())(request, body)
        except (asyncio.CancelledError, ConnectionResetError):
            self.gone.set()
            raise


def says(
    text: str | None = None,
    *,
    tool: tuple[str, str] | None = None,
    tokens: tuple[int, int] = (10, 5),
    reported: str | None = None,
    finish: str | None = None,
) -> Act:
    """Answers with a text (that of the last message, unless given) or a call of a tool."""

    async def act(request: web.Request, body: Body) -> web.StreamResponse:
        said = str(body["messages"][-1]["content"]) if text is None else text
        model = reported or body["model"]
        if body.get("stream"):
            return await stream(request, chunks_of(body, said, tool, tokens, model, finish))
        message: Body = {"role": "assistant", "content": said}
        if tool is not None:
            call = {"name": tool[0], "arguments": tool[1]}
            message = {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
            }
        choice: Body = {
            "index": 0,
            "message": message,
            "finish_reason": finish or ("tool_calls" if tool else "stop"),
        }
        if body.get("logprobs"):
            entry = {"token": said, "logprob": -0.25, "bytes": None, "top_logprobs": []}
            choice["logprobs"] = {"content": [entry], "refusal": None}
        answer = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{**choice, "index": i} for i in range(body.get("n") or 1)],
            "usage": usage(tokens),
        }
        return web.json_response(answer)

    return act


def usage(tokens: tuple[int, int]) -> Body:
    """A usage block."""
    return {
        "prompt_tokens": tokens[0],
        "completion_tokens": tokens[1],
        "total_tokens": sum(tokens),
    }


async def chunks_of(
    body: Body,
    text: str,
    tool: tuple[str, str] | None,
    tokens: tuple[int, int],
    model: str,
    finish: str | None,
) -> AsyncIterator[Body | str]:
    """The events of a stream: the role, the words or the tool's arguments in pieces, the end."""
    yield chunk(model, {"role": "assistant", "content": "" if tool is None else None})
    if tool is not None:
        name, arguments = tool
        head = {"name": name, "arguments": ""}
        call = {"index": 0, "id": "call_1", "type": "function", "function": head}
        yield chunk(model, {"tool_calls": [call]})
        for at in range(0, len(arguments), 7):
            piece = {"index": 0, "function": {"arguments": arguments[at : at + 7]}}
            yield chunk(model, {"tool_calls": [piece]})
    else:
        for word in re.findall(r"\S+\s*|\s+", text):
            yield chunk(model, {"content": word})
    yield chunk(model, {}, finish or ("stop" if tool is None else "tool_calls"))
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**chunk(model, {}), "choices": [], "usage": usage(tokens)}
    yield "[DONE]"


def chunk(model: str, delta: Body, finish: str | None = None) -> Body:
    """One streamed event."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


async def stream(request: web.Request, events: AsyncIterator[Body | str]) -> web.StreamResponse:
    """Sends events one by one."""
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    async for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        await response.write(f"data: {data}\n\n".encode())
    await response.write_eof()
    return response


def fails(status: int, error: Body | str, headers: Mapping[str, str] | None = None) -> Act:
    """Refuses with this status and error."""

    async def act(_: web.Request, __: Body) -> web.StreamResponse:
        if isinstance(error, str):
            return web.Response(status=status, text=error, headers=headers)
        return web.json_response({"error": error}, status=status, headers=headers)

    return act


def hangs() -> Act:
    """Never answers."""

    async def act(_: web.Request, __: Body) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return act


def pauses(
    provider: Provider, before: str = "one ", after: str = "two", *, cut: bool = False
) -> Act:
    """Connections a word, waits until the test releases it, and streams another or breaks off."""

    async def events(model: str) -> AsyncIterator[Body | str]:
        yield chunk(model, {"role": "assistant", "content": before})
        await asyncio.to_thread(provider.release.wait, PATIENCE_S)
        yield chunk(model, {"content": after})
        if not cut:
            yield chunk(model, {}, "stop")
            yield "[DONE]"

    async def act(request: web.Request, body: Body) -> web.StreamResponse:
        if body.get("stream"):
            return await stream(request, events(body["model"]))
        await asyncio.to_thread(provider.release.wait, PATIENCE_S)
        return await says(before + after)(request, body)

    return act


def config_for(url: str, **sections: Any) -> Body:
    """Two models at one provider: `small` at 1 and 2 USD per million tokens, `large` at 10 and 20.

    The policy `stepwise` asks `small`, checks its answer, and escalates to `large`. Neither it nor
    `auto` waits for a path to come back.
    """
    everything = ["tools", "json_schema", "json_mode", "vision", "logprobs"]
    data: Body = {
        "providers": {
            "alpha": {
                "preset": "openai_compatible",
                "base_url": url,
                "api_key": UPSTREAM_KEY,
                "models": ["small", "large"],
            }
        },
        "models": {
            "small": {
                "prices": {"input": 1, "output": 2},
                "quality": 0.6,
                "capabilities": everything,
            },
            "large": {
                "prices": {"input": 10, "output": 20},
                "quality": 0.9,
                "capabilities": everything,
            },
        },
        "policies": {
            "auto": {"wait_s": 0},
            "stepwise": {"tiers": [{"model": "small"}, {"model": "large"}], "wait_s": 0},
            "hasty": {"tiers": [{"model": "small"}], "deadline_s": 0.3},
        },
        "ledger": {"path": ":memory:"},
        "server": {"grace_s": 1},
    }
    for name, section in sections.items():
        data[name] = {**data.get(name, {}), **section}
    return data


class RunningGateway:
    """The gateway on a free port, under uvicorn in a thread of this process."""

    def __init__(self, data: Body) -> None:
        config = from_mapping(data, {})
        self.orchestrator = Orchestrator.from_config(config)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"http://{self.host}"
        self.application = Gateway(self.orchestrator, config)
        self._server = uvicorn.Server(uvicorn.Config(self.application, **options(config)))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._seen = 0

    def __enter__(self) -> RunningGateway:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)

    def forget(self) -> None:
        """All deployments are well again, and no record was seen yet."""
        self.settle()
        self._seen = self.orchestrator.ledger.written
        states = self.orchestrator.health.states
        states.update({name: DeploymentState() for name in states})

    def settle(self) -> None:
        """Waits until the ledger has all that was recorded."""
        assert self.orchestrator.ledger.flush(PATIENCE_S)

    def last_record(self) -> Any:
        """What the ledger keeps of the latest request; waits for one since `forget`."""
        ledger = self.orchestrator.ledger
        until(lambda: ledger.flush(PATIENCE_S) and ledger.written > self._seen, "a record")
        return next(self.orchestrator.ledger.recent(1))


@dataclass
class Reply:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Body:
        """The error in OpenAI's shape; fails if there is none."""
        error: Body = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error


def call(
    url: str,
    method: str,
    path: str,
    body: Body | bytes | Iterable[bytes] | None = None,
    *,
    key: str | None = KEY,
    headers: Mapping[str, str | bytes] | None = None,
) -> Reply:
    """One HTTP request to the gateway; an iterable body goes out in chunks."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
    sent: dict[str, Any] = {"content-type": "application/json", **(headers or {})}
    if key is not None:
        sent["authorization"] = f"Bearer {key}"
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    with contextlib.closing(connection):
        connection.request(method, path, body=data, headers=sent)
        answer = connection.getresponse()
        lower = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, lower, answer.read())


def chat(url: str, model: str = "small", *, text: str = "Hello", **rest: Any) -> Reply:
    """One chat with the gateway: fields of the body, or `key` and `headers` for `call`."""
    options = {name: rest.pop(name) for name in ("key", "headers") if name in rest}
    body = {"model": model, "messages": [{"role": "user", "content": text}], **rest}
    return call(url, "POST", "/v1/chat/completions", body, **options)


def until(holds: Callable[[], object], what: str) -> None:
    """Waits for something that only shows from outside, such as a new process's open port."""
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up, f"in vain: {what}"
        threading.Event().wait(0.02)


def write_config(path: Path, data: Body) -> Path:
    """The configuration as a file."""
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without anything that Tierwise would act on."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TIERWISE", "PROMETHEUS"))
        and not name.endswith(("_API_KEY", "_proxy", "_PROXY"))
    }
    return {**kept, "COLUMNS": "80", **more}


def tierwise(*args: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tierwise", *args],
        cwd=cwd,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


class GatewayProcess:
    """`tierwise serve` in a process of its own. `stderr` is all that it has said so far."""

    def __init__(self, *args: str, cwd: Path, **environment: str) -> None:
        self._log = cwd / "stderr.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tierwise", "serve", "--port", "0", *args],
                cwd=cwd,
                env=clean_environment(**environment),
                stdout=log,
                stderr=log,
            )

    @property
    def stderr(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def url(self) -> str:
        """Where it listens; waits until it says so."""
        until(lambda: _ADDRESS.search(self.stderr) or self.process.poll() is not None, "its URL")
        found = _ADDRESS.search(self.stderr)
        assert found, self.stderr
        return found[0]

    def end(self, number: int) -> int:
        """Sends a signal and waits for the end; gives the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def __enter__(self) -> GatewayProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)


_ADDRESS = re.compile(r"(?<=^tierwise: )https?://[\d.]+:\d+(?=/v1\b)", re.MULTILINE)
