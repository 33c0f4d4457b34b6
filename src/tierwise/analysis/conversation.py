"""Who said what: the question, what was said before it, and the standing instructions."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from tierwise.types import Task

_EARLIER_TURNS = 4
_READ_CHARS = 400
"""Of a long text, as many characters are read from its start and again from its end."""


class Conversation(Struct, frozen=True):
    """A task's texts. `question` is the last user turn, whole; of the others both ends are kept.

    `earlier` pools the turns right before the question, user's and assistant's; `system` is the
    last system or developer prompt.
    """

    question: str = ""
    earlier: str = ""
    system: str = ""


class _Declared(Struct):
    """The fields of a chat request that declare tools, left as they stand."""

    tools: Raw = Raw(b"null")
    functions: Raw = Raw(b"null")


def conversation(task: Task) -> Conversation:
    """Takes the messages of a task apart."""
    question = system = ""
    asked = -1
    for number, message in enumerate(task.messages):
        if message.role == "user":
            asked, question = number, message.text
        elif message.role in ("system", "developer"):
            system = message.text
    earlier = list(_turns(task, max(0, asked)))[-_EARLIER_TURNS:]
    return Conversation(question, "\n".join(earlier), ends(system))


def declared_tools(task: Task) -> bytes | None:
    """The JSON of the tools that a task declares, None without any."""
    if not task.tools:
        return None
    try:
        declared = msgspec.json.decode(task.body, type=_Declared)
    except msgspec.MsgspecError:  # the dialect keeps its tools elsewhere
        return None
    for found in (bytes(declared.tools), bytes(declared.functions)):
        if found != b"null":
            return found
    return None


def ends(text: str, chars: int = _READ_CHARS) -> str:
    """Start and end of a long text: what is wanted stands at one of them."""
    if len(text) <= 2 * chars:
        return text
    return f"{text[:chars]} {text[-chars:]}"


def _turns(task: Task, asked: int) -> Iterator[str]:
    for message in task.messages[:asked]:
        if message.role in ("user", "assistant"):
            text = message.text
            if text:
                yield ends(text)
