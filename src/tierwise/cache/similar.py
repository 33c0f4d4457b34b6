"""Requests that mean the same: equal in all but their last words, and those very much alike.

Whether two prompts mean the same is a guess. So nothing is given again where the numbers, the
negations, the names or what stands in quotes differ, however alike the rest is: to a table of word
vectors the opposite of a question is its nearest neighbour. Nor where a word differs that is not
in Latin letters.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tierwise.analysis.encoder import Encoder
from tierwise.cache.fingerprint import fingerprint
from tierwise.cache.index import Entry, Index, read, written
from tierwise.cache.kept import Kept
from tierwise.cache.shared import Elsewhere
from tierwise.cache.store import Store
from tierwise.types import Task

MOST_CHARS = 4000
"""Of the last words: what is longer is hardly ever asked again in other words."""
_TRIES = 2
"""So many answers are looked for: the most similar one may be gone."""

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_QUOTED = re.compile(r"\"[^\"]+\"|`[^`]+`|“[^”]+”|«[^»]+»")
_NAME = re.compile(r"(?<![.!?:\n] )(?<!^)(?<![.!?\n\"“])\b(?!I\b)[A-ZÀ-ÞĀ-ɏ][\w'’-]*")
_WORD = re.compile(r"[\w'’]+")
_OTHER_SCRIPT = re.compile(
    r"[^\s\u0000-\u024f\u1e00-\u1eff\u2000-\u206f\u3000-\u303f\uff00-\uff65]+"
)
"""What is not in Latin letters, without the punctuation that scripts share."""
_TURNS = frozenset({
    "not", "no", "nor", "never", "none", "neither", "without", "except", "unless", "least",
    "less", "fewer", "more", "most", "before", "after", "above", "below", "over", "under", "min",
    "max", "minimum", "maximum", "increase", "decrease", "first", "last", "true", "false",
    "cannot", "cant", "dont", "wont", "nothing", "nobody", "nowhere", "hardly",
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "twenty", "thirty", "forty", "fifty", "hundred", "thousand", "million", "billion", "half",
    "twice", "double", "triple",
    # German, French, Spanish, Italian, Portuguese, Dutch
    "nicht", "nichts", "kein", "keine", "keinen", "keinem", "keiner", "nie", "niemals", "niemand",
    "ohne", "weder", "mehr", "weniger", "vor", "nach",
    "ne", "pas", "non", "ni", "rien", "jamais", "aucun", "aucune", "sans", "plus", "moins",
    "avant", "après",
    "nunca", "jamás", "nada", "nadie", "ningún", "ninguno", "ninguna", "tampoco", "sin", "más",
    "menos", "antes", "después",
    "né", "mai", "niente", "nulla", "nessun", "nessuno", "nessuna", "senza", "più", "meno",
    "prima", "dopo",
    "não", "nao", "nem", "nenhum", "nenhuma", "ninguém", "sem", "mais", "depois",
    "niet", "niets", "geen", "nooit", "zonder", "meer", "minder",
    # Swedish, Danish and Norwegian, Polish, Czech, Romanian, Hungarian, Finnish, Turkish,
    # Indonesian, Vietnamese
    "inte", "ej", "ikke", "ingen", "inget", "inga", "intet", "aldrig", "aldri", "utan", "uden",
    "uten", "nigdy", "bez", "żaden", "żadna", "żadne", "nikdy", "žádný", "nu", "fără", "niciun",
    "nincs", "soha", "nélkül", "ei", "eivät", "ilman", "değil", "yok", "hiç", "tidak",
    "bukan", "tanpa", "jangan", "belum", "không", "chưa", "đừng",
})  # fmt: skip
"""Words that turn a question into another one: negations, comparisons, numbers."""


class Similars:
    """What was asked before, as vectors: here, and by the other replicas if answers are shared.

    Args:
        store: where the answers lie.
        threshold: the least cosine of two prompts that count as the same.
        ttl_s: how long an answer is kept.
        now: Unix time in seconds.
        before: the one whose place it takes; what that knows is known here.
    """

    def __init__(
        self,
        store: Store,
        threshold: float,
        *,
        ttl_s: float = 3600.0,
        now: Callable[[], float] = time.time,
        before: Similars | None = None,
    ) -> None:
        self._store = store
        self._threshold = threshold
        self._ttl_s = ttl_s
        self._now = now
        self._index: Index = before._index if before is not None else Index()
        self._elsewhere: Elsewhere | None = None
        self._encoder = Encoder.builtin()

    def __len__(self) -> int:
        return len(self._index)

    def share(self, store: Store, elsewhere: Elsewhere | None) -> None:
        """From now on answers lie in this store, and others are told of them; None: nobody is."""
        self._store, self._elsewhere = store, elsewhere

    async def find(self, task: Task, oldest: float) -> Kept | None:
        """The answer to the most similar request, made at `oldest` (Unix time) or later."""
        text = last_words(task)
        group = None if text is None else fingerprint(task, without=text)
        if text is None or group is None or group not in self._index:
            return None
        vector = unit(self._encoder.embed(text))
        keys = self._index.nearest(group, vector, _digest(marks(text)), self._threshold, oldest)
        for key in keys[:_TRIES]:
            kept = await self._store.get(key, oldest)
            if kept is not None:
                return kept
        return None

    async def keep(self, task: Task, key: bytes, kept: Kept) -> None:
        """Remembers what was asked; the answer itself lies in the store under `key`."""
        text = last_words(task)
        group = None if text is None else fingerprint(task, without=text)
        if text is None or group is None:
            return
        vector, said = unit(self._encoder.embed(text)), _digest(marks(text))
        self._index.add(group, Entry(key, said, kept.at), vector)
        if self._elsewhere is not None:
            self._elsewhere.say(written(group, key, said, vector), self._ttl_s)

    def clear(self) -> None:
        """Nothing was asked before."""
        self._index.clear()

    def hear(self, line: bytes, age_s: float) -> None:
        """A replica has kept an answer so many seconds ago, and says what it was asked."""
        heard = read(line) if age_s <= self._ttl_s else None
        if heard is not None:
            entry = Entry(heard.key, heard.said, self._now() - age_s)
            self._index.add(heard.group, entry, heard.numbers)


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
    """What may not differ between two prompts that mean the same, and how often each is said.

    Of what is not in Latin letters that is every word: the table knows hardly any of them, and
    takes all that share their letters for alike.
    """
    words = (word.lower().replace("’", "'") for word in _WORD.findall(text))
    turns = ("not" if word.endswith("n't") else word for word in words)
    said = Counter(
        [
            *_NUMBER.findall(text),
            *_QUOTED.findall(text),
            *(name.lower() for name in _NAME.findall(text)),
            *(word for word in turns if word in _TURNS),
            *(word.lower() for word in _OTHER_SCRIPT.findall(text)),
        ]
    )
    return frozenset(mark if times == 1 else f"{mark} {times}" for mark, times in said.items())


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector at length 1; one of nothing stays as it is."""
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def _digest(said: frozenset[str]) -> bytes:
    """Of what may not differ, so that others need not be told the words."""
    told = "\x00".join(sorted(said))
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()
