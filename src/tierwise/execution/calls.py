"""One call to one deployment: asked, read, judged and booked, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from tierwise.errors import (
    ContextTooLong,
    RequestError,
    UpstreamError,
    UpstreamRejected,
    UpstreamTimeout,
)
from tierwise.execution.billing import Billing, names_model
from tierwise.execution.check import Checker
from tierwise.execution.hold import Held, hold
from tierwise.execution.live import LiveStream
from tierwise.execution.paths import Step
from tierwise.execution.run import Run
from tierwise.providers import Adapter, Reply, TellsLogprobs, Transport
from tierwise.providers.cooldown import rest_after_answer
from tierwise.providers.effortless import Effortless
from tierwise.providers.http import request_id_of
from tierwise.providers.reading import failure_of
from tierwise.providers.translating import speaking
from tierwise.state.health import Health
from tierwise.telemetry.context import carrying, span_for
from tierwise.types import Attempt, Completion, Deployment, Prices, Task, Usage, Verdict

if TYPE_CHECKING:
    from tierwise.execution.probing import Probing


class Whole(Struct):
    """A complete answer from one deployment, and what that calls the request."""

    reply: Reply
    attempt: Attempt
    upstream_id: str | None = None


class Streamed(Struct):
    """A stream from one deployment: what was held back, and what is still to come.

    `attempt` is set if the stream was held to its end and judged, None if it is still running: then
    it has its place at the deployment, which whoever ends it gives back (`Health.left`).
    """

    live: LiveStream
    step: Step
    model: str
    prices: Prices
    held: list[bytes]
    attempt: Attempt | None = None


Given = TypeVar("Given", Whole, Streamed)
"""What a call gives."""
Ask = Callable[[Deployment, Step, Run], Awaitable[Given]]


class Calls:
    """Calls the configured deployments.

    `keep_streams` remembers what every stream says, for those who store content. `tell_logprobs`
    are the models that can say how likely each token was, where a gate reads that. `telling` are
    the adapters that ask them. `probing` buys probes, where a policy names any.
    """

    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        transport: Transport,
        health: Health,
        billing: Billing,
        checker: Checker,
        *,
        keep_streams: bool = False,
        tell_logprobs: Collection[str] = (),
    ) -> None:
        self._adapters = adapters
        self._transport = transport
        self._health = health
        self._billing = billing
        self._checker = checker
        self._keep_streams = keep_streams
        self.probing: Probing | None = None
        self.telling = {
            name: adapter.asking_logprobs()
            for name, adapter in adapters.items()
            if adapter.deployment.model in tell_logprobs and isinstance(adapter, TellsLogprobs)
        }

    def whole(self, deployment: Deployment, step: Step, run: Run) -> Awaitable[Whole]:
        """A complete answer, judged where the step has gates.

        Raises:
            UpstreamError: there is none.
        """
        return self._with_less(self._whole, deployment, step, run)

    def stream(self, deployment: Deployment, step: Step, run: Run) -> Awaitable[Streamed]:
        """A stream that is running, or that was held to its end and judged; raises as `whole`."""
        return self._with_less(self._stream, deployment, step, run)

    async def reopen(self, deployment: Deployment, step: Step, run: Run, asked: Task) -> Streamed:
        """A stream from one deployment for one that broke; it may be asked something else.

        Raises:
            UpstreamError: it did not begin; that is booked.
        """
        run.handed_over = asked
        return await self._stream(deployment, step, run)

    def adapter(self, deployment: Deployment) -> Adapter:
        """What speaks to a deployment for callers."""
        return self._adapters[deployment.id]

    def discard(self, answer: Whole | Streamed, run: Run) -> None:
        """Lets go of an answer that came too late; it is billed all the same."""
        attempt = answer.attempt
        if attempt is not None:
            run.replace(attempt, replace(attempt, outcome="cancelled"))
        elif isinstance(answer, Streamed):
            live = answer.live
            live.close()
            self._health.left(live.deployment)
            late = asyncio.CancelledError()
            self._note(late, live.deployment, answer.step, run, live.began, live.span, answer)

    async def _with_less(
        self, ask: Ask[Given], deployment: Deployment, step: Step, run: Run
    ) -> Given:
        """Asks; and asks again with less if it was refused: without a rejected draft, and without
        log-probabilities."""
        adapter = self._native(deployment, step, run)
        try:
            return await ask(deployment, step, run)
        except (UpstreamRejected, ContextTooLong) as error:
            if run.handed_over is not None:
                run.handed_over = None  # it may be the draft: not all take it, or have the room
                return await self._with_less(ask, deployment, step, run)
            if not isinstance(error, UpstreamRejected) or adapter is self._adapters[deployment.id]:
                raise
            self.telling.pop(deployment.id, None)  # another request may have been quicker
            try:
                return await ask(deployment, step, run)
            except UpstreamRejected:
                self.telling[deployment.id] = adapter  # it was the request itself
                raise

    def _adapter(self, deployment: Deployment, step: Step, run: Run) -> Adapter:
        """What speaks to a deployment, for a caller of any dialect."""
        adapter = speaking(self._native(deployment, step, run), run.asked)
        return Effortless(adapter) if run.spares(deployment.id) else adapter

    def _native(self, deployment: Deployment, step: Step, run: Run) -> Adapter:
        """What speaks to a deployment; it asks for log-probabilities where a gate reads them.

        A caller who asked for them sees what it asked for, and the gate reads that.
        """
        plain = self._adapters[deployment.id]
        if not step.gated or run.task.logprobs:
            return plain
        scored = run.course is not None and run.course.wants_logprobs
        if scored or self._checker.wants_logprobs(step.tier.gates):
            return self.telling.get(deployment.id) or plain
        return plain

    async def _whole(self, deployment: Deployment, step: Step, run: Run) -> Whole:
        adapter = self._adapter(deployment, step, run)
        if step.gated:
            self._checker.prepare(step.tier.gates, run.judged)
        span = span_for(run.task.trace)
        began = run.clock()
        self._health.started(deployment, run.expected_tokens, first=not run.failures)
        try:
            wait = min(deployment.timeouts.total, run.task.deadline - began)
            request = carrying(adapter.request(run.asked), run.asked.trace, span)
            response = await self._transport.send(request, wait)
            if not 200 <= response.status < 300:
                said = adapter.error(response.status, response.headers, response.body)
                said.upstream_id = request_id_of(response.headers)
                raise said
            reply = adapter.reply(response.body, run.asked)
        except BaseException as raised:  # noqa: BLE001 - raised again, booked and named
            error = failure_of(raised, deployment)
            self._note(error, deployment, step, run, began, span)
            raise error from error.__cause__
        finally:
            self._health.left(deployment)
        latency = run.clock() - began
        usage = reply.usage
        tokens = usage.output_tokens if usage is not None else None
        self._health.succeeded(deployment, latency, None, tokens)
        self._took(deployment, run, began, usage)
        self._heed(deployment, response.headers)
        model, prices = self._billing.answered_by(deployment, reply.reported_model)
        if not names_model(reply.reported_model, model):
            reply.rename(model)
        attempt = await self._judged(
            deployment, step, run,
            model=model, prices=prices, usage=usage, chars=None,
            completion=reply.completion, began=began, span=span, latency=latency, ttft=None,
        )  # fmt: skip
        return Whole(reply, attempt, request_id_of(response.headers))

    async def _stream(self, deployment: Deployment, step: Step, run: Run) -> Streamed:
        adapter = self._adapter(deployment, step, run)
        if step.gated:
            self._checker.prepare(step.tier.gates, run.judged)
        streamed: Streamed | None = None
        goes_on = False
        span = span_for(run.task.trace)
        began = run.clock()
        self._health.started(deployment, run.expected_tokens, first=not run.failures)
        try:
            live = await LiveStream.open(
                self._transport, adapter, run.asked, run.clock,
                keep=step.gated or self._keep_streams, span=span,
            )  # fmt: skip
            ttft = run.clock() - began
            self._heed(deployment, live.headers)
            model, prices = self._billing.answered_by(deployment, live.reader.reported_model)
            if not names_model(live.reader.reported_model, model):
                live.first = live.reader.rename(model, live.first)
            streamed = Streamed(live, step, model, prices, [live.first])
            held, said = (await self._hold(streamed, run)) if step.gated else ("released", ())
            if held == "released":
                goes_on = True
                return streamed
        except BaseException as raised:  # noqa: BLE001 - raised again, booked and named
            error = failure_of(raised, deployment)
            self._note(error, deployment, step, run, began, span, streamed)
            raise error from error.__cause__
        finally:
            # A stream keeps its place without a moment between: somebody may wait for it.
            (self._health.goes_on if goes_on else self._health.left)(deployment)
        latency = run.clock() - began
        self._health.succeeded(deployment, latency, ttft)
        self._took(deployment, run, began, live.reader.usage)
        streamed.attempt = await self._judged(
            deployment, step, run,
            model=model, prices=prices, usage=live.reader.usage,
            chars=live.reader.output_chars, completion=live.reader.completion,
            began=began, span=span, latency=latency, ttft=ttft,
            refused=said if held == "refused" else None,
        )  # fmt: skip
        return streamed

    async def _hold(self, streamed: Streamed, run: Run) -> tuple[Held, tuple[Verdict, ...]]:
        """Holds a stream back; what came of it, and what its gates say of its beginning."""
        live, tier, plan = streamed.live, streamed.step.tier, run.decision.plan
        said: tuple[Verdict, ...] = ()

        def passes() -> bool:
            nonlocal said
            said = self._checker.first_look(tier.gates, run.judged, live.reader.completion())
            return run.begins_well(said, tier)

        if run.on_hold is not None:
            run.on_hold()
        held = await hold(
            live, streamed.held, run.clock,
            until=run.started + plan.hold_s, passes=passes,
            start_is_enough=plan.streams == "prefix",
        )  # fmt: skip
        return held, said

    def _took(self, deployment: Deployment, run: Run, began: float, usage: Usage | None) -> None:
        """Settles what a call took of the deployment's limits; if nobody counted, as expected."""
        if usage is not None:
            used = usage.input_tokens + usage.output_tokens
            self._health.settle(deployment, began, run.expected_tokens, used)

    def _heed(self, deployment: Deployment, headers: Mapping[str, str]) -> None:
        """Leaves a deployment alone whose answer says that a limit is used up now."""
        wait = rest_after_answer(headers)
        if wait is not None:
            self._health.rest(deployment, wait, "an answer said that a limit is used up")

    def _note(
        self,
        error: BaseException,
        deployment: Deployment,
        step: Step,
        run: Run,
        began: float,
        span: str | None,
        streamed: Streamed | None = None,
    ) -> None:
        """Books a call that came to nothing. What a stream had said by then is billed, and of one
        that was left before its end what it had read: a budget would not bound who always leaves.
        """
        if isinstance(error, UpstreamError):
            # The caller's deadline says nothing about the deployment.
            if not (isinstance(error, UpstreamTimeout) and run.out_of_time):
                self._health.failed(deployment, error)
            if streamed is None:
                self._took(deployment, run, began, Usage())
            run.failures.append((deployment, error))
        elif not isinstance(error, asyncio.CancelledError):
            return
        attempt = Attempt(
            deployment=deployment.id,
            model=deployment.model,
            tier=step.number,
            outcome=error.kind if isinstance(error, UpstreamError) else "cancelled",
            error=error.message if isinstance(error, UpstreamError) else None,
            status=error.status if isinstance(error, UpstreamError) else None,
            latency_s=run.clock() - began,
            began_s=began - run.started,
            span=span,
        )
        if streamed is not None:
            reader = streamed.live.reader
            billed, estimated = self._billing.usage_or_count(
                reader.usage, run.decision.profile, reader.output_chars
            )
            attempt = replace(
                attempt,
                model=streamed.model,
                usage=billed,
                estimated=estimated,
                cost_usd=self._billing.cost(billed, streamed.prices),
            )
        elif isinstance(error, asyncio.CancelledError):
            # Nobody will say what it has written since.
            read = Usage(input_tokens=run.decision.profile.input_tokens)
            cost = self._billing.cost(read, deployment.prices)
            attempt = replace(attempt, usage=read, estimated=True, cost_usd=cost)
        run.add(attempt)

    async def _judged(
        self,
        deployment: Deployment,
        step: Step,
        run: Run,
        *,
        model: str,
        prices: Prices,
        usage: Usage | None,
        chars: int | None,
        completion: Callable[[], Completion],
        began: float,
        span: str | None,
        latency: float,
        ttft: float | None,
        refused: tuple[Verdict, ...] | None = None,
    ) -> Attempt:
        """Books an answer that is over, with its gates' verdicts if the step has gates.

        Args:
            refused: the verdicts for which a stream was left before its end.
            chars: the length of the answer, for providers that do not count tokens; None if it
                is to be read from the answer.
        """
        verdicts: tuple[Verdict, ...] = ()
        p: float | None = None
        length: int | None = None
        outcome = "accepted"
        failed: str | None = None
        probes: list[Attempt] = []
        try:
            if chars is None:
                chars = _length(completion()) if usage is None else 0
            if refused is not None:
                verdicts, outcome = refused, "abandoned"
                p = run.posterior(refused, step.tier)
            elif step.gated:
                answer = completion()
                length = len(answer.text)
                verdicts, p, accepted = await self._weighed(step, run, answer, probes)
                if not accepted:
                    outcome = "rejected"
                    self._hand_over(run, answer, verdicts)
        except RequestError:
            outcome = "rejected"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except Exception as raised:  # noqa: BLE001 - raised again, booked and named
            error = failure_of(raised, deployment)
            if isinstance(error, UpstreamError):
                outcome, failed = error.kind, error.message
                run.failures.append((deployment, error))
            raise error from error.__cause__
        finally:
            billed, estimated = self._billing.usage_or_count(
                usage, run.decision.profile, chars or 0
            )
            attempt = Attempt(
                deployment=deployment.id,
                model=model,
                tier=step.number,
                outcome=outcome,
                error=failed,
                status=200,
                usage=billed,
                estimated=estimated,
                cost_usd=self._billing.cost(billed, prices),
                ttft_s=ttft,
                latency_s=latency,
                verdicts=verdicts,
                p=p,
                length=length,
                began_s=began - run.started,
                span=span,
            )
            run.add(attempt)
            for probe in probes:
                run.add(probe)
        return attempt

    async def _weighed(
        self, step: Step, run: Run, answer: Completion, probes: list[Attempt]
    ) -> tuple[tuple[Verdict, ...], float, bool]:
        """What is said of an answer, P(acceptable) by all of it, and whether it is accepted.

        Args:
            probes: the calls that are made to judge it are appended.
        """
        tier = step.tier
        verdicts = await self._checker.verdicts(tier.gates, run.judged, answer)
        if self.probing is not None:
            verdicts = await self.probing.more(step, run, answer, verdicts, probes)
        if run.course is not None:
            return run.course.heard(tier, answer, verdicts)
        p = run.posterior(verdicts, tier)
        return verdicts, p, p >= tier.accept

    def _hand_over(self, run: Run, draft: Completion, verdicts: tuple[Verdict, ...]) -> None:
        """Shows a rejected draft to whoever is asked next, if the policy allows."""
        if run.decision.plan.hand_over:
            # Imported only here: few policies hand drafts over.
            from tierwise.execution.hand_over import handed_over

            run.handed_over = handed_over(run.task, draft, verdicts)


def _length(answer: Completion) -> int:
    """How much was said, in characters."""
    calls = sum(len(call.name) + len(call.arguments) for call in answer.tool_calls)
    return len(answer.text) + len(answer.refusal or "") + calls
