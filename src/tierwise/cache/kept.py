"""An answer as it is kept, and as it is found again."""

from __future__ import annotations

import sys
from typing import Literal

import msgspec
from msgspec import Struct

from tierwise.types import Completion, Decision, Usage

Likeness = Literal["same", "similar"]
"""Whether the request was the same, or only meant the same."""


class Kept(Struct, frozen=True, kw_only=True):
    """An answer, and what is needed to give it again as if it were new.

    `blocks` are its bytes: one of a whole answer, several of a stream, each of complete events.
    `cost_usd` is what it cost when it was made. `decision` is the one that it was made by; `at` is
    a Unix time in seconds. `left_out` are the parameters that its model was not told, by the
    client's names of them.
    """

    blocks: tuple[bytes, ...]
    model: str
    deployment: str
    tier: int
    usage: Usage
    cost_usd: float
    decision: Decision
    at: float
    completion: Completion | None = None
    left_out: tuple[str, ...] = ()

    @property
    def written(self) -> int:
        """The bytes of the answer."""
        return sum(map(len, self.blocks))

    @property
    def size(self) -> int:
        """About the bytes that it takes: a whole answer is held as it was written and as read."""
        read = 0 if self.completion is None else _size(self.completion)
        return self.written + read + OVERHEAD_BYTES


OVERHEAD_BYTES = 2000
"""What an entry takes beside its answer: its decision, its key, the structures that hold it."""
_LOGPROB_BYTES = 170
"""A token's log-probability: its text, two numbers, and what holds them."""


def _size(said: Completion) -> int:
    texts = [said.text, said.refusal or "", *(call.arguments for call in said.tool_calls)]
    return sum(map(sys.getsizeof, texts)) + _LOGPROB_BYTES * len(said.logprobs)


class Found(Struct, frozen=True):
    """An answer that may be given again. `age_s` are the seconds since it was made."""

    kept: Kept
    likeness: Likeness
    age_s: float


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Kept).decode
