"""The nouns of Tierwise: frozen values that travel from station to station.

A `Task` is analysed into a `Profile`, routed into a `Decision`, executed as `Attempt`s that end
in an answer, and kept as a `Record`. Units everywhere: money in USD, time in seconds, prices in
USD per million tokens, qualities and probabilities in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct, field

Kind = Literal[
    "classification",
    "extraction",
    "summarisation",
    "translation",
    "qa",
    "math",
    "code",
    "reasoning",
    "creative",
    "chat",
    "agent-step",
    "vision",
]
"""What sort of work a task is."""

Domain = Literal[
    "general",
    "finance",
    "legal",
    "medical",
    "science",
    "mathematics",
    "code",
    "creative",
    "translation",
    "support",
]
"""Which field of knowledge a task belongs to."""

Capability = Literal[
    "tools", "json_schema", "json_mode", "vision", "audio", "documents", "logprobs", "reasoning"
]
"""Something that a task may need and a model may lack."""

Streams = Literal["held", "prefix", "unchecked"]
"""What gates do to a stream that they may reject: hold all of it, hold its beginning, nothing."""

Priority = Literal["high", "normal", "low"]
"""Whose requests go first where there is not room for all."""

WAIT_S = 5.0
"""How long a request waits for a path to come back, in seconds, unless a policy says otherwise."""

OnStreamBreak = Literal["continue", "fail"]
"""What is done when a stream breaks of which the client has seen a part: another goes on, or it is
told."""

KINDS: frozenset[str] = frozenset(Kind.__args__)  # type: ignore[attr-defined]
DOMAINS: frozenset[str] = frozenset(Domain.__args__)  # type: ignore[attr-defined]
CAPABILITIES: frozenset[str] = frozenset(Capability.__args__)  # type: ignore[attr-defined]


class Part(Struct, frozen=True):
    """One piece of a message: text, an image, a file. Only what analysis reads is kept."""

    type: str
    text: str = ""


class Message(Struct, frozen=True):
    """One turn of a conversation, as much of it as analysis and gates read."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """The message's text, its parts joined by newlines."""
        if isinstance(self.content, str):
            return self.content
        if self.content is None:
            return ""
        return "\n".join(part.text for part in self.content if part.text)


class Owner(Struct, frozen=True, kw_only=True):
    """Whose a request is: ids of a key, its user, team and organisation, and the key's tags."""

    key: str | None = None
    user: str | None = None
    team: str | None = None
    org: str | None = None
    tags: tuple[str, ...] = ()


class Trace(Struct, frozen=True, kw_only=True, gc=False):
    """Where a request stands in a trace of several services (W3C Trace Context); ids are hex.

    `span` is the request's own, `parent` that of whoever called, None where the trace begins here.
    Only a `sampled` one is told of; `state` is the caller's `tracestate`, which is passed on.
    """

    id: str
    span: str
    parent: str | None = None
    sampled: bool = True
    state: str = ""


class Purse(Protocol):
    """What a request is paid from: the budgets that its caller has."""

    async def reserve(self, usd: float) -> None:
        """Sets aside what a request is expected to cost.

        Raises:
            BudgetExceeded: a hard budget has no room for it.
        """

    def settle(self, usd: float) -> None:
        """The request is over and has cost so much; what was set aside beyond it is free again."""


class Guard(Protocol):
    """What has looked at a request, and looks at its answer before anybody else.

    `said` is what its guardrails found so far, in words; `version` changes when they do.
    """

    said: tuple[str, ...]
    version: str

    @property
    def looks_at_answers(self) -> bool:
        """Whether the answer may not be seen before it was looked at."""

    async def answer(self, data: bytes, tokens: int) -> bytes:
        """A whole answer as it may be given.

        Raises:
            GuardrailRefused: it may not be.
            GuardrailBroke: nobody could tell.
        """

    async def stream(self, blocks: Sequence[bytes], tokens: int) -> Sequence[bytes]:
        """The blocks of a whole stream as they may be given; raises as `answer` does."""

    def shown(self, text: str) -> str:
        """A text of the same request or answer, with what was masked in it masked there."""


