"""Makes one stream of two: a second answer goes on where the first one broke off.

The client sees one id, one role, one end, one usage and one `[DONE]`. Events of the second stream
are rewritten one by one; those of a stream that does not break are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from tierwise.errors import Diverged, ServerFailed
from tierwise.types import Usage
from tierwise.wire import sse
from tierwise.wire.openai_chat import given
from tierwise.wire.overlap import Replay, Trimmer
from tierwise.wire.sent import (
    REASONING,
    BegunCall,
    Sent,
    ToolDelta,
    decode_calls,
    is_something,
    text_of,
)
from tierwise.wire.unreadable import UNREADABLE

DONE = b"data: [DONE]\n\n"
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_choices = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_list = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_index = msgspec.json.Decoder(int).decode
_decode_count = msgspec.json.Decoder(int, strict=False).decode
_encode = msgspec.json.Encoder().encode
_ABSENT = Raw(b"")
_OF_PARTS = ("prompt_tokens_details", "completion_tokens_details", "cost", "cost_details")
"""Parts of a usage that say nothing of the answer as a whole once it has two authors."""


class Share(Struct, frozen=True):
    """Tokens by which the usage of a continuation differs from that of the whole answer.

    `asked` are those that were only asked because there was a text to go on from, `said` those of
    this text.
    """

    asked: int = 0
    said: int = 0


class Splicer:
    """Rewrites the events of the stream that goes on.

    Args:
        sent: what the client has seen.
        trim: makes what follows on `sent.text` out of the new answer's text; None where nothing of
            an answer was seen yet.
        share: what the usage lacks, and has too much.

    `notes` are comments for the client before the end.
    """

    def __init__(
        self,
        sent: Sent,
        trim: Trimmer | None = None,
        share: Share = Share(),  # noqa: B008 - it is frozen
    ) -> None:
        self.notes: list[str] = []
        self._sent = sent
        self._trim = trim
        self._share = share
        self._calls = {index: _Again(call) for index, call in sent.calls.items()}
        self._roles = set(sent.roles)
        self._finished = set(sent.finished)
        self._seen_usage = False
        self._done = False

    def feed(self, block: bytes) -> bytes:
        """What the client gets for a block of complete events.

        Raises:
            Diverged: the new answer is another one, where only the same can go on.
            ServerFailed: an event cannot be read.
        """
        return b"".join(self._event(event) for event in sse.events(block))

    def _event(self, event: bytes) -> bytes:
        data = sse.payload(event)
        if self._done:
            return b""
        if data is None:
            return event + b"\n\n"
        if data == b"[DONE]":
            self._done = True
            return b"".join(b": %b\n\n" % note.encode() for note in self.notes) + DONE
        try:
            fields = _decode_fields(data)
            choices = _decode_choices(fields.get("choices", Raw(b"[]")))
            return self._chunk(fields, choices)
        except UNREADABLE as error:
            raise ServerFailed(f"the stream cannot be read: {error}", status=200) from None

    def _chunk(self, fields: dict[str, Raw], choices: list[dict[str, Raw]]) -> bytes:
        shown = [choice for choice in choices if self._choice(choice)]
        usage = fields.get("usage", _ABSENT)
        counted = given(usage) and not self._seen_usage
        if given(usage):
            self._seen_usage |= not choices
            fields["usage"] = self._whole(usage)
        if not shown and not counted:
            return b""
        own = {"id": self._sent.id, "created": self._sent.created}
        fields.update({name: value for name, value in own.items() if bytes(value)})
        fields["choices"] = Raw(_encode(shown))
        return b"data: " + _encode(fields) + b"\n\n"

    def _choice(self, choice: dict[str, Raw]) -> bool:
        """Rewrites one choice of a chunk; whether anything of it is left to be shown."""
        index = _decode_index(choice.get("index", Raw(b"0")))
        if index in self._finished:
            return False
        ends = given(choice.get("finish_reason", _ABSENT))
        raw = choice.get("delta", _ABSENT)
        delta = _decode_fields(raw) if given(raw) else {}
        if index in self._roles:
            delta.pop("role", None)
        elif "role" in delta:
            self._roles.add(index)
        if self._sent.thought or self._sent.said:
            for name in REASONING:
                delta.pop(name, None)
        if index == 0:
            self._say(delta, ends)
            self._call(delta, ends)
        if ends:
            self._finished.add(index)
        choice["delta"] = Raw(_encode(delta))
        return ends or any(is_something(value) for value in delta.values())

    def _say(self, delta: dict[str, Raw], ends: bool) -> None:
        """Leaves of the text what is new."""
        trim = self._trim
        if trim is None:
            return
        text, _ = text_of(delta.pop("content", _ABSENT))
        shown = trim.feed(text) if text else ""
        if ends or is_something(delta.get("tool_calls", Raw(b"[]"))):
            shown += trim.close()
            self._trim = None
        if shown:
            delta["content"] = Raw(_encode(shown))

    def _call(self, delta: dict[str, Raw], ends: bool) -> None:
        """Leaves of the calls what is new, where they are the same as those that are out."""
        raw = delta.get("tool_calls", _ABSENT)
        if self._calls and given(raw):
            new = []
            for piece, call in zip(_decode_list(raw), decode_calls(raw), strict=True):
                again = self._calls.get(call.index)
                if again is not None:
                    rest = again.feed(call)
                    if not rest:
                        continue
                    piece = {"index": Raw(_encode(call.index)), "function": Raw(_encode(rest))}
                new.append(piece)
            delta["tool_calls"] = Raw(_encode(new))
        if ends:
            for again in self._calls.values():
                again.close()

    def _whole(self, usage: Raw) -> Raw:
        """The usage of the answer as a whole."""
        if self._share == Share():
            return usage
        fields = _decode_fields(usage)
        asked = max(0, _count(fields, "prompt_tokens") - self._share.asked)
        said = _count(fields, "completion_tokens") + self._share.said
        for name in _OF_PARTS:
            fields.pop(name, None)
        counts = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
        fields.update({name: Raw(_encode(count)) for name, count in counts.items()})
        return Raw(_encode(fields))


class _Again:
    """A call that is made anew: what is out of it is left out, if it is the same."""

    def __init__(self, begun: BegunCall) -> None:
        self._name = begun.name
        self._arguments = Replay(begun.arguments)

    def feed(self, call: ToolDelta) -> dict[str, str]:
        """What is new of its function."""
        if call.name:
            if call.name != self._name:
                raise Diverged("begun anew, the answer calls another tool")
            self._name = ""
        if self._name:
            raise Diverged("begun anew, the answer calls a tool without a name")
        new = self._arguments.feed(call.arguments)
        return {"arguments": new} if new else {}

    def close(self) -> None:
        """Nothing more comes of it."""
        if self._name:
            raise Diverged("begun anew, the answer calls no tool")
        self._arguments.close()


def usage_event(sent: Sent, model: str, usage: Usage) -> bytes:
    """The event in which a stream tells its usage, for one that has lost it."""
    total = usage.input_tokens + usage.output_tokens
    fields = {
        "id": sent.id,
        "object": "chat.completion.chunk",
        "created": sent.created,
        "model": model,
        "choices": [],
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": total,
        },
    }
    known = {name: value for name, value in fields.items() if value != _ABSENT}
    return b"data: " + msgspec.json.encode(known) + b"\n\n"


def _count(fields: Mapping[str, Raw], name: str) -> int:
    value = fields.get(name, _ABSENT)
    return _decode_count(value) if given(value) else 0
