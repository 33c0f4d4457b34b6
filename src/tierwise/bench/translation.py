"""What translation alone takes, for clients of each dialect before providers of each.

No gateway and no network: a request is read and put into the provider's words, and what the
provider answers is put into the client's, by the adapters that do it in the gateway. Of many runs
the quickest counts: whoever else uses the machine can only make it slower.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from tierwise import __version__
from tierwise.bench.process import cpu_model
from tierwise.bench.scripts import ADAPTERS, CLIENTS, bedrock_script, model_of, question, script
from tierwise.providers.base import Adapter, load_adapter
from tierwise.providers.translating import speaking
from tierwise.types import Deployment, Prices, Task
from tierwise.wire.openai_chat import read_request
from tierwise.wire.translate import CHAT, read_task

PROVIDERS = {**ADAPTERS, "bedrock": "bedrock"}
"""The dialects of providers, and what asks in them."""


class Options(Struct, frozen=True):
    """How much is measured: of each pair so many runs of so many requests and streams each."""

    runs: int = 20
    requests: int = 100
    streams: int = 10

    @property
    def steps(self) -> int:
        """How often `run` says what it does."""
        return len(CLIENTS)


class Pair(Struct, frozen=True):
    """A client's dialect before a provider's: CPU microseconds.

    `request_us` is a request of 1 kB with its whole answer of 2 kB, `chunk_us` an event of a
    stream, the request left out. Where both are of one dialect, bytes pass.
    """

    client: str
    provider: str
    request_us: float
    chunk_us: float


class Translations(Struct, frozen=True):
    """All pairs, and where they were measured; `load` is the machine's meanwhile."""

    pairs: tuple[Pair, ...]
    load: float
    cpu: str
    tierwise: str


def run(options: Options, say: Callable[[str], None] = lambda _: None) -> Translations:
    """Measures on this machine."""
    pairs: list[Pair] = []
    for client in CLIENTS:
        say(f"clients of {client}")
        pairs += (_pair(client, provider, options) for provider in PROVIDERS)
    return Translations(
        pairs=tuple(pairs),
        load=round(os.getloadavg()[0], 1),
        cpu=cpu_model(),
        tierwise=__version__,
    )


def _pair(client: str, provider: str, options: Options) -> Pair:
    asked, told = Call(client, provider, stream=False), Call(client, provider, stream=True)
    whole = _cpu_us(asked.whole, options.runs, options.requests)
    streamed = _cpu_us(told.streamed, options.runs, options.streams)
    begun = _cpu_us(told.asked, options.runs, options.streams)
    chunk = max(0.0, streamed - begun) / told.events
    return Pair(client, provider, round(whole, 1), round(chunk, 2))


def _cpu_us(call: Callable[[], object], runs: int, count: int) -> float:
    """CPU microseconds of a call, in the quickest of some runs of so many."""
    call()
    best = float("inf")
    for _ in range(runs):
        before = time.process_time_ns()
        for _ in range(count):
            call()
        best = min(best, time.process_time_ns() - before)
    return best / count / 1000


class Call:
    """One request of a client before a provider, to be translated again and again."""

    def __init__(self, client: str, provider: str, *, stream: bool) -> None:
        self._client, self._stream = client, stream
        self._model = model_of(provider)
        self._body = question(client, provider, stream=stream)[1]
        self._script = bedrock_script() if provider == "bedrock" else script(provider)
        self._adapter = _adapter(provider)
        self.events = len(self._script.events)

    def asked(self) -> tuple[Task, Adapter]:
        """The request as the provider is asked it."""
        task = self._task()
        adapter = speaking(self._adapter, task)
        adapter.request(task)
        return task, adapter

    def whole(self) -> bytes:
        """The answer as the client reads it."""
        task, adapter = self.asked()
        return adapter.reply(self._script.whole, task).body

    def streamed(self) -> bytes:
        """The stream as the client reads it, event by event."""
        task, adapter = self.asked()
        reader = adapter.stream_reader(task)
        return b"".join([*map(reader.feed, self._script.events), reader.close()])

    def _task(self) -> Task:
        if self._client == CHAT:
            return read_request(self._body)
        task = read_task(self._client, self._body)
        if self._client == "gemini":  # its URL says that
            return replace(task, model=self._model, stream=self._stream)
        return task


def _adapter(provider: str) -> Adapter:
    name = PROVIDERS[provider]
    return load_adapter(name)(
        Deployment(
            id=provider,
            provider=provider,
            dialect=name,
            model=model_of(provider),
            upstream_model=model_of(provider),
            base_url="http://127.0.0.1/v1",
            api_key="sk-upstream",
            prices=Prices(input=1.0, output=2.0),
        )
    )
