"""Is there a whole answer at all?"""

from __future__ import annotations

import re
import zlib
from collections import Counter

from tierwise.types import Completion, Task, Verdict

# Of recorded answers of ZeroEval and RouteLLM with the defect, k of n were acceptable: 0 of 272,
# 0 of 31, 0 of 43, 0 of 4; (k + 1) / (n + 2) by the rule of succession (Laplace), not under 0.02.
_LOOPS = 0.02
_OPEN_FENCE = 0.03
_OPEN_JSON = 0.02
_MID_SENTENCE = 0.2
# Nobody recorded these; they say next to nothing, whatever was asked.
_PLACEHOLDER = 0.05

_READ_CHARS = 4000
"""Only the end is read: an answer that was cut off, or never left a loop, shows it there."""
_LOOP_CHARS = 300
_LOOP_RATIO = 0.25
"""Prose of this length deflates to half of its size, tables and code to a third."""
_GRAM = 6
_LOOP_TIMES = 6
_LOOP_SHARE = 0.5
_PROSE_WORDS = 8
_MOST_FENCED = 80_000
"""In a longer answer nobody counts whether every block of code is closed."""

_PLACEHOLDERS = re.compile(
    r"(?:[.…_*#>\-–—=~`\s]+|todo|tbd|tba|fixme|lorem ipsum.{0,80}|placeholder|undefined|null"
    r"|\[(?:your |insert |the )?(?:answer|response|text|name|content)[^\]]{0,60}\]"
    r"|<(?:your |insert |the )?(?:answer|response|text|content)[^>]{0,60}>)[.!…]?",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?。！？…:;](?=\s)")
_NOT_PROSE = re.compile(r"\s*(?:[-*•+#>|$]|\d{1,3}[.)]|\\)")
_MATHEMATICS = frozenset("$\\=|{}<>^_`")
_ENDS_OPEN = frozenset(",([{-–—&+/")
# Closed data without the closing fence: only the mark is missing, and the scores are usual.
_ENDS_DATA = frozenset("}]")
_CLOSED = frozenset("}])`")
_CLOSES = {"{": "}", "[": "]"}


class CompleteGate:
    """Rejects answers that are empty, cut off, stuck in a loop or mere placeholders.

    It discriminates where it fires, which is seldom; see docs/gates.md.
    """

    name = "complete"

    def judge(self, task: Task, answer: Completion) -> Verdict:
        """1 for a whole answer, 0 for an empty or filtered one, between them by the defect."""
        if answer.finish_reason == "content_filter":
            return self._verdict(0.0, "stopped by the provider's content filter")
        # The caller's own limit cuts every model's answer, so a larger one would not help.
        limited = answer.finish_reason == "length" and task.max_output_tokens is not None
        cut = answer.finish_reason == "length" and not limited
        if answer.tool_calls:
            if cut:
                return self._verdict(0.0, "the call of a tool was cut off at a length limit")
            return self._verdict(1.0, "calls a tool")
        if answer.refusal is not None:
            return self._verdict(1.0, "the refusal is whole")
        tail = answer.text[-_READ_CHARS:].strip()
        if not tail:
            return self._verdict(0.0, "the answer is empty")
        if cut:
            return self._verdict(0.0, "the answer was cut off at a length limit")
        if len(tail) < 200 and _PLACEHOLDERS.fullmatch(tail):
            return self._verdict(_PLACEHOLDER, "the answer is a placeholder")
        looped = loop(tail)
        if looped:
            return self._verdict(_LOOPS, f"repeats itself over and over: {looped!r}")
        found = None if limited else _cut_off(answer.text, tail, answer.finish_reason)
        return found or self._verdict(1.0, "the answer is whole")

    def _verdict(self, p: float, reason: str) -> Verdict:
        return Verdict(gate=self.name, p=p, reason=reason)


def loop(text: str) -> str:
    """What a text says over and over, shortened; nothing if it does not.

    A text in a loop deflates to a small part of itself, which is quick to find out; tables do too,
    so that the same six words in a row must then make up half of what is left.
    """
    # Rows of zeros are data if somebody closes the bracket; a loop never gets there.
    if len(text) < _LOOP_CHARS or text[-1] in _CLOSED:
        return ""
    raw = text.encode("utf-8", "replace")
    if len(zlib.compress(raw, 1)) > _LOOP_RATIO * len(raw):
        return ""
    words = text.split()
    if len(words) < 2 * _GRAM:  # one long word, or a script without blanks
        words = list(text)
    last = words[-1 - _GRAM : -1]  # the last word itself may be cut off
    grams = Counter(zip(*(words[start:] for start in range(_GRAM)), strict=False))
    times = grams[tuple(last)]
    if times < _LOOP_TIMES:
        return ""
    at = [i for i in range(len(words) - _GRAM + 1) if words[i : i + _GRAM] == last]
    period = at[-1] - at[-2]
    if period * times < _LOOP_SHARE * len(words):
        return ""
    unit = words[at[-2] : at[-1]]
    return ("" if len(unit[0]) == 1 and len(words) == len(text) else " ").join(unit)[:40]


def _cut_off(text: str, tail: str, finish_reason: str | None) -> Verdict | None:
    """Signs of an end in the middle; a provider that says `stop` is believed about sentences."""
    if tail[-1] == "`" and tail.endswith("```"):
        return None
    if len(text) <= _MOST_FENCED and text.count("```") % 2 and tail[-1] not in _ENDS_DATA:
        return _defect(_OPEN_FENCE, "ends inside a block of code that is never closed")
    start = text[:_READ_CHARS].lstrip()[:2]
    if start[:1] in _CLOSES and (start[:1] == "{" or start == "[{"):
        if tail[-1] != _CLOSES[start[0]]:
            return _defect(_OPEN_JSON, "begins as JSON and ends before it is closed")
        return None
    if finish_reason is None and _ends_mid_sentence(tail):
        return _defect(_MID_SENTENCE, f"ends in the middle of a sentence: …{tail[-40:]!r}")
    return None


def _ends_mid_sentence(tail: str) -> bool:
    """Whether prose, written in whole sentences so far, stops without the end of one."""
    last = tail[-1]
    if not (last.isalpha() or last in _ENDS_OPEN):
        return False
    line = tail[tail.rfind("\n") + 1 :]
    if len(line.split(None, _PROSE_WORDS)) <= _PROSE_WORDS or _NOT_PROSE.match(line):
        return False
    if not _MATHEMATICS.isdisjoint(line):
        return False
    return bool(_SENTENCE_END.search(tail))


def _defect(p: float, reason: str) -> Verdict:
    return Verdict(gate=CompleteGate.name, p=p, reason=reason)
