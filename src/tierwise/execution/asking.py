"""Asks models the questions of a probe, each at the places where its model is served."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tierwise.errors import ContextTooLong, UpstreamError, UpstreamRejected, UpstreamTimeout
from tierwise.execution.billing import Billing
from tierwise.execution.question import as_task
from tierwise.execution.run import Run
from tierwise.gates.probe import Question, Reply
from tierwise.providers import Adapter, Transport
from tierwise.providers.translating import speaking
from tierwise.state.health import Health
from tierwise.telemetry.context import carrying, span_for
from tierwise.types import Attempt, Completion, Deployment, Usage


class Addressed(Struct, frozen=True):
    """A question, the model that it goes to, and where that is served, the best place first."""

    question: Question
    model: str
    places: tuple[Deployment, ...]


class Inquiry(Struct, frozen=True):
    """For which gate, tier and request is asked, and until when (a point of the run's clock).

    The calls that are made are appended to `calls`, those that fail and those that are cancelled
    too.
    """

    gate: str
    tier: int
    run: Run
    until: float
    calls: list[Attempt]


class _Full:
    """That a question was not asked, as none of its places had room."""


_FULL = _Full()


class Asker:
    """Asks and bills.

    Args:
        telling: adapters that ask for log-probabilities, by deployment, where a model has them.
            A deployment that refuses to tell is taken out.
        reasoning: the models that reason before they answer.
    """

    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        telling: dict[str, Adapter],
        transport: Transport,
        health: Health,
        billing: Billing,
        reasoning: Collection[str] = (),
    ) -> None:
        self._adapters = adapters
        self._telling = telling
        self._transport = transport
        self._health = health
        self._billing = billing
        self._reasoning = reasoning

    async def ask(
        self, questions: Sequence[Addressed], inquiry: Inquiry
    ) -> list[Reply | BaseException | None]:
        """The replies, asked for at the same time as far as there is room; None where nobody gave
        one, or an error that is our own."""
        replies: list[Reply | BaseException | None] = [None] * len(questions)
        left = list(range(len(questions)))
        while left:
            said = await asyncio.gather(
                *(self._one(questions[number], inquiry) for number in left), return_exceptions=True
            )
            full = []
            for number, reply in zip(left, said, strict=True):
                if isinstance(reply, _Full):
                    full.append(number)
                else:
                    replies[number] = reply
            if len(full) == len(left):
                break  # others have all the room
            left = full
        return replies

    async def _one(self, one: Addressed, inquiry: Inquiry) -> Reply | _Full | None:
        """The reply of the first place that gives one; `_FULL` if none has room for it now."""
        asked = False
        for place in one.places:
            if inquiry.until <= inquiry.run.clock():
                return None
            # There was room for a question; another of the same probe may have taken it.
            if not self._health.admits(place):
                continue
            asked = True
            try:
                return await self._at(place, one, inquiry)
            except (UpstreamRejected, ContextTooLong):
                break  # it would be the same elsewhere
            except UpstreamError:
                continue
        return None if asked else _FULL

    async def _at(self, place: Deployment, one: Addressed, inquiry: Inquiry) -> Reply:
        """Asks at one place; and again without log-probabilities if it was for them that it
        refused."""
        plain = self._adapters[place.id]
        telling = self._telling.get(place.id) if one.question.first_token else None
        if telling is None:
            return await self._call(plain, one, inquiry)
        try:
            return await self._call(telling, one, inquiry)
        except UpstreamRejected:
            reply = await self._call(plain, one, inquiry)
            self._telling.pop(place.id, None)
            return reply

    async def _call(self, adapter: Adapter, one: Addressed, inquiry: Inquiry) -> Reply:
        """One call, booked however it ends.

        Raises:
            UpstreamError: it came to nothing.
        """
        place, run = adapter.deployment, inquiry.run
        task = as_task(one.question, run.task, one.model, reasons=one.model in self._reasoning)
        attempt = Attempt(
            deployment=place.id,
            model=place.model,
            tier=inquiry.tier,
            outcome="probe",
            gate=inquiry.gate,
            span=span_for(run.task.trace),
        )
        adapter = speaking(adapter, task)
        began = run.clock()
        patience = min(place.timeouts.total, inquiry.until - began)
        self._health.started(place)
        try:
            request = carrying(adapter.request(task), run.task.trace, attempt.span)
            response = await self._transport.send(request, patience)
            if not 200 <= response.status < 300:
                raise adapter.error(response.status, response.headers, response.body)
            reply = adapter.reply(response.body, task)
            said = reply.completion()
        except UpstreamError as error:
            # That a probe has less time than a call may take says nothing about the deployment.
            if not (isinstance(error, UpstreamTimeout) and patience < place.timeouts.total):
                self._health.failed(place, error)
            attempt = replace(attempt, status=error.status, error=f"{error.kind}: {error.message}")
            raise
        except asyncio.CancelledError:
            attempt = replace(attempt, error="cancelled")
            raise
        else:
            self._health.succeeded(place, run.clock() - began, None)
            model, prices = self._billing.answered_by(place, reply.reported_model)
            usage, estimated = self._usage(reply.usage, one.question, run, said)
            self._health.settle(place, began, 0, usage.input_tokens + usage.output_tokens)
            attempt = replace(
                attempt,
                model=model,
                status=200,
                usage=usage,
                estimated=estimated,
                cost_usd=self._billing.cost(usage, prices),
            )
        finally:
            self._health.left(place)
            took = run.clock() - began
            inquiry.calls.append(replace(attempt, latency_s=took, began_s=began - run.started))
        return _reply(said, one.question)

    def _usage(
        self, reported: Usage | None, question: Question, run: Run, said: Completion
    ) -> tuple[Usage, bool]:
        profile = run.decision.profile
        if question.messages:
            profile = replace(profile, input_tokens=question.input_tokens)
        return self._billing.usage_or_count(reported, profile, len(said.text))


def _reply(said: Completion, question: Question) -> Reply:
    if not (question.first_token and said.logprobs):
        return Reply(text=said.text)
    first = said.logprobs[0]
    return Reply(text=said.text, first_token={first.token: first.logprob})
