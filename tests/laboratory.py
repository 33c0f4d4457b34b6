"""An executor with real transport and adapters in front of scripted upstreams."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from builders import a_decision, a_deployment, a_policy
from tierwise.catalog import Catalog
from tierwise.errors import UpstreamError
from tierwise.execution import Calls, Executor, Patience, Relay, Rooms, Run
from tierwise.execution.asking import Asker
from tierwise.execution.billing import Billing
from tierwise.execution.check import Checker
from tierwise.execution.probing import Probing
from tierwise.gates import Gate
from tierwise.gates.complete import CompleteGate
from tierwise.gates.json_schema import JsonSchemaGate
from tierwise.gates.token_confidence import TokenConfidenceGate
from tierwise.providers import Transport, load_adapter
from tierwise.state.health import Health
from tierwise.state.spending import Spending
from tierwise.types import Candidate, Completion, Deployment, Plan, Prices, Task, Timeouts, Verdict
from upstream import Reply, Upstream, dead_url, upstreams

Script = Reply | Sequence[Reply] | None
"""A reply that is repeated, replies one after the other, or nobody there."""

PRICES = {
    "small": Prices(input=1.0, output=2.0),
    "middle": Prices(input=5.0, output=10.0),
    "large": Prices(input=10.0, output=20.0),
}


PATIENT = Timeouts(connect=2.0, first_token=5.0, between_tokens=5.0, total=5.0)
"""No test needs to wait this long; one that is wrong fails instead of hanging."""


class Picky:
    """Rejects answers that contain a word."""

    name = "picky"

    def judge(self, task: Task, answer: Completion) -> Verdict:  # noqa: ARG002
        bad = "doubtful" in answer.text
        return Verdict(gate=self.name, p=0.0 if bad else 1.0, reason="looked for a word")


class Hasty(Picky):
    """Does so by the beginning of an answer."""

    name = "hasty"

    def judge_start(self, task: Task, start: Completion) -> Verdict:
        return self.judge(task, start)


class Wary:
    """Is never quite sure."""

    name = "wary"

    def judge(self, task: Task, answer: Completion) -> Verdict:  # noqa: ARG002
        return Verdict(gate=self.name, p=0.5, reason="is never sure")


class Broken:
    """Fails whatever it sees."""

    name = "broken"

    def judge(self, task: Task, answer: Completion) -> Verdict:  # noqa: ARG002
        raise RuntimeError("a bug")


class Steady(random.Random):
    """Draws the first of several every time, so that scripts are met in their order."""

    def random(self) -> float:
        return 0.0


class Laboratory:
    """Asks scripted upstreams. `run` is what became of the last request."""

    def __init__(
        self,
        paths: Mapping[str, list[Deployment]],
        running: Mapping[str, list[Upstream]],
        transport: Transport,
    ) -> None:
        gates: list[Gate] = [
            Picky(), Hasty(), Wary(), Broken(),
            CompleteGate(), JsonSchemaGate(), TokenConfidenceGate(),
        ]  # fmt: skip
        self.clock = time.monotonic
        self.paths = paths
        self.upstreams = running
        self.checker = Checker({gate.name: gate for gate in gates})
        everyone = [deployment for group in paths.values() for deployment in group]
        self.health = Health(everyone, self.clock, Steady())
        billing = Billing(Catalog.builtin())
        adapters = {one.id: load_adapter(one.dialect)(one) for one in everyone}
        self.calling = Calls(
            adapters, transport, self.health, billing, self.checker,
            tell_logprobs={"small", "middle"},
        )  # fmt: skip
        patience = Patience(self.health, lambda: 0.5)
        self.executor = Executor(
            self.calling, self.health, self.checker, patience, Rooms(self.health)
        )
        self.asker = Asker(
            adapters, self.calling.telling, transport, self.health, billing, {"large"}
        )
        self.spending = Spending()
        probing = a_policy(gates=("agreement", "judge", "self_check"), rubric="Be kind.")
        self.calling.probing = Probing(
            {"auto": probing}, self.asker, self.checker, self.health, self.spending
        )
        self.candidates: tuple[Candidate, ...] = ()
        self.relay = Relay(self.health, billing, self.calling)
        self.finished = 0
        self.on_hold: Callable[[], None] | None = None
        self.run: Run

    def calls(self, model: str) -> list[int]:
        """How often each upstream of a model was asked."""
        return [upstream.calls for upstream in self.upstreams[model]]

    def deployment(self, model: str) -> Deployment:
        return self.paths[model][0]

    async def ask(self, task: Task, plan: Plan) -> bytes:
        """What the client gets, whole or streamed."""
        if task.stream:
            return b"".join([block async for block in await self.open(task, plan)])
        self.run = self.begin(task, plan)
        whole = await self.executor.whole(self.run)
        self.run.deliver(whole.attempt)
        return whole.reply.body

    def begin(self, task: Task, plan: Plan) -> Run:
        """A request that has been decided about."""
        return Run(task, a_decision(plan, candidates=self.candidates), self.paths, self.clock)

    async def open(self, task: Task, plan: Plan) -> AsyncGenerator[bytes]:
        """A stream that has begun."""
        self.run = self.begin(task, plan)
        self.run.on_hold = self.on_hold
        chunks = self.relay.relay(await self.executor.stream(self.run), self.run, self._finish)
        assert await anext(chunks) == b""
        return chunks

    async def ask_broken(self, task: Task, plan: Plan) -> bytes:
        """What the client has got of a stream when it breaks; upstreams go on at its first byte."""
        seen = b""
        chunks = await self.open(task, plan)
        try:
            async for block in chunks:
                seen += block
                for upstream in (one for group in self.upstreams.values() for one in group):
                    upstream.go_on.set()
        except UpstreamError:
            return seen
        raise AssertionError("the stream did not break")

    def _finish(self) -> None:
        self.finished += 1


def hangs(script: Script) -> bool:
    """Whether an upstream will stand still."""
    replies = [script] if isinstance(script, Reply) else script or ()
    return any(reply.hang for reply in replies)


@asynccontextmanager
async def a_laboratory(
    scripts: Mapping[str, Sequence[Script]],
    *,
    timeouts: Timeouts | None = None,
    dialects: Mapping[str, str] | None = None,
    **fields: Any,
) -> AsyncIterator[Laboratory]:
    """A laboratory with a deployment for each script of each model.

    `dialects` are those of models' adapters where they are not OpenAI's.
    `timeouts` are for those that hang; a busy machine may keep the others waiting.
    """
    alive = [
        (model, number, script)
        for model, group in scripts.items()
        for number, script in enumerate(group)
        if script is not None
    ]
    transport = Transport()
    async with upstreams(*(script for _, _, script in alive)) as running:
        urls = {(m, n): up.base_url for (m, n, _), up in zip(alive, running, strict=True)}
        paths = {
            model: [
                a_deployment(
                    model,
                    f"p{number}",
                    base_url=urls.get((model, number)) or dead_url(),
                    prices=PRICES[model],
                    timeouts=timeouts if timeouts and hangs(script) else PATIENT,
                    dialect=(dialects or {}).get(model, "openai_compatible"),
                    **fields,
                )
                for number, script in enumerate(group)
            ]
            for model, group in scripts.items()
        }
        by_model = {
            model: [up for (m, _, _), up in zip(alive, running, strict=True) if m == model]
            for model in scripts
        }
        try:
            yield Laboratory(paths, by_model, transport)
        finally:
            await transport.close()


def text_of(body: bytes, stream: bool) -> str:
    """The text of an answer in OpenAI's dialect, whole or a stream."""
    if not stream:
        return str(json.loads(body)["choices"][0]["message"]["content"])
    events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
    deltas = [choice["delta"] for event in events for choice in json.loads(event)["choices"]]
    return "".join(delta.get("content", "") for delta in deltas)
