"""Requests that guardrails look at before anything else does: masked, or refused and booked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tierwise.analysis import Measured, classify, measure
from tierwise.errors import InvalidRequest, TierwiseError
from tierwise.execution import Run
from tierwise.finished import Finished
from tierwise.guardrails import Guard, Rules
from tierwise.guardrails.ceilings import Size
from tierwise.telemetry.in_hand import IN_HAND
from tierwise.types import Decision, Model, Plan, Policy, Task
from tierwise.wire.openai_chat import read_request
from tierwise.wire.translate import CHAT, read_task

if TYPE_CHECKING:
    from tierwise.passed_on import Passage
    from tierwise.wire.embeddings import EmbeddingsAsked

Finish = Callable[[Run, Measured], Finished]


class Guarded:
    """Stands before all that answers, also before the cache: what is kept is what may be seen.

    Args:
        finish: books a request that is over.
        new_id: makes the name of a decision.
    """

    def __init__(
        self,
        rules: Rules,
        models: Mapping[str, Model],
        policies: Mapping[str, Policy],
        finish: Finish,
        new_id: Callable[[], str],
    ) -> None:
        self.rules = rules
        self._models = models
        self._policies = policies
        self._finish = finish
        self._new_id = new_id

    async def looked_at(self, task: Task) -> Task:
        """The request as it may go on, masked where it has to be.

        Raises:
            GuardrailRefused: it may not. It is booked.
            GuardrailBroke: nobody could tell. So is that.
        """
        guard = self.rules.guard(task)
        if guard is None:
            return task
        masked, error = await guard.request(task.body, _size(task))
        if masked is not None:
            # What analysis and gates read is masked, too.
            read = read_request if task.dialect == CHAT else partial(read_task, task.dialect)
            task = replace(task, body=masked, messages=read(masked).messages)
        task = replace(task, guard=guard)
        if error is not None:
            self._refuse(task, guard, error)
            raise error
        return task

    async def looked_at_texts(self, asked: EmbeddingsAsked, said: list[str]) -> EmbeddingsAsked:
        """A request for embeddings as it may go on; whose booking is its own.

        Only guardrails that are always on look at it, as it belongs to no policy.

        Args:
            said: takes what they found, in words.

        Raises:
            GuardrailRefused, GuardrailBroke: as `looked_at`.
        """
        guard = self._guard_of_all()
        if guard is None:
            return asked
        if asked.tokens:
            raise InvalidRequest(
                "`input` holds tokens, which guardrails cannot look at. Send texts.", param="input"
            )
        chars = sum(map(len, asked.texts))
        size = Size(bytes=len(asked.body), tokens=chars // 4, messages=asked.inputs)
        masked, error = await guard.request(asked.body, size)
        said += guard.said
        if error is not None:
            raise error
        if masked is None:
            return asked
        texts = msgspec.json.decode(masked, type=_Input).input
        return replace(asked, body=masked, texts=(texts,) if isinstance(texts, str) else texts)

    @property
    def looks_at_all(self) -> bool:
        """Whether something looks at requests that belong to no policy."""
        return self._guard_of_all() is not None

    async def looked_at_passed(
        self, body: bytes | None, passage: Passage, *, everywhere: bool
    ) -> bytes | None:
        """The body of a call that is passed through as it may go on, by what is always on.

        What was found is noted in the passage.

        Args:
            body: None for one that cannot be looked into, as it is no JSON.
            everywhere: whether all its values are words.

        Raises:
            GuardrailRefused, GuardrailBroke: as `looked_at`.
            InvalidRequest: it says that it is JSON, and is not.
        """
        guard = self._guard_of_all()
        if guard is None:
            return body
        masked: bytes | None = None
        error: TierwiseError | None
        if body is None:
            error = guard.unseen()
        else:
            masked, error = await guard.request(body, everywhere=everywhere)
        passage.guardrails = guard.said
        if error is not None:
            raise error
        return body if masked is None else masked

    def _guard_of_all(self) -> Guard | None:
        guard = self.rules.guard_of_all()
        return guard if guard is not None and guard.looks_at_requests else None

    def _refuse(self, task: Task, guard: Guard, error: TierwiseError) -> None:
        """Books a request that goes to nobody."""
        if not self._models:
            return  # there is nobody, and records refer to a model
        asked = task.policy or task.model
        policy = self._policies.get(asked)
        reference = policy.reference if policy is not None else None
        measured = measure(task)
        decision = Decision(
            id=self._new_id(),
            at=time.time(),
            requested=asked,
            policy=asked if policy is not None else None,
            reference=reference or max(self._models, key=lambda n: self._models[n].quality),
            profile=classify(measured),
            plan=Plan(tiers=()),
            candidates=(),
            reason="no model was asked: " + (guard.said[-1] if guard.said else str(error)),
            guardrails=guard.said,
        )
        run = Run(task, decision, {}, time.monotonic)
        run.error = f"{type(error).__name__}: {error}"
        held = IN_HAND.get()
        if held is not None:
            held.run = run
        error.decision_id = decision.id
        self._finish(run, measured)


class _Input(Struct):
    input: str | tuple[str, ...]


def _size(task: Task) -> Size:
    return Size(
        bytes=len(task.body),
        tokens=measure(task).profile.input_tokens,
        messages=len(task.messages),
        output_tokens=task.max_output_tokens,
    )
