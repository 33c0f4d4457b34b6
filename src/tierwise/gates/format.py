"""Does the answer have the form that the task asks for?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tierwise.analysis.conversation import conversation, ends
from tierwise.analysis.language import language_of
from tierwise.gates.asked import (
    Choices,
    Length,
    choices_asked,
    declared,
    language_asked,
    length_asked,
    speaks_of_translation,
)
from tierwise.types import Completion, Task, Verdict

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

_READ_QUESTION = 800
"""From the start of the last turn and again from its end: instructions stand at either."""
_READ_ANSWER = 20_000
_KEPT_PATTERNS = 256
_READ_LANGUAGE = 460
_LEAST_WORDS = 7
"""Of each part of a text whose language is judged."""
_OWN_SCRIPT = frozenset({"ja", "ko", "zh", "ru", "uk", "ar", "he", "el", "hi", "th"})

# What a request declares, it holds answers to.
_BREAKS_DECLARED = 0.02
# So does a task that wants a label and nothing else; 0 of 836 recorded ones were acceptable.
_NO_CHOICE = 0.02
# Judgements: hardly anybody recorded answers of a wished length or in the wrong language.
_CHOICE_IN_WORDS = 0.6
_WRONG_LANGUAGE = 0.15
_OTHER_LANGUAGE = 0.3
_OFF_BY_LITTLE = 0.7
_OFF = 0.4
_FAR_OFF = 0.15

_SENTENCES = re.compile(r"[.!?…]+[\"'”’»)]*(?=\s|$)|[。！？]")
_BULLETS = re.compile(r"^[ \t]*(?:[-*•–+]|\d{1,3}[.)])[ \t]", re.MULTILINE)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|z\.b|p\.ex|dr|mr|mrs|ms|st|no|vs|etc|approx)\.|\d\.(?=\d)", re.I
)
_LEADS = re.compile(
    r"(?:(?:the )?(?:correct |final )?(?:answer|label|category|choice|antwort|réponse|respuesta)"
    r"(?: is| ist| est| es)?|option)[\s:]+"
)
_TRIM = " \t\r\n.:;,!*_`\"'“”‘’()[]{}<>#$\\"


class FormatGate:
    """Checks a declared regex or choices, and what the last turn asks for in words: one of several
    labels, a language, a length.

    It discriminates where a label is wanted; lengths and languages were not measured.
    """

    name = "format"

    def __init__(self) -> None:
        self._patterns: dict[str, Draft202012Validator | None] = {}

    def judge(self, task: Task, answer: Completion) -> Verdict | None:
        """The worst of what was asked for; None where nothing was, or where a tool is called."""
        if answer.tool_calls or answer.refusal is not None or not answer.text.strip():
            return None
        found = self._declared(task, answer.text)
        if found is not None:
            return found
        question = ends(conversation(task).question, _READ_QUESTION).lower().replace("’", "'")
        text = answer.text[:_READ_ANSWER].strip()
        verdicts = [
            verdict
            for verdict in (
                self._choice(choices_asked(question), text),
                self._language(question, text),
                self._length(length_asked(question), text, len(answer.text) > _READ_ANSWER),
            )
            if verdict is not None
        ]
        return min(verdicts, key=lambda verdict: verdict.p, default=None)

    def _declared(self, task: Task, text: str) -> Verdict | None:
        form = declared(task.body)
        if form.choices:
            if text.strip() in (choice.strip() for choice in form.choices):
                return self._verdict(1.0, "one of the declared choices")
            return self._verdict(_BREAKS_DECLARED, f"none of the declared choices: {text[:60]!r}")
        pattern = self._pattern(form.regex) if form.regex else None
        if pattern is None:
            return None
        if pattern.is_valid(text):
            return self._verdict(1.0, "matches the declared pattern")
        return self._verdict(_BREAKS_DECLARED, f"does not match the pattern {form.regex!r}"[:160])

    def _pattern(self, regex: str) -> Draft202012Validator | None:
        """A matcher that no pattern can make slow (a caller sends it); None where it has no use
        for the pattern, as with those that look around."""
        if regex in self._patterns:
            return self._patterns[regex]
        # Imported with the first pattern: a gateway that sees none does not pay for it.
        import jsonschema_rs

        found: Draft202012Validator | None
        try:
            found = jsonschema_rs.Draft202012Validator(
                {"pattern": rf"\A(?:{regex})\z"},
                pattern_options=jsonschema_rs.RegexOptions(size_limit=1 << 20),
            )
        except (jsonschema_rs.ValidationError, ValueError):
            found = None
        if len(self._patterns) >= _KEPT_PATTERNS:
            self._patterns.pop(next(iter(self._patterns)))
        self._patterns[regex] = found
        return found

    def _choice(self, choices: Choices, text: str) -> Verdict | None:
        if not choices:
            return None
        said = text[:200].lower().strip(_TRIM)
        said = _LEADS.sub("", said, count=1).strip(_TRIM)
        if said in choices:
            return self._verdict(1.0, f"one of the choices: {said!r}")
        starts = re.match(r"[^\s):.,;]+", said)
        if starts and starts[0] in choices:
            return self._verdict(1.0, f"begins with one of the choices: {starts[0]!r}")
        lower = f" {text[:_READ_QUESTION].lower()} "
        named = [one for one in choices if re.search(rf"(?<!\w){re.escape(one)}(?!\w)", lower)]
        if len(named) == 1:
            return self._verdict(_CHOICE_IN_WORDS, f"wraps the choice {named[0]!r} in words")
        listed = ", ".join(choices)[:80]
        return self._verdict(_NO_CHOICE, f"none of the choices ({listed}): {text[:40]!r}")

    def _language(self, question: str, text: str) -> Verdict | None:
        wanted, name = language_asked(question)
        if not wanted and speaks_of_translation(question):
            return None
        if "```" in text or text[0] in "{[<":
            return None
        spoken = _surely(text)
        asked = wanted or (_surely(question) if spoken else "")
        if not spoken or not asked:
            return None
        if spoken == asked:
            return self._verdict(1.0, f"in the language asked for ({asked})")
        if wanted:
            return self._verdict(_WRONG_LANGUAGE, f"asked for {name}, answered in {spoken!r}")
        reason = f"asked in {asked!r}, answered in {spoken!r}"
        return self._verdict(_OTHER_LANGUAGE, reason)

    def _length(self, length: Length | None, text: str, cut: bool) -> Verdict | None:
        if length is None or cut:
            return None
        count = counted(length, text)
        if length.least <= count <= length.most:
            return self._verdict(1.0, f"as long as asked: {count} {length.unit}")
        bound = length.least if count < length.least else length.most
        off = abs(count - bound) / max(1, bound)
        p = _OFF_BY_LITTLE if off <= 0.1 else _OFF if off <= 0.34 else _FAR_OFF
        return self._verdict(p, f"asked for {length.said!r}, got {count} {length.unit}")

    def _verdict(self, p: float, reason: str) -> Verdict:
        return Verdict(gate=self.name, p=p, reason=reason)


def _surely(text: str) -> str:
    """The language of a text, if all parts of its beginning are in the same one.

    A single name or borrowed word can outvote a short text, so that some are needed.
    """
    start = text[:_READ_LANGUAGE]
    found = language_of(start)
    if found in _OWN_SCRIPT:
        return found
    words = start.split()
    if len(words) < 2 * _LEAST_WORDS:
        return ""
    parts = 2 if len(words) < 4 * _LEAST_WORDS else 3
    size = len(words) // parts
    heard = {language_of(" ".join(words[n * size : (n + 1) * size])) for n in range(parts)}
    return found if heard == {found} else ""


def counted(length: Length, text: str) -> int:
    """How many of the units that a length is given in a text has."""
    if length.unit == "words":
        return len(text.split())
    if length.unit == "characters":
        return len(text)
    if length.unit == "lines":
        return sum(1 for line in text.split("\n") if line.strip())
    if length.unit == "paragraphs":
        return len(_PARAGRAPHS.split(text))
    if length.unit == "bullets":
        return len(_BULLETS.findall(text))
    bare = _ABBREVIATION.sub("", text)
    return max(1, len(_SENTENCES.findall(bare)) + (bare.rstrip()[-1:].isalnum()))
