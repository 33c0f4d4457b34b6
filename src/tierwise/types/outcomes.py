"""What came of a request: attempts, verdicts, and the record that is kept."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from tierwise.types.plans import Decision
from tierwise.types.task import Owner, Trace


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens as the provider billed them.

    `input_tokens` includes the cached ones; `output_tokens` includes the reasoning ones.
    `cost_usd` is the provider's own figure, in USD, where it reports one; None elsewhere.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """One gate's view of one answer: P(acceptable) and why.

    It was asked `after_s` seconds after the first one of its answer, and took `took_s`; None where
    nobody looked at a clock.
    """

    gate: str
    p: float
    reason: str
    after_s: float | None = None
    took_s: float | None = None


class Attempt(Struct, frozen=True, kw_only=True):
    """One call to one deployment and what came of it.

    `outcome` is `accepted`, `rejected` (by gates), `abandoned` (a stream whose beginning gates
    rejected), `cancelled`, `probe` (a call that only helps to judge another's answer; `gate` is the
    gate that asked for it, `error` says why it came to nothing) or the name of an upstream error.
    `estimated` marks a usage that the provider did not report and that was counted instead. `p` is
    P(acceptable) by all `verdicts` together, None where nothing was judged; `length` counts the
    characters of a text that was judged whole. `continues` says that it went on where others had
    broken off, after so many characters; None for a call that began an answer. `began_s` is when it
    began, in seconds from when the request was routed, and `span` what a trace calls it.
    """

    deployment: str
    model: str
    tier: int
    outcome: str
    error: str | None = None
    status: int | None = None
    usage: Usage | None = None
    estimated: bool = False
    cost_usd: float = 0.0
    ttft_s: float | None = None
    latency_s: float = 0.0
    verdicts: tuple[Verdict, ...] = ()
    p: float | None = None
    length: int | None = None
    gate: str = ""
    continues: int | None = None
    began_s: float | None = None
    span: str | None = None


CACHE = "cache"
"""What stands for a deployment where no model was asked."""


class Record(Struct, frozen=True, kw_only=True):
    """What the ledger keeps of one request. Costs are in USD, times in seconds.

    `status` is `ok`, `error` or `cancelled`. `reference_cost_usd` is what the same answer would
    have cost from the reference model: the answer's token counts at the reference's prices.
    `prompt` and `answer` are only filled when the configuration says that content is stored.
    An answer that was given before has no attempts and `CACHE` for a deployment; its
    `reference_cost_usd` is what it cost when it was made.
    `latency_s` begins when the request was routed. Before that it had waited for `waited_s` to be
    looked at, analysis took `analysis_s`, and routing, from `decision.at` on, `routing_s`.
    """

    decision: Decision
    attempts: tuple[Attempt, ...]
    status: Literal["ok", "error", "cancelled"]
    cost_usd: float
    reference_cost_usd: float
    latency_s: float
    ttft_s: float | None = None
    model: str | None = None
    deployment: str | None = None
    tier: int | None = None
    failovers: int = 0
    stream: bool = False
    usage: Usage = field(default_factory=Usage)
    caller: str | None = None
    owner: Owner | None = None
    session: str | None = None
    error: str | None = None
    prompt: str | None = None
    answer: str | None = None
    waited_s: float | None = None
    analysis_s: float | None = None
    routing_s: float | None = None
    trace: Trace | None = None


class ToolCall(Struct, frozen=True, kw_only=True):
    """A tool that the model wants to be called; `arguments` is JSON text."""

    name: str
    arguments: str
    id: str = ""


class TokenLogprob(Struct, frozen=True):
    """One token of an answer and the natural logarithm of its probability.

    `runner_up` is that of the likeliest other token, None where the provider does not say.
    """

    token: str
    logprob: float
    runner_up: float | None = None


class Completion(Struct, frozen=True, kw_only=True):
    """What a model said, read from any dialect: what gates judge.

    `logprobs` are there where they were asked for and the provider gives them.
    """

    text: str
    finish_reason: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
