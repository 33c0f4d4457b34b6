"""What the tests of the fleet share: a client, a running fleet, small recordings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec
import pytest

from tierwise.fleet import Fleet, Provider, WorkItem
from tierwise.fleet.simulated import Simulated


class Reply(NamedTuple):
    """An HTTP answer, read to its end."""

    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def events(self) -> list[Any]:
        """The chunks of a stream, decoded; the end mark is left out."""
        data = [event[6:] for event in self.body.split(b"\n\n") if event.startswith(b"data: ")]
        return [msgspec.json.decode(event) for event in data if event != b"[DONE]"]


class Client:
    """Asks providers as a gateway would, over connections that are kept alive."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def ask(
        self, provider: Provider, item: WorkItem | str, model: str, **fields: Any
    ) -> Reply:
        """One chat request, for a task or for a prompt."""
        request = (
            {"messages": [{"role": "user", "content": item}]}
            if isinstance(item, str)
            else item.request
        )
        return await self.post(provider, {"model": model, **request, **fields})

    async def post(self, provider: Provider, body: Any, key: str | None = None) -> Reply:
        """Any body; JSON unless it is bytes."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.session.post(
            f"http://127.0.0.1:{provider.port}/v1/chat/completions",
            data=data,
            headers={"authorization": f"Bearer {key or provider.api_key}"},
        ) as response:
            return Reply(response.status, response.headers, await response.read())


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    # A client that waits for ever would hide a fault that never ends.
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Client(session)


@pytest.fixture(scope="session")
def source() -> Simulated:
    """The simulated answers of seed 0; they never change, and making them takes a moment."""
    return Simulated(0)


@pytest.fixture
async def fleet(source: Simulated) -> AsyncIterator[Fleet]:
    """The simulated fleet, which answers at once."""
    async with Fleet(source, speed=0) as running:
        yield running


def task(fleet: Fleet, kind: str) -> WorkItem:
    """The first task of a kind that the reference gets right."""
    return next(
        item
        for item in fleet.workload(4000)
        if item.kind == kind
        and fleet.score(item, fleet.reference, fleet.expected(item, fleet.reference)) == 1
    )


@pytest.fixture
def first() -> Callable[[Fleet, str], WorkItem]:
    return task


Row = tuple[str, str, float | None, str | None, float | None]
"""Prompt id, model, score, response, cost in USD."""


def write_recording(
    folder: Path, prompts: dict[str, str | None], rows: list[Row], **columns: list[Any]
) -> Path:
    """The two files of a source; `columns` replaces or adds columns of the outcomes."""
    pa = pytest.importorskip("pyarrow", reason="needs the extra `outcomes`")
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table(
            {
                "prompt_id": list(prompts),
                "dataset": ["gsm8k"] * len(prompts),
                "category": ["math"] * len(prompts),
                "prompt": pa.array(list(prompts.values()), pa.string()),
                "split": pa.array([None] * len(prompts), pa.string()),
            }
        ),
        folder / "prompts.parquet",
    )
    names = ("prompt_id", "model", "score", "response", "cost_usd")
    data = {name: [row[i] for row in rows] for i, name in enumerate(names)} | columns
    pq.write_table(pa.table(data), folder / "outcomes.parquet")
    return folder


@pytest.fixture
def record() -> Callable[..., Path]:
    return write_recording


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Forty prompts and two models: the large one is always right, the small one half the time."""
    prompts = {f"p{i}": f"What is {i} + {i}?\nShow your work." for i in range(40)}
    rows: list[Row] = []
    for i, prompt_id in enumerate(prompts):
        rows.append((prompt_id, "gpt-4-test", 1.0, f"It is {2 * i}, surely.", 0.002 + i * 1e-5))
        right = i % 2 == 0
        answer = str(2 * i) if right else f"{2 * i + 1} I think"
        rows.append((prompt_id, "maker/tiny-7b", float(right), answer, 0.0001))
    return write_recording(tmp_path / "source", prompts, rows)
