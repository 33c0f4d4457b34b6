"""The path of a request, top to bottom: analyse, route, execute, record."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tierwise.analysis import Measured, classify, measure
from tierwise.assembly import (
    brain_loader,
    cache_of,
    courses_of,
    gates_of,
    guardrails_of,
    read_config,
)
from tierwise.beside import Beside
from tierwise.cache import Cache
from tierwise.cached import Cached
from tierwise.chats import Chats
from tierwise.config import Config, Setup, build
from tierwise.errors import Closed, ConfigError, TierwiseError
from tierwise.execution import Calls, Executor, Patience, Relay, Rooms, Run, Streamed
from tierwise.execution.billing import Billing
from tierwise.execution.check import Checker
from tierwise.execution.paying import set_aside
from tierwise.execution.revive import Reviver
from tierwise.execution.rooms import MOST_WAITING
from tierwise.finished import Answered, Finished, Streaming
from tierwise.gates.base import PROBES
from tierwise.ledger import Ledger
from tierwise.looking import is_looked_at, looked_at, relayed
from tierwise.names import new_id
from tierwise.native import Natively
from tierwise.providers import Adapter, Transport, lacks_of, load_adapter
from tierwise.providers.http import request_id_of
from tierwise.providers.passthrough import Passages
from tierwise.responding import Responding
from tierwise.routing import Predictor, PriorPredictor, Router
from tierwise.state.handover import hand_over
from tierwise.state.health import Health
from tierwise.state.kept_responses import KeptResponses
from tierwise.state.promises import Crew, Promises
from tierwise.state.sessions import Sessions
from tierwise.state.shared_responses import kept_by
from tierwise.state.spending import Spending
from tierwise.state.traffic import Traffic, novelty_of
from tierwise.telemetry.in_hand import IN_HAND
from tierwise.telling import Telling
from tierwise.through import PassingThrough
from tierwise.types import CACHE, Decision, Task

if TYPE_CHECKING:
    from tierwise.analysis.analyst import Analyst
    from tierwise.analysis.reading import Reading
    from tierwise.execution.probing import Probing
    from tierwise.guarded import Guarded
    from tierwise.guardrails import Rules
    from tierwise.routing.build import Brain
    from tierwise.routing.expressed import Unsaid

log = logging.getLogger("tierwise")
_random = random.Random(os.urandom(16))  # noqa: S311 - of delays and samples


class Orchestrator(Beside, Chats, Natively, PassingThrough, Responding, Telling):
    """Everything one process needs to serve requests. `start` it, use it, `close` it.

    An `async with` block does that, and looks after deployments that are out. What is asked before
    `start` is not written to the ledger until then.
    """

    def __init__(
        self,
        setup: Setup,
        ledger: Ledger,
        *,
        store_content: bool = False,
        load_brain: Callable[[], Brain] | None = None,
        crew: Crew | None = None,
        after: Orchestrator | None = None,
        shadow_prices: bool = True,
        cache: Cache | None = None,
        guardrails: Rules | None = None,
    ) -> None:
        """Without a brain, rules and the catalogue's priors decide.

        It is loaded at the first request that leaves a choice: a gateway whose callers always
        name models pays neither its time nor its memory.

        Args:
            crew: the processes that serve together; None for this one alone.
            after: the one whose place it is to take, whose memory of conversations it shares, kept
                answers among it.
            shadow_prices: see `config.schema.RouterConfig`.
            cache: where answers are kept to be given again; None: nowhere.
            guardrails: what looks at requests and answers; None: nothing.
        """
        self.setup = setup
        self.ledger = ledger
        self.crew = crew or Crew()
        self._store_content = store_content
        self.cached = None if cache is None else Cached(cache, self._finish, new_id)
        self.guarded = None if guardrails is None else self._guarding(guardrails)
        deployments = setup.all_deployments()
        self.health = Health(
            setup.everywhere(), time.monotonic, _random, shadow_prices=shadow_prices
        )
        self._load_brain = load_brain
        self._waking = threading.Lock()
        self._analyst: Analyst | None = None
        self._familiar = False
        adapters = {d.id: load_adapter(d.dialect)(d) for d in deployments}
        self._speaks = {name: adapter.speaks for name, adapter in adapters.items()}
        self._lacks = {name: lacks_of(adapter) for name, adapter in adapters.items()}
        self.router = self._router(PriorPredictor())
        self._traffic: Traffic = after._traffic if after else Traffic()
        self.sessions: Sessions = after.sessions if after else Sessions()
        self._spending: Spending = after._spending if after else Spending()
        self.kept_responses: KeptResponses = after.kept_responses if after else kept_by(self.crew)
        self.promises = Promises(setup.certificates, crew, ledger=ledger.beside)
        self.checker = Checker(gates_of(setup))
        self._transport = Transport()
        self.passages = Passages()
        billing = Billing(setup.catalog)
        self._calls = Calls(
            adapters,
            self._transport,
            self.health,
            billing,
            self.checker,
            keep_streams=store_content,
            tell_logprobs={n for n, m in setup.models.items() if "logprobs" in m.capabilities},
        )
        patience = Patience(self.health, _random.random)
        rooms = Rooms(self.health, MOST_WAITING if shadow_prices else 0)
        self._executor = Executor(self._calls, self.health, self.checker, patience, rooms)
        self._relay = Relay(self.health, billing, self._calls)
        self._reviver = Reviver(adapters, self._transport, self.health)
        if any(PROBES.keys() & policy.gate_names for policy in setup.policies.values()):
            self._calls.probing = self._probing(adapters, billing)
        if setup.embeddings:
            _ = self.embedder  # so that what is wrong with it is said now
        if self.promises.all:
            # Off the path of requests: the ledger's thread shows what is finished.
            ledger.watch(self.promises.saw)

    @classmethod
    def from_config(
        cls,
        config: Config | Mapping[str, Any] | str | Path | None = None,
        *,
        crew: Crew | None = None,
        after: Orchestrator | None = None,
    ) -> Orchestrator:
        """Builds everything that a configuration describes.

        Args:
            config: a checked configuration, a mapping of the same shape, or the path of a file;
                None uses the API keys and local servers that are found here.
            crew: the processes that serve together, which share the limits; None for this alone.
            after: the one whose place it is to take, which goes on serving until then (`follow`).

        Raises:
            ConfigError: it cannot be built, or nothing was found.
        """
        if not isinstance(config, Config):
            config = read_config(config)
        # With shared state each process is told its part while it runs.
        divided = crew is not None and config.state.url is None
        setup = build(config).share(crew.workers if crew is not None and divided else 1)
        own = config.ledger
        ledger = after.ledger if after else _ledger(config)
        try:
            made = cls(
                setup,
                ledger,
                store_content=own.store_content,
                load_brain=brain_loader(config, setup),
                crew=crew,
                after=after,
                shadow_prices=config.router.shadow_prices,
                cache=cache_of(config, after.cached.cache if after and after.cached else None),
                guardrails=guardrails_of(
                    config, setup, after.guarded.rules.counts if after and after.guarded else None
                ),
            )
        except ConfigError as error:
            raise config.origin.place(error) from error
        if after is not None and after._load_brain is None:
            made._wake()  # as the other one is; here nobody waits for it
        return made

    def start(self) -> None:
        """Opens the ledger. Does nothing if it is open.

        Raises:
            ConfigError: the ledger cannot be used.
        """
        self.ledger.open()
        self._closed = False

    def look_after(self) -> None:
        """From now on looks at deployments that are out; in a running event loop only."""
        self._reviver.start()

    async def follow(self, other: Orchestrator) -> None:
        """Takes the place of the one it was made after, with what that knows of deployments.

        The other one finishes what it has begun; when that is over, let it `retire`.
        """
        await other._reviver.stop()
        known, states = other.health.states, self.health.states
        hand_over(known, other.setup, states, self.setup, time.monotonic())
        self.checker.broken = other.checker.broken
        self.promises.follow(other.promises)
        self.ledger.unwatch(other.promises.saw)
        self.look_after()

    async def retire(self) -> None:
        """Closes connections, and leaves the ledger to the one that follows."""
        await self._reviver.stop()
        await self._transport.close()
        await self.passages.close()

    async def close(self) -> None:
        """Closes connections and writes what the ledger still holds; what is asked from here on
        raises `Closed`, a `RuntimeError`."""
        self._closed = True
        await self.retire()
        self.ledger.close()

    async def __aenter__(self) -> Orchestrator:
        self.start()
        self.look_after()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def patience_s(self, name: str) -> float:
        """Seconds that a request for a policy may take; for a model, those of "auto"."""
        policies = self.setup.policies
        return (policies.get(name) or policies["auto"]).deadline_s

    def decide(self, task: Task) -> Decision:
        """What would happen to a task, and why. Asks no model."""
        return self._decide(task, measure(task), self.router.unsaid(task))[0]

    async def answer(self, task: Task) -> Answered:
        """The answer to a task.

        Raises:
            TierwiseError: see `tierwise.errors`.
            Closed: after `close`.
        """
        if self._closed:
            raise Closed
        if self.guarded is not None:
            task = await self.guarded.looked_at(task)
        if self.cached is not None:
            return await self.cached.answer(task, self._answer)
        return await self._answer(task)

    async def _answer(self, task: Task) -> Answered:
        """The answer of a model."""
        if self._load_brain is not None or self.sessions.elsewhere is not None:
            await self._awake(task)
        run, measured = self._begin(task)
        await set_aside(run, measured, self.setup.models)
        try:
            whole = await self._executor.whole(run)
            reply = whole.reply
            body, completion = await looked_at(run, whole.attempt, reply.body, reply.completion)
        except BaseException as error:
            self._give_up(run, measured, error)
            raise
        run.ttft_s = time.monotonic() - run.started
        run.deliver(whole.attempt)
        run.upstream_id = whole.upstream_id
        if self._store_content:
            run.answer = completion().text
        return Answered(body, completion, self._finish(run, measured))

    async def stream(self, task: Task, on_hold: Callable[[], None] | None = None) -> Streaming:
        """The answer to a task as a stream; raises as `answer` does, also while it is read.

        `on_hold` is called when it has begun and is held back for its gates.
        """
        if self._closed:
            raise Closed
        if self.guarded is not None:
            task = await self.guarded.looked_at(task)
        if self.cached is not None:
            return await self.cached.stream(task, on_hold, self._stream)
        return await self._stream(task, on_hold)

    async def _stream(self, task: Task, on_hold: Callable[[], None] | None = None) -> Streaming:
        """The answer of a model as a stream."""
        if self._load_brain is not None or self.sessions.elsewhere is not None:
            await self._awake(task)
        run, measured = self._begin(task)
        await set_aside(run, measured, self.setup.models)
        run.on_hold = on_hold
        try:
            streamed = await self._executor.stream(run)
        except BaseException as error:
            self._give_up(run, measured, error)
            raise
        run.upstream_id = request_id_of(streamed.live.headers)
        finish = partial(self._finish_stream, streamed, run, measured)
        chunks = await relayed(self._relay, streamed, run, finish)
        await anext(chunks)  # starts it: from here on it is booked, even if nobody reads it
        return Streaming(
            chunks,
            run,
            streamed.model,
            streamed.live.deployment.id,
            streamed.step.number,
            streamed.attempt is not None or is_looked_at(task),
        )

    def _probing(self, adapters: Mapping[str, Adapter], billing: Billing) -> Probing:
        # Imported only here: a gateway whose policies name no probe has no use for it.
        from tierwise.execution.asking import Asker
        from tierwise.execution.probing import Probing

        reasoning = {n for n, m in self.setup.models.items() if "reasoning" in m.capabilities}
        telling = self._calls.telling
        asker = Asker(adapters, telling, self._transport, self.health, billing, reasoning)
        return Probing(self.setup.policies, asker, self.checker, self.health, self._spending)

    def _guarding(self, rules: Rules) -> Guarded:
        # Imported only here: most gateways have no guardrails.
        from tierwise.guarded import Guarded

        setup = self.setup
        return Guarded(rules, setup.models, setup.policies, self._finish, new_id)

    async def _awake(self, task: Task) -> None:
        """Waits for the brain where a task needs it, so that the first ones are decided by it too,
        and hardly at all for what other replicas know of its conversation.

        In a thread: whoever names a model is served meanwhile.
        """
        if self.router.explicit(task):
            return
        if self._load_brain is not None:
            await asyncio.to_thread(self._wake)
        await self.sessions.recall(task.conversation, time.monotonic())

    def _begin(self, task: Task) -> tuple[Run, Measured]:
        """Analyses and routes a task.

        Where the caller named a model there is nothing to choose, and the words are read later,
        when the record is made.
        """
        began = time.monotonic()
        measured = measure(task)
        unsaid = self.router.unsaid(task)
        decision, reading, analysed = self._decide(task, measured, unsaid)
        paths = self.router.paths(decision, unsaid)
        joined = self.promises.combination(decision)
        run = Run(task, decision, paths, time.monotonic, joined)
        run.reading, run.unsaid = reading, unsaid
        if task.guard is not None:
            run.decision = replace(decision, guardrails=task.guard.said)
        if task.arrived is not None:
            run.waited_s = began - task.arrived
        run.analysis_s, run.routing_s = analysed - began, run.started - analysed
        held = IN_HAND.get()
        if held is not None:
            held.run = run
        return run, measured

    def _decide(
        self, task: Task, measured: Measured, unsaid: Unsaid | None
    ) -> tuple[Decision, Reading | None, float]:
        """The decision about a task, what was read in its prompt for it, and since when that was
        known, by the monotonic clock."""
        reading: Reading | None = None
        if self.router.explicit(task):
            profile = measured.profile
        else:
            self._wake()
            if self._analyst is None:
                profile = classify(measured)
            else:
                analysed = self._analyst.analyse(task)
                profile, reading = analysed.profile, analysed.reading
        now = time.monotonic()
        decision = self.router.decide(
            task,
            profile,
            decision_id=new_id(),
            now=time.time(),
            latency=self.health.states,
            reading=reading,
            foreign=self._familiar and self._traffic.foreign,
            held=self.sessions.held(task.conversation, now),
            certificates=self.promises.now(),
            scarce=self.health.scarcity.now(),
            unsaid=unsaid,
        )
        if reading is not None:
            self._traffic.saw(novelty_of(decision))
        return decision, reading, now

    def _wake(self) -> None:
        """Loads the brain if that has not been done. Whoever comes meanwhile waits."""
        with self._waking:
            if self._load_brain is None:
                return
            try:
                brain = self._load_brain()
                courses = courses_of(brain)
                router = self._router(brain.predictor)
                router.foresee()
                self._analyst, self._familiar = brain.analyst, brain.familiar
                self._executor.courses = courses
                self.router = router
            except ConfigError as error:
                # Only what ships is loaded this late, and requests can be served without it.
                log.error("rules decide, because the router that ships cannot be used: %s", error)
            finally:
                # Last of all: from here on nobody waits.
                self._load_brain = None

    def _router(self, predictor: Predictor) -> Router:
        setup = self.setup
        served = setup.models, setup.deployments, setup.policies
        return Router(*served, predictor, self._speaks, self._lacks, setup.embeddings)

    def _give_up(self, run: Run, measured: Measured, error: BaseException) -> None:
        """Books a request that ends without an answer."""
        if isinstance(error, TierwiseError):
            error.decision_id = run.decision.id
            error.attempts = len(run.attempts)
        if isinstance(error, Exception):
            run.error = f"{type(error).__name__}: {error}"
        else:
            run.status = "cancelled"
        self._finish(run, measured)

    def _finish_stream(self, streamed: Streamed, run: Run, measured: Measured) -> None:
        if self._store_content:
            whole = run.said
            run.answer = streamed.live.reader.completion().text if whole is None else whole
            if run.task.guard is not None:
                run.answer = run.task.guard.shown(run.answer)
        self._finish(run, measured)

    def _finish(self, run: Run, measured: Measured) -> Finished:
        """Hands a request that is over to the ledger, which makes its record off this path."""
        task = run.task
        given_again = run.deployment == CACHE
        finished = Finished(
            run.decision,
            run,
            measured,
            None if given_again else self.setup.models[run.decision.reference].prices,
            time.monotonic() - run.started,
            task.stream,
            task.caller,
            task.owner,
            task.session,
            task.body if self._store_content else None,
            task.trace,
        )
        conversation = task.conversation
        if conversation is not None and run.model is not None and not given_again:
            tokens = run.usage.input_tokens + run.usage.output_tokens
            self.sessions.answered(conversation, run.model, tokens, time.monotonic())
        self._spending.add(run.decision.policy or "", run.cost_usd)
        if task.purse is not None:
            task.purse.settle(run.cost_usd)
        # From here on only the record is wanted, and a body may be large.
        del run.task
        run.course = run.reading = run.read_by_gates = None
        run.handed_over = None
        self.ledger.record(finished.record, run.decision.id)
        return finished


def _ledger(config: Config) -> Ledger:
    own = config.ledger
    return Ledger(own.place, beside=own.path, queue_size=own.queue_size)
