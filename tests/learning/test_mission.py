"""Whom typical tasks go to: the OpenAI client, a running gateway, the simulated fleet.

By rules and the catalogue's priors, by the router that ships, which never saw these models, and
by one that has learned from a small recording.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from openai import OpenAI

from gateway import KEY, PATIENCE_S, RunningGateway
from tierwise.fleet import Fleet
from tierwise.learning.train import train

MODELS = ("sim-nano", "sim-small", "sim-code", "sim-ledger", "sim-medium", "sim-large")
ABLE = {
    "review": {"sim-ledger": 0.95, "sim-large": 0.95, "sim-medium": 0.5},
    "pitch": {"sim-large": 0.95},
    "refactor": {"sim-code": 0.95, "sim-large": 0.95, "sim-medium": 0.5},
    "sum": dict.fromkeys(MODELS, 0.95),
}
"""How often a model is right on each sort of prompt; one that is not named hardly ever is."""
COST = dict(zip(MODELS, (0.00006, 0.0003, 0.00045, 0.0012, 0.0024, 0.015), strict=True))
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)
IMAGE_QUESTION = [
    {"type": "text", "text": "What is shown in this picture?"},
    {"type": "image_url", "image_url": {"url": PIXEL}},
]
MISSION = (
    ("Review this financial statement for compliance violations.", "sim-ledger"),
    ("Write a compelling campaign pitch for a new electric bicycle.", "sim-large"),
    (IMAGE_QUESTION, "sim-large"),
    ("Refactor this Python function to remove the duplicated loop.", "sim-code"),
)
"""A task, and the smallest model that does it well: specialist, strong generalist, multimodal."""


WAYS = {"rules": "none", "default": "default"}


class Talk(NamedTuple):
    """A client, and the gateway that it talks to."""

    client: OpenAI
    gateway: RunningGateway


def prompts(count: int) -> dict[str, str]:
    """So many prompts of each sort, none of them of the mission's."""
    random = np.random.default_rng(0)

    def one(*words: str) -> str:
        return str(random.choice(words))

    found: dict[str, str] = {}
    for n in range(count):
        found[f"review-{n}"] = (
            f"{one('Check', 'Review', 'Examine')} the {one('financial', 'annual', 'quarterly')} "
            f"{one('statement', 'report', 'accounts')} of company {n} for "
            f"{one('compliance', 'disclosure', 'IFRS')} {one('violations', 'breaches', 'gaps')}."
        )
        found[f"pitch-{n}"] = (
            f"Write a {one('catchy', 'compelling', 'bold')} {one('campaign', 'brand', 'launch')} "
            f"{one('pitch', 'slogan', 'story')} for {one('a new', 'our', 'an affordable')} "
            f"{one('electric', 'folding', 'smart', 'solar')} "
            f"{one('scooter', 'lamp', 'car', 'kettle', 'watch', 'bicycle pump')}."
        )
        found[f"refactor-{n}"] = (
            f"{one('Refactor', 'Clean up', 'Rewrite')} this {one('Python', 'Java', 'Rust')} "
            f"{one('function', 'class', 'method')} f{n} to remove the "
            f"{one('duplicated', 'nested', 'unused')} {one('loop', 'branch', 'variable')}."
        )
        found[f"sum-{n}"] = f"What is {random.integers(2, 90)} plus {random.integers(2, 90)} + {n}?"
    return found


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory, record: Callable[..., Path]) -> Path:
    """A router that has learned who can do what."""
    random = np.random.default_rng(1)
    asked = prompts(50)
    rows = [
        (name, model, float(random.random() < ABLE[name.split("-")[0]].get(model, 0.1)), cost)
        for name in asked
        for model, cost in COST.items()
    ]
    folder = tmp_path_factory.mktemp("mission")
    train([record(folder / "recorded", asked, rows)], folder / "router.npz")
    return folder / "router.npz"


@contextmanager
def running(router: str, quality: float) -> Iterator[Talk]:
    """A client of a gateway in front of the simulated fleet, which runs in a loop of its own."""
    fleet = Fleet.simulated(speed=0)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def on_loop(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE_S)

    on_loop(fleet.start())
    try:
        data = {
            **fleet.config(),
            "server": {"api_keys": [KEY]},
            "ledger": {"path": ":memory:"},
            "policies": {"auto": {"quality": quality}},
            "router": {"artifact": router},
        }
        with (
            RunningGateway(data) as gateway,
            OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client,
        ):
            yield Talk(client, gateway)
    finally:
        on_loop(fleet.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)


@pytest.fixture(scope="module", params=["rules", "default", "learned"])
def talk(request: pytest.FixtureRequest) -> Iterator[Talk]:
    learned = request.param == "learned"
    # At less of the mean of all traffic, a pitch may be what is given up.
    with running(
        str(request.getfixturevalue("artifact")) if learned else WAYS[request.param],
        0.95 if request.param == "rules" else 0.97,
    ) as talk:
        yield talk


def ask(talk: Talk, content: Any, model: str = "auto", **fields: Any) -> Mapping[str, str]:
    """The headers of the answer."""
    raw = talk.client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": content}], **fields
    )
    assert raw.parse().choices[0].message.content
    return raw.headers


@pytest.mark.parametrize(("content", "model"), MISSION, ids=("finance", "pitch", "image", "code"))
def test_a_task_goes_to_the_model_that_is_made_for_it(talk: Talk, content: Any, model: str) -> None:
    assert ask(talk, content)["x-tierwise-model"] == model


def test_whoever_asks_for_reasoning_gets_a_model_that_can(talk: Talk) -> None:
    with_effort, without = (
        ask(talk, "What is 12 plus 31?", "economy", reasoning_effort=effort)
        for effort in ("low", "none")
    )
    assert with_effort["x-tierwise-model"] == "sim-large"
    assert without["x-tierwise-model"] != "sim-large"


def test_the_decision_can_be_looked_up_as_it_was_made(talk: Talk) -> None:
    url = f"/decisions/{ask(talk, MISSION[0][0])['x-tierwise-decision-id']}"
    talk.gateway.settle()
    decision: Any = talk.client.get(url, cast_to=object)
    decision = decision["decision"]
    assert decision["plan"]["tiers"][0]["model"] == "sim-ledger"
    assert decision["profile"]["domain"] == "finance"
    assert decision["profile"]["also"] == ["legal"]
    assert bool(decision["guard"]) == (decision["rate"] is not None)
    assert {c["model"] for c in decision["candidates"]} == set(MODELS)
    for candidate in decision["candidates"]:
        assert candidate["why"]
        assert set(candidate["estimate"]) >= {
            *("quality", "quality_low", "cost_usd", "cost_p90_usd", "ttft_s", "latency_s"),
        }
