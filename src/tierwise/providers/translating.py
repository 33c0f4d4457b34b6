"""An adapter for callers of another dialect: asks in the provider's, answers in theirs."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tierwise.errors import UpstreamError
from tierwise.providers.base import Adapter, Reply, StreamReader, lacks_of
from tierwise.providers.http import HttpRequest
from tierwise.providers.reading import unreadable_answer, unreadable_stream
from tierwise.types import Completion, Deployment, Task, Usage
from tierwise.wire.conversation import Conversation
from tierwise.wire.dialect import Dialect, dialect_named
from tierwise.wire.features import features_of
from tierwise.wire.left_out import without
from tierwise.wire.one_call import first_calls, is_due, with_one_call
from tierwise.wire.spoken import Began, Counted, Ended, Event
from tierwise.wire.translate import CHAT, conversation_of, in_dialect
from tierwise.wire.unreadable import UNREADABLE
from tierwise.wire.utf8 import check_text

_CHARS_PER_TOKEN = 4


def speaking(adapter: Adapter, task: Task) -> Adapter:
    """What asks a task of an adapter's deployment and answers as the task's caller reads."""
    if task.dialect == adapter.speaks == task.reads:
        return adapter
    return Translating(adapter, task)


def told(adapter: Adapter, task: Task, asked: Conversation | None = None) -> Task:
    """A task of another dialect in the adapter's, without the parameters that there are no words
    for, or that its deployment does not take: whoever minds that was not sent here.

    Args:
        asked: what it asks, if that was read already.
    """
    if task.dialect == adapter.speaks:
        return task
    asked = asked or conversation_of(task)
    wordless = features_of(asked) - dialect_named(adapter.speaks).words.keys()
    return in_dialect(task, adapter.speaks, without(asked, wordless | lacks_of(adapter)))


class Translating:
    """Stands before an adapter for the calls of one task."""

    def __init__(self, adapter: Adapter, task: Task) -> None:
        self.deployment: Deployment = adapter.deployment
        self.speaks = task.reads
        self._adapter = adapter
        self._theirs = dialect_named(adapter.speaks)
        self._ours = dialect_named(task.reads)
        self._told: tuple[Task, Conversation, Task] | None = None

    def request(self, task: Task) -> HttpRequest:
        """The call in the provider's dialect."""
        return self._adapter.request(self._in_theirs(task)[1])

    def reply(self, body: bytes, task: Task) -> Reply:
        """The answer in the caller's dialect; raises `ServerFailed` if it is none."""
        asked, theirs = self._in_theirs(task)
        return _Reply(self._adapter.reply(body, theirs), self._theirs, self._ours, asked)

    def stream_reader(self, task: Task, *, keep: bool = False) -> StreamReader:
        """A reader that gives events of the caller's dialect."""
        asked, theirs = self._in_theirs(task)
        reader = self._adapter.stream_reader(theirs, keep=keep)
        return _Stream(reader, self._theirs, self._ours, task, asked)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What an answer with another status means. Its body is in words that the caller does not
        know; the field that it names is named as the caller calls it, where that is known."""
        error = self._adapter.error(status, headers, body)
        if self._theirs is not self._ours:
            words = self._theirs.words.items()
            feature = next((one for one, word in words if word == error.param), None)
            if feature is not None:
                error.param = self._ours.words.get(feature, error.param)
            error.body = None
        return error

    def _in_theirs(self, task: Task) -> tuple[Conversation, Task]:
        """What the caller asks, and the task that the provider is asked; made once for a call."""
        if self._told is None or self._told[0] is not task:
            asked = conversation_of(task)
            theirs = told(self._adapter, task, asked)
            theirs = replace(theirs, read_in=None, wants_stream_usage=task.stream)
            self._told = task, asked, theirs
        return self._told[1:]


class _Reply:
    __slots__ = ("_asked", "_body", "_native", "_ours", "_spoken", "reported_model", "usage")

    def __init__(self, native: Reply, theirs: Dialect, ours: Dialect, asked: Conversation) -> None:
        try:
            spoken = theirs.read_reply(native.body)
            self._spoken = with_one_call(spoken) if is_due(asked, theirs) else spoken
        except UNREADABLE as error:
            raise unreadable_answer(error) from None
        self._native = native
        self._ours = ours
        self._asked = asked
        self._body: bytes | None = None
        self.reported_model = native.reported_model
        self.usage: Usage | None = native.usage

    @property
    def body(self) -> bytes:
        """The answer in the caller's dialect."""
        if self._body is None:
            self._body = self._ours.write_reply(self._spoken, self._asked)
        return self._body

    def completion(self) -> Completion:
        return self._native.completion()

    def rename(self, model: str) -> None:
        self._spoken.model = model
        self._body = None


