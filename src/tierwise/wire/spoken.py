"""What any model can answer, in words of no dialect: whole, and as a stream of events."""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct, field

from tierwise.types import Usage
from tierwise.wire.conversation import Citation, Part

Finish = Literal["stop", "length", "tool_calls", "refusal", "filter", "pause", "stop_sequence"]
"""Why an answer ended. `refusal`: the model declined; `filter`: something took the answer away;
`pause`: the provider wants to be asked to go on; `stop_sequence`: one of the caller's was met."""


class Choice(Struct, kw_only=True):
    """One of the answers. `stop` is the stop sequence that was met, where the provider says so.

    `reported` is the provider's own word for the finish. `logprobs` is OpenAI's JSON of them.
    """

    parts: tuple[Part, ...]
    finish: Finish | None = None
    stop: str | None = None
    reported: str | None = None
    logprobs: Raw = Raw(b"")


class Spoken(Struct, kw_only=True):
    """A whole answer. `created` is a Unix time in seconds, 0 where unknown.

    `own` holds fields that only the dialect `origin` knows, by name.
    """

    id: str
    model: str
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    created: int = 0
    service_tier: str | None = None
    origin: str = ""
    own: dict[str, Raw] = field(default_factory=dict)


class Began(Struct, frozen=True, kw_only=True):
    """A stream began. `usage` is what was known of it then (Anthropic says what was read)."""

    id: str
    model: str
    created: int = 0
    usage: Usage | None = None


class TextPiece(Struct, frozen=True, kw_only=True):
    """More text of an answer."""

    text: str
    choice: int = 0
    signature: str | None = None
    origin: str = ""
    logprobs: Raw = Raw(b"")


class RefusalPiece(Struct, frozen=True, kw_only=True):
    """More of the words in which the model declines."""

    text: str
    choice: int = 0


class ReasoningPiece(Struct, frozen=True, kw_only=True):
    """More of what the model thinks. Signatures come in pieces after the text, `redacted` at once.

    `begins` says that a thought of its own begins here; `id` is its item's, `summary` is as in
    `Reasoning`.
    """

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    origin: str = ""
    id: str | None = None
    summary: bool = False
    begins: bool = False
    choice: int = 0


class ToolBegan(Struct, frozen=True, kw_only=True):
    """The model begins to call a tool; `call` counts the calls of a choice from 0."""

    call: int
    id: str
    name: str
    choice: int = 0
    signature: str | None = None
    origin: str = ""
    custom: bool = False


class ToolPiece(Struct, frozen=True, kw_only=True):
    """More of the arguments of a call."""

    call: int
    arguments: str
    choice: int = 0


class Cited(Struct, frozen=True, kw_only=True):
    """The text said last rests on this."""

    citation: Citation
    choice: int = 0


class ForeignPiece(Struct, frozen=True, kw_only=True):
    """A whole piece that only the dialect `origin` knows, as in `conversation.Foreign`."""

    origin: str
    what: str
    raw: Raw
    choice: int = 0


class Ended(Struct, frozen=True, kw_only=True):
    """One choice is over."""

    finish: Finish
    choice: int = 0
    stop: str | None = None
    reported: str | None = None


class Counted(Struct, frozen=True, kw_only=True):
    """The usage of the whole answer; a later one replaces an earlier one."""

    usage: Usage


Event = (
    Began
    | TextPiece
    | RefusalPiece
    | ReasoningPiece
    | ToolBegan
    | ToolPiece
    | Cited
    | ForeignPiece
    | Ended
    | Counted
)
"""One thing that a stream says. Its end is said by the stream's end, an error by an exception."""
