"""The interface of a guardrail: texts in, what was found in them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from msgspec import Struct

Role = Literal["system", "user", "assistant", "tool"]
"""Who says a text."""
Side = Literal["request", "answer"]

MOST_LABEL_CHARS = 40
LARGE_CHARS = 64 << 10
"""Texts of so many characters are looked at beside the event loop, which others wait for."""


class Span(Struct, frozen=True):
    """A part of a text, from the character `start` up to `end`, and what it is in a word."""

    start: int
    end: int
    label: str


class Text(Protocol):
    """One text of a request or an answer."""

    @property
    def text(self) -> str: ...

    @property
    def role(self) -> Role: ...


class Guardrail(Protocol):
    """Finds what it is to find."""

    async def look(self, texts: Sequence[Text]) -> Sequence[Sequence[Span]]:
        """What was found in each of the texts.

        Raises:
            Exception: it broke, or took too long.
        """


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that overlap made one: what two of them cover is covered still."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        if span.end <= span.start:
            continue
        if found and span.start < found[-1].end:
            last = found[-1]
            found[-1] = Span(last.start, max(last.end, span.end), last.label)
        else:
            found.append(span)
    return found
