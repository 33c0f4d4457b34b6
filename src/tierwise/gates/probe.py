"""A probe: a gate that must ask a model before it can judge, and so costs money and time.

A probe only says what it would ask and what the replies mean; it calls nobody. Whoever executes
it prices the questions first, buys the probe only if it is worth that (`gates.worth`), asks all
questions at the same time, each within the task's deadline, and bills each as an attempt. If a
reply is missing, the others are judged without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from tierwise.gates.worth import Power
from tierwise.types import Completion, Message, Task, Verdict

Who = Literal["same", "other", "judge"]
"""Whom to ask: the model that gave the answer, another one of its tier, the configured judge."""

_CHARS_PER_TOKEN = 4
_MOST_QUOTED = 24_000
"""Characters of a conversation or an answer that are quoted to a judge; the middle is left out."""
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})


class Question(Struct, frozen=True, kw_only=True):
    """One call that a probe wants to be made.

    Without `messages` it is the task's own request, unchanged but for `temperature`. `max_tokens`
    None leaves the task's limit. `first_token` asks for the log-probabilities of the candidates
    for the reply's first token, from providers that give them.
    """

    who: Who
    messages: tuple[Message, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    first_token: bool = False

    @property
    def input_tokens(self) -> int:
        """About how many tokens `messages` are, to price the question; 0 for the task itself."""
        return sum(len(message.text) for message in self.messages) // _CHARS_PER_TOKEN


class Reply(Struct, frozen=True, kw_only=True):
    """What came back. `first_token` are log-probabilities (natural) by token, where given."""

    text: str
    first_token: Mapping[str, float] | None = None


@runtime_checkable
class Probe(Protocol):
    """Judges one answer to one task by what models reply to its questions."""

    name: str

    def ask(self, task: Task, answer: Completion) -> tuple[Question, ...]:
        """The questions, to be asked at the same time; none where the probe has nothing to say."""

    def power(self, task: Task, answer: Completion) -> Power:
        """How well the probe would tell whether this answer is right."""

    def conclude(
        self, task: Task, answer: Completion, replies: Sequence[Reply | None]
    ) -> Verdict | None:
        """The verdict by the replies, in the order of the questions; None for a failed call.

        None where the replies say nothing about the answer.
        """


@runtime_checkable
class LooksTwice(Protocol):
    """A probe that may ask once more, in another way, where its first verdict leaves doubt."""

    def second_look(self, first: Verdict) -> Probe:
        """What would be asked; its verdict takes the place of the first."""


def speaks_for_itself(task: Task, answer: Completion) -> bool:
    """Whether task and answer are all text, so that another model can be shown both.

    Pictures, sound and tool calls cannot be quoted, a refusal is another gate's matter, and of
    several choices none is the answer.
    """
    if task.tools or task.choices > 1 or answer.tool_calls or answer.refusal is not None:
        return False
    plain = all(
        message.role != "tool"
        and (
            not isinstance(message.content, list)
            or all(part.type in _TEXT_PARTS for part in message.content)
        )
        for message in task.messages
    )
    return plain and bool(answer.text.strip()) and any(m.text.strip() for m in task.messages)


def question_of(task: Task) -> str:
    """The text of the last thing that the user said."""
    for message in reversed(task.messages):
        if message.role == "user":
            return message.text
    return task.messages[-1].text if task.messages else ""


def conversation(task: Task) -> str:
    """The task as text, each message under its role; of a long one its start and its end."""
    if len(task.messages) == 1:
        return shortened(task.messages[0].text)
    return shortened("\n\n".join(f"[{m.role}]\n{m.text}" for m in task.messages))


def quoted(name: str, text: str) -> str:
    """A text as data between marks that it cannot close.

    The marks carry a digest of the text: no text can contain its own digest but by a chance of
    one in 2^48, so nothing in it can pretend to stand outside.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"<{name} {digest}>\n{text}\n</{name} {digest}>"


def shortened(text: str) -> str:
    """A text that is too long to be quoted, without its middle."""
    if len(text) <= _MOST_QUOTED:
        return text
    half = _MOST_QUOTED // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
