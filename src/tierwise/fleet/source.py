"""What a fleet is made of: its models, its tasks, and who says what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from tierwise.types import Capability, Domain, Kind, Prices

CHARS_PER_TOKEN = 4
"""How text is counted where nobody recorded its tokens."""


class FleetModel(Struct, frozen=True, kw_only=True):
    """A model that the fleet serves.

    `upstream` is the provider's own name for it, `homes` are the providers that serve it.
    Lifelike speed: `ttft_s` seconds to the first token, then `tokens_per_s`.
    """

    id: str
    upstream: str
    prices: Prices
    quality: float
    homes: tuple[str, ...]
    ttft_s: float
    tokens_per_s: float
    context_window: int = 32_768
    capabilities: frozenset[Capability] = frozenset()
    specialises: frozenset[Domain] = frozenset()


class WorkItem(Struct, frozen=True, kw_only=True):
    """One task of a workload.

    `request` holds the fields of a chat request that belong to the task (`messages`, and
    `response_format` or `tools` where it has them); the caller adds `model` and the rest.
    `difficulty` in [0, 1] is None where nobody recorded it.
    """

    id: str
    request: dict[str, Any]
    kind: Kind
    domain: Domain
    difficulty: float | None = None


class Said(Struct, frozen=True, kw_only=True):
    """What one model says to one prompt, and what that takes.

    `tool` is the name of a tool that it calls, and then `text` holds the arguments as JSON.
    `cost_usd` is the recorded cost; None where it follows from the prices. `latency_s` is the
    recorded time in seconds. `confidence` is the typical probability of its tokens; `logprob`
    is what was recorded of the whole answer, and then every token has it.
    """

    text: str
    input_tokens: int
    output_tokens: int
    tool: str | None = None
    finish_reason: str = "stop"
    cost_usd: float | None = None
    latency_s: float | None = None
    confidence: float | None = None
    logprob: float | None = None


class Source(Protocol):
    """Where answers come from: a recording or a simulation.

    `reference` is the model that savings and quality refer to.
    """

    simulated: bool
    models: Mapping[str, FleetModel]
    reference: str

    def prepare(self) -> None:
        """Does what takes long, so that the first request need not wait for it."""

    def items(self) -> Sequence[WorkItem]:
        """Every task of the workload."""

    def find(self, prompt: str) -> WorkItem | None:
        """The task with this text as its last user message, in the workload or not."""

    def said(self, item: WorkItem, model: str, choice: int = 0, /) -> Said:
        """What a model says to a task; `choice` counts from 0 where several are wanted."""

    def score(self, item: WorkItem, model: str, answer: str, /) -> float | None:
        """How good an answer is, in [0, 1]; None where nobody can tell."""

    def unknown(self, model: str, prompt: str, /) -> str:
        """What a model says to a prompt that is none of the tasks."""


def count_tokens(text: str) -> int:
    """An estimate, and at least one."""
    return max(1, len(text) // CHARS_PER_TOKEN)


def answer_text(message: Mapping[str, Any]) -> str:
    """The text that `Fleet.score` judges, from an answer's `message`.

    A tool call is written as JSON with `name` and `arguments`, several as lines.
    """
    calls = message.get("tool_calls") or ()
    if not calls:
        return str(message.get("content") or "")
    return "\n".join(
        call_text(call["function"]["name"], call["function"]["arguments"]) for call in calls
    )


def call_text(name: str, arguments: str) -> str:
    """A tool call as text; the arguments are taken as they are, valid or not."""
    return f'{{"name":"{name}","arguments":{arguments}}}'
