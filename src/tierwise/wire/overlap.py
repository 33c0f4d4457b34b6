"""Joins a text that was cut off to its continuation, without doubling what both have.

Whoever continues a text tends to say its last words once more, and white space between two words
belongs to either. What is repeated must be found while the continuation is still coming, so no
more of it is held back than could still turn out to be a repetition.

A text may repeat itself, and then nobody can tell: `0, ` and after it `0, 1` may be two noughts or
one. What looks like a repetition is only taken off where a text that says the same thing twice
running would be rarer than a model that does. In doubt everything is kept: words that stand there
twice can be read over, words that are missing cannot.
"""

from __future__ import annotations

import re
from typing import Protocol

from tierwise.errors import Diverged

WINDOW = 2000
"""How far back, in characters, a repetition may begin."""
LONG, VERY_LONG = 12, 20
"""Characters of a repetition that may begin within a word, or that white space may precede."""
_SHORT = 5
_LEAST_WORD = 2
_TELLING = 200
_SPACE = re.compile(r"\s+")
_TOKEN = re.compile(r"\w+|[^\w\s]+")


class Trimmer(Protocol):
    """Makes what comes after a text out of an answer that goes on from it."""

    def feed(self, text: str) -> str:
        """What may be shown now that this has come, too."""

    def close(self) -> str:
        """What was held back and is shown after all, because nothing more comes."""


class Overlap:
    """Takes off the beginning of a continuation what is the end of the text before it.

    White space that the text ends with and the continuation begins with is the same: the
    continuation goes on from the text without it.

    Args:
        said: the text so far.
        strict: there should be no repetition, so only a long one or one of all is looked for.
    """

    def __init__(self, said: str, *, strict: bool = False) -> None:
        core = said.rstrip()
        self._tail = _flat(core[-WINDOW:])
        self._is_whole = len(core) <= WINDOW
        self._strict = strict
        self._gap = said[len(core) :]
        self._held = ""
        self._live: list[int] | None = None
        self._decided = False

    def feed(self, text: str) -> str:
        """See `Trimmer`."""
        if self._decided:
            return self._without_gap(text)
        self._held += text
        begun = self._held.lstrip()
        if not begun and len(self._held) <= WINDOW:
            return ""
        flat = _flat(begun)
        self._look(flat)
        may_grow = any(self._pending(at, flat) for at in self._live or ())
        if may_grow and len(self._held) <= 4 * WINDOW:
            return ""
        return self._decide(begun, flat)

    def close(self) -> str:
        """See `Trimmer`."""
        if self._decided:
            return ""
        begun = self._held.lstrip()
        return self._decide(begun, _flat(begun))

    def _look(self, flat: str) -> None:
        """Keeps those places in the tail from which on it agrees with the continuation."""
        tail = self._tail
        if self._live is None:
            agreeing = (at for at in range(len(tail)) if self._agrees(at, flat))
            self._live = [at for at in agreeing if self._is_telling(at)]
        else:
            self._live = [at for at in self._live if self._agrees(at, flat)]

    def _agrees(self, at: int, flat: str) -> bool:
        tail = self._tail
        return tail.startswith(flat, at) or (
            flat[0] == tail[at] and flat.startswith(tail[at:])
        )  # fmt: skip

    def _pending(self, at: int, flat: str) -> bool:
        return len(self._tail) - at > len(flat)

    def _is_telling(self, at: int) -> bool:
        """Whether it would be strange if the text went on with its own words from there."""
        tail = self._tail
        same = tail[at:]
        again = (same, same + " ")
        if any(one in (one + one)[1:-1] for one in again) or tail[:at].rstrip().endswith(same):
            return False  # it does repeat itself
        tokens = set(_TOKEN.findall(same[:_TELLING]))
        led = self._held[:1].isspace()
        whole = at == 0 and self._is_whole
        if led or (self._strict and not whole) or not self._begins_word(at):
            least = VERY_LONG if led and not whole else LONG
            return len(same) >= least and len(tokens) > 1
        if len(tokens) > 1 and len(same) >= _SHORT:
            return True
        return any(token.isalpha() and len(token) >= _LEAST_WORD for token in tokens)

    def _begins_word(self, at: int) -> bool:
        tail = self._tail
        if at == 0:
            return self._is_whole
        before, first = tail[at - 1], tail[at]
        return before == " " or _is_word(before) != _is_word(first)

    def _decide(self, begun: str, flat: str) -> str:
        self._decided = True
        held, self._held = self._held, ""
        for at in self._live or ():
            if not self._pending(at, flat):
                return self._without_gap(begun[_end(begun, len(self._tail) - at) :])
        return self._without_gap(held)

    def _without_gap(self, text: str) -> str:
        """Takes off the white space that the text before has ended with already."""
        if not self._gap or not text:
            return text
        same = 0
        for one, other in zip(text, self._gap, strict=False):
            if one != other:
                break
            same += 1
        self._gap = self._gap[same:] if same == len(text) else ""
        return text[same:]


class Replay:
    """Takes off the whole text from an answer that was begun anew, and so begins with it.

    For what cannot be continued from the middle, such as JSON: it is right to go on with the new
    answer if, and only if, it says what the first one said.
    """

    def __init__(self, said: str) -> None:
        self._left = said

    def feed(self, text: str) -> str:
        """See `Trimmer`. Raises `Diverged` where the answer says something else."""
        size = min(len(text), len(self._left))
        if text[:size] != self._left[:size]:
            raise Diverged("begun anew, the answer differs from what was sent already")
        self._left = self._left[size:]
        return text[size:]

    def close(self) -> str:
        """See `Trimmer`. Raises `Diverged` where the answer ends before all of it was said."""
        if self._left:
            raise Diverged("begun anew, the answer is shorter than what was sent already")
        return ""


def _flat(text: str) -> str:
    return _SPACE.sub(" ", text)


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _end(text: str, flat: int) -> int:
    """Where the first `flat` characters end, a run of white space counted as one."""
    place = 0
    for _ in range(flat):
        is_space = text[place].isspace()
        place += 1
        while is_space and place < len(text) and text[place].isspace():
            place += 1
    return place