class _Stream:
    # `_begun` are the events of the beginning, which is written once more if another model is to be
    # named; None once that can no longer be.
    __slots__ = (
        "_asked",
        "_begun",
        "_closed",
        "_ended",
        "_events",
        "_has_one_call",
        "_model",
        "_native",
        "_ours",
        "_task",
        "_written",
    )

    def __init__(
        self,
        native: StreamReader,
        theirs: Dialect,
        ours: Dialect,
        task: Task,
        asked: Conversation,
    ) -> None:
        self._native = native
        self._ours = ours
        self._task = task
        self._asked = asked
        self._events = theirs.event_reader()
        self._has_one_call = is_due(asked, theirs)
        self._written = ours.event_writer(asked)
        self._begun: list[Event] | None = []
        self._model: str | None = None
        self._closed = False
        self._ended: set[int] = set()

    @property
    def started(self) -> bool:
        return self._native.started

    @property
    def finished(self) -> bool:
        """Whether all of the answer was written for the caller, but for what ends the stream."""
        return len(self._ended) >= self._task.choices

    @property
    def reported_model(self) -> str | None:
        return self._native.reported_model

    @property
    def usage(self) -> Usage | None:
        return self._native.usage

    @property
    def output_chars(self) -> int:
        return self._native.output_chars

    def feed(self, data: bytes) -> bytes:
        if self._native.started:
            self._begun = None
        block = self._native.feed(data)
        return self._say(self._read(block)) if block else b""

    def close(self) -> bytes:
        events = self._read(self._native.close())
        if self.usage is None and self._ours.name != CHAT:
            # There, whoever relays it counts for those who want to know.
            events.append(Counted(usage=self._guessed()))
        self._closed = True
        return self._say(events) + self._written.close()

    def rename(self, model: str, block: bytes) -> bytes:
        """Only at the beginning, of which `block` is all that was given yet: what is written later
        names the model that was named there."""
        if self._begun is None:
            return block
        self._model = model
        self._written = self._ours.event_writer(replace(self._asked, model=model))
        block = self._written.write(self._named(self._begun))
        return block + self._written.close() if self._closed else block

    def completion(self) -> Completion:
        return self._native.completion()

    def _read(self, block: bytes) -> list[Event]:
        try:
            check_text(block)
            events = self._events.read(block)
            if self._has_one_call:
                events = first_calls(events)
        except UNREADABLE as error:
            raise unreadable_stream(error) from None
        if self._native.finished:
            self._ended.update(one.choice for one in events if isinstance(one, Ended))
        return events

    def _say(self, events: list[Event]) -> bytes:
        if self._begun is not None:
            self._begun += events
        return self._written.write(events if self._model is None else self._named(events))

    def _named(self, events: list[Event]) -> list[Event]:
        """The events with the other model's name; a body's bytes may have the first in arguments of
        tools as well."""
        model = self._model or ""
        return [replace(one, model=model) if isinstance(one, Began) else one for one in events]

    def _guessed(self) -> Usage:
        return Usage(
            input_tokens=len(self._task.body) // _CHARS_PER_TOKEN,
            output_tokens=self.output_chars // _CHARS_PER_TOKEN,
        )
