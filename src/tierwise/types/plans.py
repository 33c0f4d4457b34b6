"""What callers want, and what is decided for them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tierwise.types.task import Profile
from tierwise.types.words import WAIT_S, OnStreamBreak, Streams


class Tier(Struct, frozen=True, kw_only=True):
    """One step of a plan: ask `model`, accept the answer if P(acceptable) reaches `accept`.

    `expected` is the quality that was predicted of the model, where that was learned: what gates
    say of the answer moves P(acceptable) up or down from there. `second` is the model that the
    probe `agreement` asks for another answer; its own name stands for a second sample of it.
    """

    model: str
    gates: tuple[str, ...] = ()
    accept: float = 0.5
    expected: float | None = None
    second: str | None = None


class Weights(Struct, frozen=True, kw_only=True):
    """What counts against a model beside the quality that it lacks.

    `cost` multiplies its cost; `latency` is what one second of waiting is worth, in USD.
    """

    cost: float = 1.0
    latency: float = 0.0


class Policy(Struct, frozen=True, kw_only=True):
    """What a caller wants. Callable as a model: `model="auto"`. Costs are in USD, times in seconds.

    `quality` is the fraction of the reference's predicted quality that an answer must reach.
    `reference` is the model that savings and quality are measured against; None means the best
    model that is configured. `tiers` pins the plan by hand. `allow` names models or providers,
    `deny` models, providers or regions; `regions` are the only ones that may serve.

    `judge` and `second` are models that the probes `judge` and `agreement` ask, and `rubric` is
    what the judge is to look at, too. Probes may spend `probe_share` of what the policy's requests
    cost. `hand_over` lets the next tier see a rejected draft. `on_stream_break` is for streams that
    break after their first word; before it, another is always asked.

    `wait_s` is how long a request waits for a path to come back when none is open. `hedge`
    asks a second deployment when the first is slower than it is 95 times of 100.
    `drop_unsupported` leaves out of a request what a provider's dialect has no words for.
    `guardrails` look at its requests and answers.
    """

    name: str
    reference: str | None = None
    quality: float = 0.95
    max_cost_usd: float | None = None
    max_latency_s: float | None = None
    weights: Weights = Weights()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = ()
    gates: tuple[str, ...] = ("complete", "json_schema")
    fallbacks: tuple[str, ...] = ()
    judge: str | None = None
    second: str | None = None
    rubric: str = ""
    probe_share: float = 0.1
    hand_over: bool = False
    streams: Streams = "held"
    hold_s: float = 60.0
    on_stream_break: OnStreamBreak = "continue"
    deadline_s: float = 600.0
    wait_s: float = WAIT_S
    hedge: bool = False
    drop_unsupported: bool = False
    guardrails: tuple[str, ...] = ()

    @property
    def gate_names(self) -> frozenset[str]:
        """The gates and probes that the policy names, for any of its tiers."""
        return frozenset(self.gates).union(*(tier.gates for tier in self.tiers))


class Estimate(Struct, frozen=True, kw_only=True):
    """What routing expects of one model on one task. Costs in USD, times in seconds.

    Two are of the task and the same for every model: `novelty` in [0, 1] says how unlike what was
    learned from it is (0 where nothing was), and `difficulty` is the one that was learned, in
    log-odds with 0 for the mean task; None where nothing was.
    """

    quality: float
    quality_low: float
    cost_usd: float
    cost_p90_usd: float
    ttft_s: float
    latency_s: float
    novelty: float = 0.0
    difficulty: float | None = None


class Candidate(Struct, frozen=True, kw_only=True):
    """A model that was considered, what was expected of it, and what became of it.

    `role` says where it stands in the plan; `why` gives the reason in words. `value` is quality
    less what its cost is worth at the decision's `rate`, where quality was learned. `scarcity` is
    what counted against it, in quality, because others want it more than it can take.
    """

    model: str
    role: Literal["tier", "fallback", "unused", "excluded"]
    why: str
    estimate: Estimate | None = None
    value: float | None = None
    scarcity: float = 0.0


class Plan(Struct, frozen=True, kw_only=True):
    """Ordered tiers, and the models that stand in if all deployments of a tier fail.

    An `adaptive` plan fixes only who is asked first: which of the other tiers are asked, and in
    which order, is chosen after each answer, at the decision's `rate`.

    `target` is the quality that was wanted of this task, and the first `listed` of the fallbacks
    are those that the policy names itself. `streams`, `hold_s`, `judge`, `probe_share`,
    `hand_over`, `max_cost_usd`, `wait_s`, `hedge` and `on_stream_break` are the policy's, or what
    the request says instead.
    """

    tiers: tuple[Tier, ...]
    fallbacks: tuple[str, ...] = ()
    streams: Streams = "held"
    hold_s: float = 60.0
    judge: str | None = None
    probe_share: float = 0.1
    hand_over: bool = False
    adaptive: bool = False
    target: float = 0.0
    listed: int = 0
    max_cost_usd: float | None = None
    wait_s: float = WAIT_S
    hedge: bool = False
    on_stream_break: OnStreamBreak = "continue"


class Decision(Struct, frozen=True, kw_only=True):
    """The plan for one task, everything it was chosen from, and the reason in words.

    `pinned` holds a deployment id when the caller named `provider/model`. `at` is a Unix time.
    `router` is what predicted quality: `default`, the file of an artifact, or `rules`; empty where
    nothing had to be predicted. `rate` is what one USD is worth in quality (λ), and `guard` says
    whether the best single model was left and why; both only where quality was learned.
    `certificate` is the hash of the certificate whose combination and thresholds the plan rests on,
    None for plans without; `promised` says that this request is one of those that it promises
    something about. `guardrails` is what guardrails found and did, a line for each.
    """

    id: str
    at: float
    requested: str
    policy: str | None
    reference: str
    profile: Profile
    plan: Plan
    candidates: tuple[Candidate, ...]
    reason: str
    pinned: str | None = None
    router: str = ""
    rate: float | None = None
    guard: str = ""
    certificate: str | None = None
    promised: bool = False
    guardrails: tuple[str, ...] = ()


class Held(Struct, frozen=True):
    """The model that answered last in a conversation, the tokens that its provider's prompt cache
    holds of it, and until when (a point of the monotonic clock, in seconds)."""

    model: str
    tokens: int
    until: float
