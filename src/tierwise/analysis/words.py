"""Text -> token ids, with a memory for words.

A byte-pair tokeniser without a word splitter treats a whole prompt as one word, which costs most of
the time that reading takes. No token of this vocabulary reaches across a blank or a line break, so
what stands between them can be looked up piece by piece and the tokeniser be asked for new ones.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MOST_WORDS = 1 << 15
_BLANK = "▁"
"""How the vocabulary writes a blank."""
_LONGEST_WORD = 32
"""Longer ones hardly come again, and a text without spaces must not be remembered whole."""


class Words:
    """Token ids of texts. Safe to share between threads: the worst that a race does is work twice.

    `tokenizer` must neither add special tokens nor put anything before a text of its own accord.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._known = _Known(tokenizer)

    def ids(self, text: str) -> NDArray[np.int64]:
        """The ids of a text with single blanks, as the tokeniser would give for the whole of it."""
        # A piece that begins with a line break has no blank before it, any other one has.
        pieces = text.replace("\n", " \n").split(" ") if text else ()
        return np.frombuffer(b"".join(map(self._known.__getitem__, pieces)), np.int64)


class _Known(dict[str, bytes]):
    """The ids of pieces, each as the bytes of an int64 array; a new one is looked up when asked.

    To join bytes and read them as one array takes a fifth of the time that lists of numbers would.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self._tokenizer = tokenizer
        self._model = tokenizer.model
        self._marks = tuple(mark.content for mark in tokenizer.get_added_tokens_decoder().values())

    def __missing__(self, piece: str) -> bytes:
        """Asks the tokeniser, and remembers a short piece; forgets all when they are too many."""
        try:
            found = self._asked(piece)
        except (TypeError, UnicodeEncodeError):  # half a surrogate pair, which JSON can carry
            found = self._asked(piece.encode("utf-8", "replace").decode())
        ids = array("q", found).tobytes()
        if len(piece) <= _LONGEST_WORD:
            if len(self) >= _MOST_WORDS:
                self.clear()
            self[piece] = ids
        return ids

    def _asked(self, piece: str) -> list[int]:
        """The model alone takes half the time of the whole tokeniser, but knows no marks.

        Marks are tokens such as `</s>` that are looked for before the model sees a text.
        """
        text = piece if piece[:1] == "\n" else _BLANK + piece
        if any(mark in piece for mark in self._marks):
            whole: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
            return whole
        return [token.id for token in self._model.tokenize(text)]
