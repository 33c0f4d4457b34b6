"""Requests that mean the same: equal in all but their last words, and those very much alike.

Whether two prompts mean the same is a guess. So nothing is given again where the numbers, the
negations, the names or what stands in quotes differ, however alike the rest is: to a table of word
vectors the opposite of a question is its nearest neighbour.
"""

from __future__ import annotations

import re
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from tierwise.analysis.encoder import Encoder
from tierwise.cache.fingerprint import fingerprint
from tierwise.cache.kept import Kept
from tierwise.cache.store import Store
from tierwise.types import Task

MOST_GROUPS = 1000
"""Groups of requests that differ in their last words alone; the one used longest ago goes first."""
MOST_IN_GROUP = 1000
"""Of one group; the oldest goes first."""
MOST_CHARS = 4000
"""Of the last words: what is longer is hardly ever asked again in other words."""

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_QUOTED = re.compile(r"\"[^\"]+\"|`[^`]+`|“[^”]+”|«[^»]+»")
_NAME = re.compile(r"(?<![.!?:\n] )(?<!^)(?<![.!?\n\"“])\b(?!I\b)[A-Z][\w'’-]*")
_WORD = re.compile(r"[\w'’]+")
_TURNS = frozenset({
    "not", "no", "nor", "never", "none", "neither", "without", "except", "unless", "least",
    "less", "fewer", "more", "most", "before", "after", "above", "below", "over", "under", "min",
    "max", "minimum", "maximum", "increase", "decrease", "first", "last", "true", "false",
    "cannot", "can't", "don't", "doesn't", "didn't", "isn't", "aren't", "wasn't", "won't",
    "shouldn't", "kein", "keine", "nicht", "ohne", "pas", "sans", "jamais", "aucun", "nunca",
    "sin"
})  # fmt: skip
"""Words that turn a question into another one."""


class Similars:
    """What was asked before, as vectors.

    Args:
        store: where the answers lie.
        threshold: the least cosine of two prompts that count as the same.
    """

    def __init__(self, store: Store, threshold: float) -> None:
        self._store = store
        self._threshold = threshold
        self._groups: OrderedDict[bytes, _Group] = OrderedDict()
        self._encoder = Encoder.builtin()

    async def find(self, task: Task, oldest: float) -> Kept | None:
        """The answer to the most similar request, made at `oldest` (Unix time) or later."""
        text = last_words(task)
        group = None if text is None else self._groups.get(_group_of(task, text) or b"")
        if text is None or group is None:
            return None
        vector = self._vector(text)
        key = group.nearest(vector, marks(text), self._threshold)
        if key is None:
            return None
        kept = await self._store.get(key)
        return kept if kept is not None and kept.at >= oldest else None

    async def keep(self, task: Task, key: bytes, kept: Kept) -> None:  # noqa: ARG002
        """Remembers what was asked; the answer itself lies in the store under `key`."""
        text = last_words(task)
        name = None if text is None else _group_of(task, text)
        if text is None or name is None:
            return
        vector = self._vector(text)
        group = self._groups.setdefault(name, _Group())
        self._groups.move_to_end(name)
        group.add(vector, marks(text), key)
        while len(self._groups) > MOST_GROUPS:
            self._groups.popitem(last=False)

    def _vector(self, text: str) -> NDArray[np.float32]:
        return unit(self._encoder.embed(text))


class _Group:
    """The requests that differ in their last words alone."""

    def __init__(self) -> None:
        self._vectors = np.zeros((0, 0), np.float32)
        self._known: list[tuple[frozenset[str], bytes]] = []
        self._next = 0

    def add(self, vector: NDArray[np.float32], said: frozenset[str], key: bytes) -> None:
        if len(self._known) < MOST_IN_GROUP:
            if len(self._known) == len(self._vectors):
                more = max(4, 2 * len(self._vectors))
                wider = np.zeros((min(more, MOST_IN_GROUP), len(vector)), np.float32)
                if len(self._vectors):
                    wider[: len(self._vectors)] = self._vectors
                self._vectors = wider
            self._vectors[len(self._known)] = vector
            self._known.append((said, key))
            return
        self._vectors[self._next] = vector
        self._known[self._next] = (said, key)
        self._next = (self._next + 1) % MOST_IN_GROUP

    def nearest(
        self, vector: NDArray[np.float32], said: frozenset[str], threshold: float
    ) -> bytes | None:
        cosines = self._vectors[: len(self._known)] @ vector
        for place in np.argsort(-cosines)[:8]:
            if cosines[place] < threshold:
                return None
            its, key = self._known[int(place)]
            if its == said:
                return key
        return None


def last_words(task: Task) -> str | None:
    """What the user said last, if it is text alone and not too long."""
    if not task.messages or task.messages[-1].role != "user":
        return None
    content = task.messages[-1].content
    if content is not None and not isinstance(content, str):
        if len(content) != 1 or not content[0].text:
            return None
        content = content[0].text
    return content if content and len(content) <= MOST_CHARS else None


def marks(text: str) -> frozenset[str]:
    """What may not differ between two prompts that mean the same."""
    words = (word.lower() for word in _WORD.findall(text))
    return frozenset(
        [
            *_NUMBER.findall(text),
            *_QUOTED.findall(text),
            *(name.lower() for name in _NAME.findall(text)),
            *(word for word in words if word in _TURNS),
        ]
    )


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector at length 1; one of nothing stays as it is."""
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def _group_of(task: Task, text: str) -> bytes | None:
    return fingerprint(task, without=text)
