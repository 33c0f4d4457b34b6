"""What the ledger keeps of a call that was passed through: what can be seen from outside."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from tierwise.errors import TierwiseError
from tierwise.ledger import Aside, Ledger, Told
from tierwise.names import new_id
from tierwise.providers.passthrough import PassedAnswer
from tierwise.telemetry.in_hand import unrouted
from tierwise.types import Owner, Usage
from tierwise.wire.compression import NotCompressed, TooLarge, UnknownCoding, inflated
from tierwise.wire.unreadable import UNREADABLE

MOST_READ = 64 << 10
"""Answers of more bytes are not read for what they say of usage, nor kept while they pass."""
_MOST_UNPACKED = 1 << 20
_MOST_CHARS = 200

_Count = Annotated[int, Meta(ge=0, le=10**12)] | None


class _Usage(Struct):
    """As OpenAI's newer endpoints and Anthropic count, and as OpenAI's older ones do."""

    input_tokens: _Count = None
    output_tokens: _Count = None
    prompt_tokens: _Count = None
    completion_tokens: _Count = None


class _Answer(Struct):
    usage: _Usage | None = None


_decode = msgspec.json.Decoder(_Answer).decode
CostOf = Callable[[str | None, bytes], float | None]
"""What a call cost in USD, None if that is unknown: of the model that was asked for, None if that
was not read, and of the answer's JSON."""


class Passage:
    """One call, from the moment when it is known who gets it; `over` writes it down.

    `name` is what it is called in the ledger, `guardrails` is what those found in it, in words,
    `usage` and `cost_usd` are what is known once it is over of the tokens that it used, and of what
    they cost in USD.

    Args:
        kind: what its path is about, see `passing.kind_of`.
        caller: whose key it came with; None if it needs none.
        owner: whose request that makes it.
        told: what is told of it beside what the ledger keeps, as far as that is known before.
        cost_of: reckons what it cost; None: that stays unknown.
    """

    def __init__(
        self,
        method: str,
        path: str,
        kind: str,
        provider: str,
        caller: str | None = None,
        owner: Owner | None = None,
        told: Told | None = None,
        cost_of: CostOf | None = None,
    ) -> None:
        self.name = new_id()
        self._noted = unrouted(self.name)
        self.guardrails: tuple[str, ...] = ()
        self.usage: Usage | None = None
        self.cost_usd: float | None = None
        self._method = method
        self._asked = f"{method} {path}"[:_MOST_CHARS]
        self._kind = kind
        self._provider = provider
        self._caller = caller
        self._owner = owner
        self._told = told or Told()
        self._at = time.time()
        self._began = time.monotonic()
        self._code: int | None = None
        self._parts: list[bytes] | None = None
        self._size = 0
        self._codings: str | None = None
        self._cost_of = cost_of
        self._over = False

    def sending(self, span: str | None = None, model: str | None = None) -> None:
        """The call begins now.

        Args:
            span: what a trace calls it.
            model: that its body names.
        """
        began = time.monotonic() - self._began
        self._told = replace(self._told, sent=True, began_s=began, span=span, model=model)
        self._noted.model = None if model is None else model[:_MOST_CHARS]

    def answered(self, answer: PassedAnswer) -> None:
        """The head of the answer is here."""
        self._code = answer.status
        headers = dict(answer.headers)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        # What is only looked up, such as a batch that is over, was used by another call.
        if kind == "application/json" and self._method == "POST":
            self._parts = []
            self._codings = headers.get("content-encoding")

    def saw(self, piece: bytes) -> None:
        """Some of the answer's body came by."""
        if self._parts is not None:
            self._size += len(piece)
            if self._size > MOST_READ:
                self._parts = None
            else:
                self._parts.append(piece)

    def left(self, ledger: Ledger) -> None:
        """As `over`, where nobody waits for the rest any more."""
        self.over(ledger, CancelledError())

    def over(self, ledger: Ledger, error: BaseException | None = None) -> None:
        """Hands it to the ledger, once. What it cost is known if its answer says what was used.

        Args:
            error: why it did not get to its end, which is told its name; None if it did.
        """
        if self._over:
            return
        self._over = True
        if isinstance(error, TierwiseError):
            error.decision_id, error.attempts = self.name, 1
        # Also of one that broke off: whoever hangs up at the last word has used all of it.
        usage = self._used()
        read = _first(usage.input_tokens, usage.prompt_tokens)
        said = _first(usage.output_tokens, usage.completion_tokens)
        if read is not None or said is not None:
            self.usage = Usage(input_tokens=read or 0, output_tokens=said or 0)
        self._noted.input_tokens, self._noted.output_tokens = read, said
        self._noted.cost_usd = self.cost_usd
        status: Literal["ok", "error", "cancelled"] = "ok"
        why = None
        if isinstance(error, Exception):
            status, why = "error", f"{type(error).__name__}: {error}"
        elif error is not None:
            status = "cancelled"
        elif self._code is not None and self._code >= 400:
            status, why = "error", f"UpstreamError: the provider answered {self._code}"
        ledger.noted(
            Aside(
                id=self.name,
                at=self._at,
                kind=self._kind,
                asked=self._asked,
                status=status,
                latency_s=time.monotonic() - self._began,
                caller=self._caller,
                owner=self._owner,
                provider=self._provider,
                code=self._code,
                cost_usd=self.cost_usd,
                input_tokens=read,
                output_tokens=said,
                error=why,
                guardrails=self.guardrails,
                told=self._told,
            )
        )

    def _used(self) -> _Usage:
        """What the answer says of usage, and so of cost; nothing where that cannot be read."""
        if not self._parts:
            return _Usage()
        body = b"".join(self._parts)
        try:
            if self._codings is not None:
                body = inflated(body, self._codings, _MOST_UNPACKED)
            found = _decode(body).usage
        except (*UNREADABLE, NotCompressed, TooLarge, UnknownCoding):
            return _Usage()
        if found is not None and self._cost_of is not None:
            self.cost_usd = self._cost_of(self._told.model, body)
        return found or _Usage()


def _first(one: int | None, other: int | None) -> int | None:
    return other if one is None else one