class Task(Struct, frozen=True, kw_only=True, dict=True):
    """One request, read from any dialect, with the raw body it came in.

    `model` is what the caller asked for: a catalogue model, `provider/model`, or a policy.
    `dialect` is what `body` is written in; the caller reads the answer in `read_in`, None for the
    same. `betas` are the trials of its dialect's provider that the caller takes part in
    (Anthropic's header `anthropic-beta`).
    `drop_unsupported` says whether what a provider's dialect has no words for may be left out; None
    leaves that to the policy.
    `deadline` is a point of the monotonic clock, in seconds, after which no answer is wanted.
    `arrived` is such a point, too. `owner` and `purse` are whose it is and what pays for it; None
    where there are no accounts. `trace` is None where nobody follows requests.
    `cache_control` is what the caller says of answers that were given before (RFC 9111).
    `guard` is there if guardrails look at it.
    `allowed` are the models that may answer; empty: all.
    """

    body: bytes
    model: str
    messages: list[Message]
    dialect: str = "openai-chat"
    read_in: str | None = None
    betas: tuple[str, ...] = ()
    stream: bool = False
    wants_stream_usage: bool = False
    max_output_tokens: int | None = None
    choices: int = 1
    tools: bool = False
    logprobs: bool = False
    reasoning: bool = False
    json_mode: bool = False
    json_schema: bytes | None = None
    policy: str | None = None
    quality: float | None = None
    max_cost_usd: float | None = None
    max_latency_s: float | None = None
    streams: Streams | None = None
    on_stream_break: OnStreamBreak | None = None
    drop_unsupported: bool | None = None
    cache_control: str | None = None
    session: str | None = None
    caller: str | None = None
    owner: Owner | None = None
    purse: Purse | None = None
    guard: Guard | None = None
    allowed: frozenset[str] = frozenset()
    priority: Priority = "normal"
    deadline: float = float("inf")
    arrived: float | None = None
    trace: Trace | None = None

    @property
    def conversation(self) -> str | None:
        """Its session by a name that no other organisation's has; None without one."""
        if self.session is None or self.owner is None or self.owner.org is None:
            return self.session
        return f"{self.owner.org}\n{self.session}"

    @property
    def reads(self) -> str:
        """The dialect in which the caller reads the answer."""
        return self.read_in or self.dialect


class Profile(Struct, frozen=True, kw_only=True):
    """What analysis found out about a task. `difficulty` is in [0, 1].

    `also` are domains that it touches beside its own.
    `output_tokens` are expected in all `choices` together. `language` is an ISO 639-1 code, empty
    where nobody looked.
    """

    kind: Kind
    domain: Domain
    difficulty: float
    also: frozenset[Domain] = frozenset()
    language: str = ""
    requires: frozenset[Capability] = frozenset()
    input_tokens: int = 0
    output_tokens: int = 0
    choices: int = 1
    commodity: bool = False


class Prices(Struct, frozen=True, kw_only=True):
    """List prices in USD per million tokens. Reasoning tokens are billed as output."""

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None


class Model(Struct, frozen=True, kw_only=True):
    """A catalogue entry.

    `quality` is a prior for the share of everyday tasks that the model does well, from public
    scores; learned predictors overrule it where there is data. `known` says that its capabilities
    are facts: what it lacks of them it cannot do, and not only was not said to.
    """

    id: str
    prices: Prices
    family: str = ""
    quality: float = 0.5
    context_window: int = 128_000
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    specialises: frozenset[Domain] = frozenset()
    known: bool = False


class Timeouts(Struct, frozen=True, kw_only=True):
    """How long to wait, in seconds, for each stage of an upstream call.

    `slow` ends no call: a first token, or a whole answer, that takes longer counts as slow.
    """

    connect: float = 5.0
    first_token: float = 60.0
    between_tokens: float = 30.0
    total: float = 300.0
    slow: float | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """How much may be asked for: requests and tokens a minute, calls at a time; None: no limit.

    Tokens are those of prompts and answers together.
    """

    rpm: float | None = None
    tpm: float | None = None
    concurrency: int | None = None


class Aws(Struct, frozen=True, kw_only=True):
    """Credentials for AWS: keys, else a profile of AWS's own files. `repr` hides the keys.

    `guardrail` is the one of Bedrock's, as `identifier:version`, that all answers go through.
    """

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    profile: str | None = None
    guardrail: str | None = None

    @property
    def says_who(self) -> bool:
        """Whether it names credentials."""
        return self.access_key_id is not None or self.profile is not None

    def __repr__(self) -> str:
        return f"Aws(profile={self.profile!r})"


class Deployment(Struct, frozen=True, kw_only=True):
    """One place where a model is served.

    `upstream_model` is the provider's own name of the model; `prices` are what it costs here.
    `max_output_tokens` is the longest answer that it gives, None where unknown. `api_key` never
    leaves the process except in the call itself; `repr` hides it. `lacks` are features of requests
    (`wire.features`) that it does not take, though its dialect has words for them. `aws` is what is
    configured for AWS; without, its own tools' places are looked at.
    """

    id: str
    model: str
    provider: str
    dialect: str
    base_url: str
    upstream_model: str
    prices: Prices
    max_output_tokens: int | None = None
    api_key: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    region: str | None = None
    weight: float = 1.0
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    quirks: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    aws: Aws | None = None

    def __repr__(self) -> str:
        return f"Deployment({self.id!r}, model={self.model!r}, base_url={self.base_url!r})"


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
    """What a caller wants. Callable as a model: `model="auto"`.

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


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens as the provider billed them.

    `input_tokens` includes the cached ones; `output_tokens` includes the reasoning ones.
    `cost_usd` is the provider's own figure where it reports one.
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
    """What the ledger keeps of one request.

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
