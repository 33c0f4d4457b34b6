"""What cascadeflow's gates say of recorded drafts.

cascadeflow is used as its users do: an agent of two models, whose provider gives out what was
recorded. So its own router, confidence, alignment and length decide, by its own code and defaults.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from cascadeflow import CascadeAgent, ModelConfig
from cascadeflow.providers import PROVIDER_REGISTRY, BaseProvider, ModelResponse
from msgspec import Struct
from numpy.typing import NDArray

VERSION = version("cascadeflow")

_PROVIDER = "together"
_FALLBACK = 0.82
"""What its provider for Together has `add_logprobs_fallback` assume where none came."""
_TEMPERATURE = 0.7
"""The default of `CascadeAgent.run`."""
_SMALL, _LARGE = "small", "large"
_SMALLEST_STEP = 1e-9
_HALVINGS = 12

logging.getLogger("cascadeflow").setLevel(logging.CRITICAL)


class Draft(Struct, frozen=True):
    """A small model's recorded answer, with its one recorded log-probability if there is one."""

    prompt: str
    text: str
    logprob: float | None


class Routes(Struct, frozen=True):
    """What its agent makes of n prompts before anybody is asked.

    `direct` (n,) are those sent to the larger model at once; `complexity` is its word for each.
    """

    direct: NDArray[np.bool_]
    complexity: list[str]


class Judged(Struct, frozen=True):
    """What its gates say of n drafts.

    `shipped` (n,) is whether each is accepted by the defaults, with thresholds that adapt from one
    to the next. The others are the highest threshold at which a draft is accepted, (n,): -inf where
    no threshold helps, inf where none matters. `gates` is by all gates, `short` by all gates when
    told that the answers are short (`complexity_hint="trivial"`), `confidence` by its confidence
    alone, and `blind` by the confidence that it states when it is not shown the prompt, which
    its check for answers off the topic then cannot cap.
    """

    shipped: NDArray[np.bool_]
    gates: NDArray[np.float64]
    short: NDArray[np.float64]
    confidence: NDArray[np.float64]
    blind: NDArray[np.float64]


class _Recorded(BaseProvider):  # type: ignore[misc]
    """Gives out the draft in hand, with the confidence that its own providers would state."""

    draft: Draft
    _known: tuple[Draft, float] | None = None

    def confidence(self, prompt: str | None) -> float:
        """What its own providers would state of the draft in hand."""
        text, logprob = self.draft.text, self.draft.logprob
        logprobs = None if logprob is None else [logprob]
        about = {"query": prompt, "logprobs": logprobs, "temperature": _TEMPERATURE}
        stated = _response(text, _SMALL, self.calculate_confidence(text, about))
        if logprobs is None:
            stated = self.add_logprobs_fallback(stated, _TEMPERATURE, base_confidence=_FALLBACK)
        return float(stated.confidence)

    async def _complete_impl(self, prompt: str, model: str, **_: Any) -> Any:
        if model == _LARGE:
            return _response("", model, 1.0)
        if self._known is None or self._known[0] is not self.draft:
            self._known = (self.draft, self.confidence(prompt))
        return _response(self.draft.text, model, self._known[1])

    async def _stream_impl(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def estimate_cost(self, tokens: int, model: str) -> float:
        """Nothing: what was recorded is billed elsewhere."""
        del tokens, model
        return 0.0


def _response(text: str, model: str, confidence: float) -> Any:
    return ModelResponse(
        content=text, model=model, provider=_PROVIDER, cost=0.0, tokens_used=1,
        confidence=confidence,
    )  # fmt: skip


class _Agent:
    """One of its agents, of two models."""

    def __init__(self) -> None:
        PROVIDER_REGISTRY[_PROVIDER] = _Recorded
        models = [
            ModelConfig(_SMALL, provider=_PROVIDER, cost=0.001),
            ModelConfig(_LARGE, provider=_PROVIDER, cost=0.1),
        ]
        self._agent = CascadeAgent(models)

    def show(self, draft: Draft) -> None:
        """What the small model says from now on."""
        for provider in self._agent.model_providers.values():
            provider.draft = draft

    def blind(self) -> float:
        """The confidence stated of the draft in hand without its prompt."""
        return float(self._agent.model_providers[_SMALL].confidence(None))

    async def route(self, prompt: str) -> tuple[bool, str]:
        """Whether the prompt goes to the larger model at once, and how complex it is held for."""
        self.show(Draft(prompt, "", None))
        result = await self._agent.run(prompt)
        return result.routing_strategy == "direct", result.complexity

    async def try_draft(
        self, prompt: str, complexity: str, **threshold: float
    ) -> tuple[bool, float]:
        """Whether the draft is accepted, and the confidence stated; as `run` does once routed."""
        result = await self._agent.cascade.execute(
            prompt, temperature=_TEMPERATURE, complexity=complexity, **threshold
        )
        return result.draft_accepted, result.draft_confidence


def route(prompts: Sequence[str]) -> Routes:
    """Its agent's word on each prompt. It has the same one whoever drafts."""

    async def all_of_them() -> list[tuple[bool, str]]:
        agent = _Agent()
        return [await agent.route(prompt) for prompt in prompts]

    found = asyncio.run(all_of_them())
    return Routes(np.array([direct for direct, _ in found], bool), [word for _, word in found])


def judge(drafts: Sequence[Draft], routes: Routes, say: Callable[[float], None]) -> Judged:
    """Its gates on these drafts, in order; `say` is told what share is done."""

    async def all_of_them() -> list[tuple[bool, float, float, float, float]]:
        shipped, tuned = _Agent(), _Agent()
        found = []
        for row, (draft, word) in enumerate(zip(drafts, routes.complexity, strict=True)):
            shipped.show(draft)
            tuned.show(draft)
            accepted = False
            if not routes.direct[row]:  # what is never drafted teaches its thresholds nothing
                accepted, _ = await shipped.try_draft(draft.prompt, word)
            gates, stated = await _limit(tuned, draft.prompt, word)
            short, _ = await _limit(tuned, draft.prompt, "trivial")
            found.append((accepted, gates, short, stated, tuned.blind()))
            if row % 100 == 0:
                say(row / len(drafts))
        return found

    shipped, *limits = zip(*asyncio.run(all_of_them()), strict=True)
    return Judged(np.array(shipped, bool), *(np.array(one) for one in limits))


async def _limit(agent: _Agent, prompt: str, complexity: str) -> tuple[float, float]:
    """The highest threshold at which a draft is accepted, and the confidence stated.

    That is the confidence itself nearly always, which is tried first. Where the gates bend one of
    them it is found by halving.
    """

    async def accepts(threshold: float) -> bool:
        accepted, _ = await agent.try_draft(prompt, complexity, quality_threshold=threshold)
        return accepted

    accepted, stated = await agent.try_draft(prompt, complexity, quality_threshold=0.0)
    if not accepted:
        return -np.inf, stated
    if await accepts(1.0 + _SMALLEST_STEP):
        return np.inf, stated
    if await accepts(stated) and not await accepts(stated + _SMALLEST_STEP):
        return stated, stated
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if await accepts(middle) else (low, middle)
    return low, stated
