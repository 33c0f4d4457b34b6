"""Streams that another deployment went on with: who, from where, and what they may then say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec import Struct

_NOTE = re.compile(rb"^: tierwise continued by (\S+) after (\d+) characters$", re.MULTILINE)


class Part(Struct, frozen=True):
    """A deployment, its model, and the character of the answer from which on it spoke."""

    deployment: str
    after: int = 0

    @property
    def model(self) -> str:
        """The model's id."""
        return self.deployment.partition("/")[2]


def continuations(body: bytes) -> list[Part]:
    """Who went on, as the comments of a stream say."""
    return [Part(found[1].decode(), int(found[2])) for found in _NOTE.finditer(body)]


def could_say(text: str, parts: list[Part], expected: Callable[[str], str]) -> bool:
    """Whether an answer is, to the letter, what these models make of it one after the other.

    Each must have said what its model says up to where the next one begins. White space at a joint
    may stand on either side of it, and words that both sides of it have need not be said twice.
    """
    ends = [*(part.after for part in parts[1:]), None]
    for part, end in zip(parts, ends, strict=True):
        own = expected(part.model)
        ways = _joined(text[: part.after], own)
        if not any(way == text if end is None else way[:end] == text[:end] for way in ways):
            return False
    return True


def _joined(said: str, own: str) -> Iterator[str]:
    """What a model makes of an answer of which some was said, whose own answer is `own`."""
    core = said.rstrip()
    if own.startswith(core):
        yield own
        yield said + own[len(core) :].lstrip()
        return
    for length in range(min(len(core), len(own)) + 1):
        if core.endswith(own[:length]):
            yield said + own[length:]
            yield said + own[length:].lstrip()
            yield core + own[length:]
