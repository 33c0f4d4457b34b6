"""A request as it comes in, whose it is, and what was found out about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from tierwise.types.words import Capability, Domain, Kind, OnStreamBreak, Priority, Streams


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


MOST_TAG_BYTES = 1500
"""Of an owner's tags together, as JSON. An index of PostgreSQL holds 2,704 bytes of a row, and a
label that it does not hold would keep those of others from being written."""


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
