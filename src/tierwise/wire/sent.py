"""What a client has seen of a stream that broke: read from the bytes that were sent, afterwards.

While a stream is well nobody needs to know, so its events are only kept, and pressed together now
and then: they are alike but for a word each, and a twentieth of them is left.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw, Struct, field

from tierwise.wire import sse
from tierwise.wire.openai_chat import given
from tierwise.wire.unreadable import UNREADABLE

PRESSED_AT = 128 << 10
"""Bytes that are kept as they came before they are pressed together."""
REASONING = frozenset({"reasoning", "reasoning_content", "reasoning_details"})
"""Fields in which providers show what a model thinks before it answers."""
_ABSENT = Raw(b"")
_EMPTY = frozenset({b"null", b'""', b"[]", b"{}"})


class Transcript:
    """The bytes that went out, as a stream's blocks of complete events, and what reads them."""

    __slots__ = ("_blocks", "_pressed", "_reads", "_size")

    def __init__(self, reads: Callable[[bytes], Sent] | None = None) -> None:
        self._reads = reads or read_sent
        self._blocks: list[bytes] = []
        self._pressed: list[bytes] = []
        self._size = 0

    def add(self, block: bytes) -> None:
        """A block went out."""
        self._blocks.append(block)
        self._size += len(block)
        if self._size >= PRESSED_AT:
            self._pressed.append(zlib.compress(b"".join(self._blocks), 1))
            self._blocks.clear()
            self._size = 0

    def is_whole(self, choices: int, rest: bytes = b"") -> bool:
        """Whether so many choices have ended, so that only the goodbye is missing.

        Args:
            rest: what ends the stream, of dialects that say there why an answer ended.
        """
        return len(self._reads(self.whole() + rest).finished) >= choices

    def whole(self) -> bytes:
        """All that went out."""
        return b"".join([*(zlib.decompress(part) for part in self._pressed), *self._blocks])

    def read(self) -> Sent:
        """What all of it says."""
        return self._reads(self.whole())


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class ToolDelta(Struct):
    """A piece of a tool call."""

    index: int = 0
    id: str | None = None
    function: _Function | None = None

    @property
    def name(self) -> str:
        """The name of the tool, where this is the piece that has it."""
        return (self.function.name if self.function is not None else None) or ""

    @property
    def arguments(self) -> str:
        """The arguments in this piece."""
        return (self.function.arguments if self.function is not None else None) or ""


class _Piece(Struct):
    type: str = "text"
    text: str = ""


class _Choice(Struct):
    index: int = 0
    delta: dict[str, Raw] | None = None
    finish_reason: str | None = None


class _Event(Struct):
    id: Raw = _ABSENT
    created: Raw = _ABSENT
    choices: list[_Choice] = field(default_factory=list)


class BegunCall(Struct):
    """A call of a tool, as far as it is out."""

    name: str = ""
    arguments: str = ""


class Sent(Struct):
    """What a client has seen so far.

    `id` and `created` are those of its chunks, `roles` the choices whose role it knows, `finished`
    those whose end. `text` is what the first choice says, in `pieces` of about a token, and `calls`
    are the calls of tools by their index. `thought` says that it saw a model think. `odd` is what
    there is that nobody else could go on from, empty if there is nothing of the kind.
    """

    id: Raw = _ABSENT
    created: Raw = _ABSENT
    roles: set[int] = field(default_factory=set)
    finished: set[int] = field(default_factory=set)
    text: str = ""
    pieces: int = 0
    calls: dict[int, BegunCall] = field(default_factory=dict)
    thought: bool = False
    odd: str = ""

    @property
    def said(self) -> bool:
        """Whether anything of the answer itself was seen."""
        return bool(self.text or self.calls or self.odd)

    @property
    def chars(self) -> int:
        """How much of the answer itself was seen: of its text and of its calls of tools."""
        calls = sum(len(call.name) + len(call.arguments) for call in self.calls.values())
        return len(self.text) + calls


def read_sent(block: bytes) -> Sent:
    """What these events say to a client. What cannot be read, no client can read either."""
    sent = Sent()
    texts: list[str] = []
    for data in sse.payloads(block):
        try:
            chunk = decode_event(data)
        except UNREADABLE:
            continue
        if not bytes(sent.id):
            sent.id, sent.created = chunk.id, chunk.created
        for choice in chunk.choices:
            text = _take_in(sent, choice)
            if text:
                texts.append(text)
    sent.text = "".join(texts)
    sent.pieces = len(texts)
    return sent


decode_event = msgspec.json.Decoder(_Event).decode
decode_calls = msgspec.json.Decoder(list[ToolDelta]).decode
_decode_content = msgspec.json.Decoder(str | list[_Piece]).decode


def is_something(value: Raw | bytes) -> bool:
    """Whether a field of a delta says anything."""
    return bytes(value) not in _EMPTY


def text_of(content: Raw) -> tuple[str, bool]:
    """The text of a field `content`, and whether there are other pieces in it, such as thoughts.

    Raises:
        msgspec.MsgspecError: it is no content.
    """
    if not given(content):
        return "", False
    read = _decode_content(content)
    if isinstance(read, str):
        return read, False
    texts = [piece.text for piece in read if piece.type == "text"]
    return "".join(texts), len(texts) < len(read)


def _take_in(sent: Sent, choice: _Choice) -> str:
    """Notes what one choice of a chunk says; gives its text if it is the first choice."""
    if choice.finish_reason:
        sent.finished.add(choice.index)
    delta: Mapping[str, Raw] = choice.delta or {}
    text = ""
    for name, value in delta.items():
        if not is_something(value):
            continue
        if name == "role":
            sent.roles.add(choice.index)
        elif name in REASONING:
            sent.thought = True
        elif choice.index:
            sent.odd = "it has several choices"
        elif name == "content":
            text = _content(sent, value)
        elif name == "tool_calls":
            _calls(sent, value)
        else:
            sent.odd = f"it has a `{name}`"
    return text


def _content(sent: Sent, value: Raw) -> str:
    try:
        text, thought = text_of(value)
    except UNREADABLE:
        sent.odd = "its text cannot be read"
        return ""
    sent.thought |= thought
    return text


def _calls(sent: Sent, value: Raw) -> None:
    try:
        calls = decode_calls(value)
    except UNREADABLE:
        sent.odd = "its tool calls cannot be read"
        return
    for call in calls:
        begun = sent.calls.setdefault(call.index, BegunCall())
        begun.name += call.name
        begun.arguments += call.arguments
