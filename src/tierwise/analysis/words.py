"""Text -> token ids, with a memory for words.

A byte-pair tokeniser without a word splitter treats a whole prompt as one word, which costs most of
the time that reading takes. No token of this vocabulary reaches across a blank or a line break, so
what stands between them can be looked up piece by piece and the tokeniser be asked for new ones.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

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
        self._known: dict[str, list[int]] = {}

    def ids(self, text: str) -> list[int]:
        """The ids of a text with single blanks, as the tokeniser would give for the whole of it."""
        if not text:
            return []
        known = self._known
        # A piece that begins with a line break has no blank before it, any other one has.
        pieces = text.replace("\n", " \n").split(" ")
        try:
            return list(chain.from_iterable(map(known.__getitem__, pieces)))
        except KeyError:
            # Whatever other threads forget meanwhile, these are all there.
            found = {piece: known.get(piece) for piece in pieces}
            found.update(self._learn([piece for piece, ids in found.items() if ids is None]))
            return [token for piece in pieces for token in found[piece] or ()]

    def _learn(self, pieces: list[str]) -> dict[str, list[int]]:
        """Asks the tokeniser, and remembers the short ones; forgets all when it is too many."""
        asked = [piece if piece[:1] == "\n" else " " + piece for piece in pieces]
        try:
            answers = self._tokenizer.encode_batch_fast(asked, add_special_tokens=False)
        except (TypeError, UnicodeEncodeError):  # half a surrogate pair, which JSON can carry
            plain = [piece.encode("utf-8", "replace").decode() for piece in asked]
            answers = self._tokenizer.encode_batch_fast(plain, add_special_tokens=False)
        learned = {piece: answer.ids for piece, answer in zip(pieces, answers, strict=True)}
        if len(self._known) + len(learned) > _MOST_WORDS:
            self._known.clear()
        self._known.update(item for item in learned.items() if len(item[0]) <= _LONGEST_WORD)
        return learned
