"""Text -> token ids, with a memory for words.

A byte-pair tokeniser without a word splitter treats a whole prompt as one word, which costs most of
the time that reading takes. No token of this vocabulary reaches across a blank or a line break, so
what stands between them can be looked up piece by piece and the tokeniser be asked for new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MOST_WORDS = 1 << 15
_LONGEST_WORD = 32
"""Longer ones hardly come again, and a text without spaces must not be remembered whole."""


class Words:
    """Token ids of texts. Safe to share between threads: the worst that a race does is work twice.

    `tokenizer` must neither add special tokens nor put anything before a text of its own accord.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        # The ids of a piece as the bytes of an int64 array: to join bytes and look at them as one
        # array takes a fifth of the time that numbers in lists would.
        self._known: dict[str, bytes] = {}

    def ids(self, text: str) -> NDArray[np.int64]:
        """The ids of a text with single blanks, as the tokeniser would give for the whole of it."""
        return np.frombuffer(self._joined(text), np.int64)

    def _joined(self, text: str) -> bytes:
        if not text:
            return b""
        known = self._known
        # A piece that begins with a line break has no blank before it, any other one has.
        pieces = text.replace("\n", " \n").split(" ")
        try:
            return b"".join(map(known.__getitem__, pieces))
        except KeyError:
            # Whatever other threads forget meanwhile, these are all there.
            found = {piece: known.get(piece) for piece in pieces}
            found.update(self._learn([piece for piece, ids in found.items() if ids is None]))
            return b"".join(found[piece] or b"" for piece in pieces)

    def _learn(self, pieces: list[str]) -> dict[str, bytes]:
        """Asks the tokeniser, and remembers the short ones; forgets all when it is too many."""
        asked = [piece if piece[:1] == "\n" else " " + piece for piece in pieces]
        try:
            answers = self._tokenizer.encode_batch_fast(asked, add_special_tokens=False)
        except (TypeError, UnicodeEncodeError):  # half a surrogate pair, which JSON can carry
            plain = [piece.encode("utf-8", "replace").decode() for piece in asked]
            answers = self._tokenizer.encode_batch_fast(plain, add_special_tokens=False)
        learned = {
            piece: np.array(answer.ids, np.int64).tobytes()
            for piece, answer in zip(pieces, answers, strict=True)
        }
        if len(self._known) + len(learned) > _MOST_WORDS:
            self._known.clear()
        self._known.update(item for item in learned.items() if len(item[0]) <= _LONGEST_WORD)
        return learned
