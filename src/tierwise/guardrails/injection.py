"""How likely a text is to turn a model against whoever deployed it, by what such texts say.

Each phrase that is found is taken as evidence of its own: the score is 1 - (1-w1)(1-w2)... It is a
first line that costs little and is easy to get round; a classifier of one's own takes its
place by `scorer`.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Sequence

from tierwise.guardrails.base import LARGE_CHARS, Span, Text

LABEL = "prompt injection"
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_ALL = r"(?:(?:all|any|every|each|of|the|your|my|these|those|our)\s{1,3}){0,4}"
_EARLIER = r"(?:previous|prior|above|preceding|earlier|foregoing|existing|original|initial)"
_ORDERS = r"(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|commands?|orders?)"

_PHRASES: tuple[tuple[float, str, str], ...] = (
    (
        0.9,
        "ignore|disregard|forget|skip|bypass|override|overlook",
        rf"\b(?:ignore|disregard|forget|skip|bypass|override|overlook)\s{{1,3}}{_ALL}{_EARLIER}"
        rf"\s{{1,3}}(?:\w{{1,20}}\s{{1,3}}){{0,2}}?"
        rf"(?:{_ORDERS}|messages?|context|text|conversation)\b",
    ),
    (
        0.8,
        "ignore|disregard|forget|bypass|override",
        rf"\b(?:ignore|disregard|forget|bypass|override)\s{{1,3}}{_ALL}"
        rf"(?:system\s{{1,3}}|safety\s{{1,3}})?{_ORDERS}\b",
    ),
    (
        0.7,
        "prompt|instruction|message",
        r"\b(?:reveal|show|print|repeat|output|display|leak|dump|tell me|give me|what (?:is|are))"
        r"\s{1,3}(?:me\s{1,3})?(?:your|the)\s{1,3}(?:\w{1,20}\s{1,3}){0,2}?"
        r"(?:system\s{1,3}prompt|hidden\s{1,3}prompt|initial\s{1,3}(?:prompt|instructions?)"
        r"|system\s{1,3}(?:message|instructions?)|secret\s{1,3}instructions?)",
    ),
    (
        0.8,
        "anything now|you are now",
        r"\bdo anything now\b|\byou are now (?:dan|jailbroken|unrestricted|unfiltered)\b",
    ),
    (
        0.5,
        " mode ",
        r"\b(?:developer|debug|god|jailbreak|admin|root) mode (?:is )?(?:on|enabled|activated)\b",
    ),
    (
        0.6,
        "pretend|act as|imagine",
        r"\b(?:pretend|act as (?:if|though)|imagine)\s{1,3}(?:that\s{1,3})?you\s{1,3}"
        r"(?:have no|are not bound by|do not have|don't have|are free of)\s{1,3}"
        r"(?:any\s{1,3})?(?:restrictions?|rules?|limits?|limitations|guidelines|filters?)",
    ),
    (
        0.4,
        "without ",
        r"\bwithout (?:any )?(?:restrictions|filters|limitations|censorship|moral)\b",
    ),
    (
        0.4,
        "instruction",
        r"\b(?:new|updated|real|actual) instructions? ?(?::|from|follow)",
    ),
    (0.5, "from now on", r"\bfrom now on,? you (?:will|are|must)\b"),
    (
        0.6,
        " the user| the human",
        r"\b(?:do not|don't|never) (?:tell|inform|alert|mention (?:this|it) to) "
        r"the (?:user|human)\b",
    ),
    (
        0.7,
        "<|[",
        r"<\|(?:im_start|im_end|system|endoftext|start_header_id)\|>|\[/?INST\]|<<SYS>>",
    ),
    (
        0.5,
        "###|<",
        r"(?m:^)\s{0,3}(?:#{2,4}\s{0,3}|</?)(?:system|instructions?|assistant)(?: ?prompt)?"
        r"(?m:>|:|$)",
    ),
    (
        0.5,
        "://|@",
        r"\b(?:send|post|forward|exfiltrate|upload|email)\s{1,3}(?:\w{1,20}\s{1,3}){1,6}?to\s{1,3}"
        r"(?:https?://|\w{1,40}@)",
    ),
    (
        0.9,
        "ignorier|vergiss|missachte",
        r"\b(?:ignorier(?:e|en)|vergiss|missachte)\s{1,3}(?:\w{1,20}\s{1,3}){0,2}?"
        r"(?:vorherige[nr]?|vorigen?|bisherigen?|obigen?)\s{1,3}(?:anweisung|regel|befehl)",
    ),
    (
        0.9,
        "ignore|oublie",
        r"\b(?:ignore[rz]?|oublie[rz]?)\s{1,3}(?:\w{1,20}\s{1,3}){0,3}?"
        r"(?:instructions?|consignes?|règles?)\s{1,3}(?:précédentes?|antérieures?|ci-dessus)",
    ),
    (
        0.9,
        "ignora|olvida|descarta",
        r"\b(?:ignora|olvida|descarta)\s{1,3}(?:\w{1,20}\s{1,3}){0,3}?"
        r"(?:instrucciones|reglas|órdenes)\s{1,3}(?:anteriores|previas)",
    ),
)
_COMPILED = [
    (weight, tuple(signs.split("|")), re.compile(phrase, re.IGNORECASE))
    for weight, signs, phrase in _PHRASES
]
"""Each with its weight, and signs of which one is in it: most texts have none of those."""


def plain(text: str) -> str:
    """A text without characters that nobody sees, and with look-alikes of letters as letters."""
    if text.isascii():
        return text
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text))


def score(text: str) -> float:
    """How likely a text is an injection, in [0, 1]."""
    missed = 1.0
    said = plain(text)
    lower = said.lower()
    for weight, signs, phrase in _COMPILED:
        if any(sign in lower for sign in signs) and phrase.search(said):
            missed *= 1.0 - weight
    return 1.0 - missed


class Injection:
    """Finds texts of users and tools that score `threshold` or more.

    What is found are the phrases that say so, or the whole text where those are in disguise.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def find(self, text: str) -> list[Span]:
        """What is in one text."""
        if score(text) < self._threshold:
            return []
        spans = [
            Span(*found.span(), LABEL)
            for *_, phrase in _COMPILED
            for found in phrase.finditer(text)
        ]
        return spans or [Span(0, len(text), LABEL)]

    async def look(self, texts: Sequence[Text]) -> Sequence[Sequence[Span]]:
        """As `Guardrail` has it."""
        said = [one.text if one.role in ("user", "tool") else "" for one in texts]
        if sum(map(len, said)) < LARGE_CHARS:
            return [self.find(text) for text in said]
        return await asyncio.to_thread(lambda: [self.find(text) for text in said])
