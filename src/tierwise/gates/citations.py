"""Do quotations stand in the given context, and do numbered references lead anywhere?"""

from __future__ import annotations

import re

from tierwise.types import Completion, Task, Verdict

_LEAST_CONTEXT = 400
"""Characters. With less, there is no text to quote from, only a question."""
_MOST_CONTEXT = 200_000
"""In a longer one nothing is looked up: a quotation that is not found may stand in the rest."""
_READ_ANSWER = 8000
_LEAST_QUOTE = 5
"""Words. Fewer are a name, a title or irony."""
_MOST_QUOTES = 12
_GRAM = 3
_MOST_GRAMS = 24
_NEARLY = 0.6
"""Of a quotation's runs of three words, so many stand in the context if it was only touched up."""

# Judgements: no answers with quotations from a context were recorded.
_INVENTED = 0.2
_CHANGED = 0.6
_NOWHERE = 0.15

_QUOTES = re.compile(
    r'(?<!\w)"(?=\S)([^"\n]{12,600})"|“([^”\n]{12,600})”|«([^»\n]{12,600})»|„([^“”\n]{12,600})[“”]'
)
_CODE = re.compile(r"```[^`]*(?:```|\Z)|`[^`\n]*`")
_ELLIPSIS = re.compile(r"\[?\(?(?:\.{3}|…)\)?\]?")
_INSERTED = re.compile(r"\[[^\[\]]{0,40}\]")
_WORD = re.compile(r"[^\W_]+")
_REFERENCE = re.compile(r"(?<![\w\])])\[(\d{1,3}(?:\s?[,–-]\s?\d{1,3}){0,5})\](?![(:\w])")
_SOURCES = re.compile(
    r"^[ \t]*(?:\[(\d{1,3})\]"
    r"|(?:source|document|doc|passage|quelle|dokument|fuente|documento)[ \t]?#?(\d{1,3})\b"
    r"|(\d{1,3})[.)] )",
    re.IGNORECASE | re.MULTILINE,
)
_SIGNS = ('"', "“", "«", "„", "[")
"""Without one of these there is neither a quotation nor a reference."""
_JSON = re.compile(r"[{\[]\s{0,20}\"")
# What holds these is code or data, not somebody's words.
_CODE_SIGNS = frozenset("{}[]()=_<>\\|/#")
_NUMBER = re.compile(r"\d{1,3}")


class CitationsGate:
    """Looks quotations and references up in what the caller, the system and the tools said.

    What it is worth was not measured: hardly any recorded answer quotes from a context.
    """

    name = "citations"

    def judge(self, task: Task, answer: Completion) -> Verdict | None:
        """By the worst of its quotations and references; None without a context, or without any."""
        text = answer.text[:_READ_ANSWER]
        if answer.tool_calls or not any(sign in text for sign in _SIGNS) or _JSON.search(text):
            return None
        bare = _CODE.sub(" ", text)
        quotes = [next(filter(None, found)) for found in _QUOTES.findall(bare)][:_MOST_QUOTES]
        quotes = [quote for quote in quotes if _is_prose(quote)]
        cited = sorted(_cited(bare))
        if not quotes and not cited:
            return None
        context = _context(task)
        if not _LEAST_CONTEXT <= len(context) <= _MOST_CONTEXT:
            return None
        return self._of_references(cited, context, self._of_quotes(quotes, context))

    def _of_quotes(self, quotes: list[str], context: str) -> Verdict | None:
        if not quotes:
            return None
        words = _normal(context)
        worst: Verdict | None = None
        for quote in quotes:
            share = _share(quote, words)
            if share < _NEARLY:
                reason = f"quoted, but not in the given text: {quote[:80]!r}"
                return Verdict(gate=self.name, p=_INVENTED, reason=reason)
            if share < 1 and worst is None:
                reason = f"quoted with changes: {quote[:80]!r}"
                worst = Verdict(gate=self.name, p=_CHANGED, reason=reason)
        number = "1 quotation" if len(quotes) == 1 else f"{len(quotes)} quotations"
        return worst or Verdict(gate=self.name, p=1.0, reason=f"{number} found in the given text")

    def _of_references(
        self, cited: list[int], context: str, so_far: Verdict | None
    ) -> Verdict | None:
        """The worse of what was found so far and of the references."""
        known = _numbered(context) if cited else set()
        if len(known) < 2:  # the given text numbers nothing
            return so_far
        lost = [number for number in cited if number not in known]
        if lost:
            reason = f"cites [{lost[0]}], but the given text has no number {lost[0]}"
            found = Verdict(gate=self.name, p=_NOWHERE, reason=reason)
            return found if so_far is None or found.p < so_far.p else so_far
        return so_far or Verdict(gate=self.name, p=1.0, reason="every reference leads somewhere")


def _is_prose(quote: str) -> bool:
    """Whether these may be somebody's words; brackets of an editor are no code."""
    bare = _ELLIPSIS.sub(" ", _INSERTED.sub(" ", quote))
    return len(bare.split()) >= _LEAST_QUOTE and _CODE_SIGNS.isdisjoint(bare)


def _context(task: Task) -> str:
    """What was given: everything but the models' own turns."""
    texts = [message.text for message in task.messages if message.role != "assistant"]
    return "\n".join(texts)


def _normal(text: str) -> str:
    """Words alone, in lower case, with single blanks, and one before and behind them all."""
    return f" {' '.join(_WORD.findall(text.lower()))} "


def _share(quote: str, context: str) -> float:
    """How much of a quotation stands in a normalised context, from 0 to 1.

    What an ellipsis or a bracket leaves out may be anything; the rest is looked for word by word
    where it does not stand there as a whole.
    """
    parts = [_normal(part) for part in _ELLIPSIS.split(_INSERTED.sub("…", quote))]
    found = looked = 0
    for part in parts:
        words = part.split()
        if not words:
            continue
        runs = max(1, len(words) - _GRAM + 1)
        looked += runs
        if part in context:
            found += runs
            continue
        step = max(1, runs // _MOST_GRAMS)
        tried = range(0, runs, step)
        hits = sum(f" {' '.join(words[i : i + _GRAM])} " in context for i in tried)
        # However many runs stand there, the whole does not.
        found += min(runs - 1, round(runs * hits / len(tried)))
    return found / looked if looked else 1.0


def _cited(text: str) -> set[int]:
    """The numbers in [3], [1, 2] and [4-6]."""
    found: set[int] = set()
    for match in _REFERENCE.findall(text):
        numbers = [int(number) for number in _NUMBER.findall(match)]
        spans = "-" in match or "–" in match
        found.update(range(numbers[0], numbers[-1] + 1) if spans else numbers)
    return found


def _numbered(context: str) -> set[int]:
    """The numbers under which the context gives something."""
    return {int("".join(found)) for found in _SOURCES.findall(context)}
