"""What comes of a request: an answer, a stream, and in the end what the ledger keeps of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from tierwise.analysis import Measured, classify
from tierwise.catalog import reference_cost
from tierwise.execution import Run
from tierwise.types import Completion, Decision, Owner, Prices, Record, Trace


class Finished(Struct):
    """A request that is over, and what its record is made from.

    `reference` are the prices of the reference model, None where no model was asked.

    Making the record is left to whoever wants it: for the ledger that is a thread which makes
    many in a row, at a fraction of the cost that each would have between two requests.
    """

    decision: Decision
    run: Run
    measured: Measured
    reference: Prices | None
    latency_s: float
    stream: bool
    caller: str | None
    owner: Owner | None
    session: str | None
    prompt: bytes | None
    trace: Trace | None = None

    def record(self) -> Record:
        """What the ledger keeps."""
        run = self.run
        decision = self.decision
        if decision.policy is None:
            # The caller named the model, so nobody has read the words yet.
            decision = replace(decision, profile=classify(self.measured))
        return Record(
            decision=decision,
            attempts=tuple(run.attempts),
            status=run.status,
            cost_usd=run.cost_usd,
            reference_cost_usd=self._reference_cost(),
            latency_s=self.latency_s,
            ttft_s=run.ttft_s,
            model=run.model,
            deployment=run.deployment,
            tier=run.tier,
            failovers=len(run.failures),
            stream=self.stream,
            usage=run.usage,
            caller=self.caller,
            owner=self.owner,
            session=self.session,
            error=run.error,
            prompt=self.prompt.decode("utf-8", "replace") if self.prompt is not None else None,
            answer=run.answer,
            waited_s=run.waited_s,
            analysis_s=run.analysis_s,
            routing_s=run.routing_s,
            trace=self.trace,
        )

    def _reference_cost(self) -> float:
        if self.reference is None:
            return self.run.saved_usd
        return reference_cost(self.run.usage, self.reference)


@dataclass(slots=True)
class Answered:
    """A complete answer in the caller's dialect, and how it came about."""

    body: bytes
    completion: Callable[[], Completion]
    finished: Finished


@dataclass(slots=True)
class Streaming:
    """A stream in the caller's dialect. Iterate `chunks` to its end, or close it.

    `judged` says that the whole stream was held back and has passed its gates.
    """

    chunks: AsyncGenerator[bytes]
    run: Run
    model: str
    deployment: str
    tier: int
    judged: bool
