"""How long a decision takes: analysis and routing of one prompt, without any network."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from tierwise import __version__
from tierwise.analysis.lexicon import DOMAIN_OF, KIND_OF
from tierwise.bench.process import cpu_model
from tierwise.orchestrator import Orchestrator
from tierwise.types import Task
from tierwise.wire.openai_chat import read_request

MODELS = (
    *("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"),
    *("claude-3-5-sonnet", "claude-3-5-haiku", "gemini-2.5-flash", "gemini-2.5-pro"),
    "deepseek-chat",
)
CHARS = 2000
_WORDS_A_SENTENCE = 12


class DecisionTimes(Struct, frozen=True, kw_only=True):
    """Microseconds that a decision took, of so many prompts; `load` is the machine's meanwhile.

    `first_ms` are the milliseconds of the first, which loads the router.
    """

    p50_us: float
    p99_us: float
    first_ms: float
    prompts: int
    models: int
    load: float
    cpu: str
    tierwise: str


def time_decisions(prompts: int) -> DecisionTimes:
    """Decides about prompts of 2 kB among ten models, by the router that ships.

    Of each prompt the quickest of three: whoever else uses the machine can only make it slower.
    """
    orchestrator = Orchestrator.from_config(
        {
            "providers": {"p": {"base_url": "http://127.0.0.1:9/v1", "models": list(MODELS)}},
            "ledger": {"path": ":memory:"},
        }
    )
    tasks = [_task(text) for text in _texts(prompts)]
    (first,) = _pass(orchestrator, tasks[:1])
    passes = [_pass(orchestrator, tasks) for _ in range(3)]
    best = sorted(map(min, *passes))
    return DecisionTimes(
        p50_us=round(best[len(best) // 2]),
        p99_us=round(best[int(len(best) * 0.99)]),
        first_ms=round(first / 1000),
        prompts=prompts,
        models=len(MODELS),
        load=round(os.getloadavg()[0], 1),
        cpu=cpu_model(),
        tierwise=__version__,
    )


def _pass(orchestrator: Orchestrator, tasks: Sequence[Task]) -> list[float]:
    """Microseconds of each decision."""
    found: list[float] = []
    for task in tasks:
        start = time.perf_counter()
        orchestrator.decide(task)
        found.append((time.perf_counter() - start) * 1e6)
    return found


def _task(text: str) -> Task:
    body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
    return read_request(msgspec.json.encode(body))


def _texts(number: int) -> Iterator[str]:
    """Sentences of the words that analysis knows, the same every time."""
    words = sorted(word.decode() for word in {*DOMAIN_OF, *KIND_OF})
    chance = random.Random(0)  # noqa: S311 - no secret is made of it
    for _ in range(number):
        text = ""
        while len(text) < CHARS:
            text += f"{' '.join(chance.choices(words, k=_WORDS_A_SENTENCE)).capitalize()}. "
        yield text[:CHARS]
