"""Who said what: the question, what was said before it, and the standing instructions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw, Struct

from tierwise.types import Task
from tierwise.wire.conversation import Tool
from tierwise.wire.openai_chat import given
from tierwise.wire.translate import CHAT, conversation_of

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
    """The JSON of the tools that a task declares, as a chat request has it; None without any."""
    if not task.tools:
        return None
    if task.dialect != CHAT:
        return _as_in_chat(conversation_of(task).tools)
    declared = msgspec.json.decode(task.body, type=_Declared)
    for found in (bytes(declared.tools), bytes(declared.functions)):
        if found != b"null":
            return found
    return None


def _as_in_chat(tools: Sequence[Tool]) -> bytes | None:
    """Functions in the words in which those that were learned from were recorded."""
    functions = [
        {
            "name": tool.name,
            **({"description": tool.description} if tool.description else {}),
            **({"parameters": tool.parameters} if given(tool.parameters) else {}),
        }
        for tool in tools
        if not tool.custom
    ]
    listed = [{"type": "function", "function": function} for function in functions]
    return msgspec.json.encode(listed) if listed else None


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
