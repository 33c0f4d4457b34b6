"""What a task asks of an answer's form: its pattern, choices, language, length."""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from msgspec import Struct

Unit = Literal["words", "sentences", "paragraphs", "bullets", "lines", "characters"]

_NUMBERS = {
    word: number
    for words in (
        "one two three four five six seven eight nine ten eleven twelve",
        "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "une deux trois quatre cinq six sept huit neuf dix onze douze",
        "una dos tres cuatro cinco seis siete ocho nueve diez once doce",
        "einem zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "un deux trois quatre cinq six sept huit neuf dix onze douze",
    )
    for number, word in enumerate(words.split(), 1)
}
_UNITS: dict[Unit, str] = {
    "words": "words?|wörter|wörtern|worte|worten|mots?|palabras?",
    "sentences": "sentences?|sätze|sätzen|satz|phrases?|frases?|oraciones|oración",
    "paragraphs": "paragraphs?|absätze|absätzen|absatz|paragraphes?|párrafos?",
    "bullets": "bullet points?|bullets|stichpunkte|stichpunkten|puces|viñetas",
    "lines": "lines|zeilen|lignes|líneas",
    "characters": "characters|zeichen|caractères|caracteres",
}
_MOST = (
    "at most|no more than|not more than|up to|max(?:imum|imal)?(?: of)?|fewer than|less than|under"
    "|within|höchstens|maximal|weniger als|bis zu|au plus|au maximum|moins de|jusqu'à"
    "|como máximo|máximo|menos de|hasta"
)
_LEAST = "at least|no fewer than|minimum(?: of)?|more than|mindestens|au moins|al menos|como mínimo"
_ABOUT = "about|around|approximately|roughly|circa|etwa|ungefähr|rund|environ|unos|unas"
_EXACTLY = "exactly|precisely|genau|exactement|exactamente"
_LENGTH = re.compile(
    rf"(?:\b(?:(?P<most>{_MOST})|(?P<least>{_LEAST})|(?P<about>{_ABOUT})|(?P<exactly>{_EXACTLY})"
    rf"|(?P<plain>in|as|with|using|auf|en|mit|als))[ :]) ?"
    rf"(?:(?:just|only|exactly|nur|a|einem?|seulement|solo) )?"
    rf"(?P<number>\d{{1,5}}|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})[ -]"
    rf"(?:(?:short|simple|complete|concise|kurzen?|courtes?|cortas?) )?(?:"
    + "|".join(f"(?P<{unit}>{names})" for unit, names in _UNITS.items())
    + r")\b(?! long| each|-long)"
)
# A number of words may belong to the matter; after one of these in its sentence it is asked for.
_WANTS = re.compile(
    r"\b(?:answer|respond|reply|write|summari[sz]|describe|explain|list|give|use|keep|limit|state"
    r"|provide|compose|draft|outline|tell|return|output|translate|rewrite|shorten|tl;?dr|antwort"
    r"|schreib|fass|zusammen|beschreib|erklär|nenn|gib|répon|écri|résum|décri|expliqu|donne|liste"
    r"|respond|escrib|resum|describ|explic|enumera|da\b|dame\b|contesta)"
)
_LANGUAGES = {
    name: code
    for code, names in {
        "en": "english englisch anglais inglés",
        "de": "german deutsch allemand alemán",
        "fr": "french französisch français francés",
        "es": "spanish spanisch espagnol español castellano",
        "it": "italian italienisch italien italiano",
        "pt": "portuguese portugiesisch portugais portugués",
        "nl": "dutch niederländisch néerlandais neerlandés holandés",
        "pl": "polish polnisch polonais polaco",
        "tr": "turkish türkisch turc turco",
        "sv": "swedish schwedisch suédois sueco",
        "ru": "russian russisch russe ruso",
        "ja": "japanese japanisch japonais japonés",
        "zh": "chinese chinesisch chinois chino mandarin",
        "ko": "korean koreanisch coréen coreano",
        "ar": "arabic arabisch arabe árabe",
    }.items()
    for name in names.split()
}
_LANGUAGE = re.compile(
    r"\b(?:answer|respond|reply|write|say|translat\w+|explain|summari[sz]e|output|speak|put|describe"
    r"|antworte?|schreib\w*|übersetz\w*|erklär\w*|répond\w*|réponse|écri\w+|tradui\w+|expliqu\w+"
    r"|responde?|escrib\w+|traduc\w+|explica)\b[^.?!\n]{0,60}?\b(?:in|into|to|ins|auf|en|al|a)\s"
    rf"(?:the |le |l'|el )?(?P<name>{'|'.join(_LANGUAGES)})(?: language)?(?=[\s]*(?:[.,;:!?)\n]|$"
    r"|please|only|bitte|and\b|s'il|por favor|using\b|with\b))"
)
_TRANSLATES = re.compile(r"translat|übersetz|tradui|traduc|翻译|翻譯|訳|번역|перевед")

_INSTRUCTS = (
    r"\b(?:output(?:ting)?|print|answer|respond|reply|return|choose|choice|select|pick|classif\w+"
    r"|labels?|say|state|one of|write|antwort\w*|wähle|répond\w*|choisi\w*|responde|elige)\b"
)
_QUOTED = r"[\"“'‘`]([^\"“”'‘’`\n]{1,40})[\"”'’`]"
_QUOTED_CHOICES = re.compile(
    rf"{_INSTRUCTS}[^.\n\"“'‘`]{{0,40}}(?P<list>{_QUOTED}(?:(?:, or|, oder|,| or| oder| ou| o|/)\s?"
    rf"{_QUOTED}){{1,9}})"
)
_ONE_QUOTED = re.compile(_QUOTED)
_ITEM = r"[^\W_][\w-]{0,24}"
_PLAIN_CHOICES = re.compile(
    rf"{_INSTRUCTS} (?:with |only |just |nur |as |either |the letter ){{0,3}}"
    rf"(?P<list>{_ITEM}(?:, {_ITEM}){{0,8}},? (?:or|oder|ou|o) {_ITEM})"
    r"(?=[.,;:!?\n]|$| only| without)"
)
_NAMED = re.compile(
    r"\b(?:one of (?:the following|these)(?: \w+){0,2}|labels?|categories|classes|kategorien"
    r"|catégories|categorías)\s?:\s?(?P<list>[^\n.:;?!]{3,300})(?=[.\n;?!]|$)"
)
_ONLY = re.compile(
    r"\bonly\b|\bjust\b|without explanation|say anything else|nothing else|no explanation"
    r"|\bsingle (?:word|choice|letter)\b|one word|\bnur\b|ohne erklärung|uniquement|seulement"
    r"|sans explication|\bsolo\b|únicamente|sin explicación|one of (?:the following|these)"
)
_ONLY_NEAR = 120
"""Characters around the labels in which the task must say that it wants nothing else."""
_SPLIT = re.compile(r"\s*(?:,\s*(?:or|and|oder|und|ou|et|o|y)\s|,|/|\||\b(?:or|oder|ou|o)\b)\s*")
_MOST_LABEL_WORDS = 3


class Length(Struct, frozen=True):
    """So many units at least and at most; `exact` tells whether a number was meant literally."""

    unit: Unit
    least: int
    most: int
    said: str


Choices = tuple[str, ...]
"""Labels in lower case, one of which is wanted and nothing else."""


class _Structured(Struct):
    regex: str | None = None
    choice: list[str] | None = None


class Declared(Struct):
    """What a request declares of its answer's form, by the names that vLLM gives these fields."""

    structured_outputs: _Structured | None = None
    guided_regex: str | None = None
    guided_choice: list[str] | None = None

    @property
    def regex(self) -> str | None:
        """The pattern that the whole answer must match."""
        return (self.structured_outputs and self.structured_outputs.regex) or self.guided_regex

    @property
    def choices(self) -> list[str] | None:
        """The answers that are allowed."""
        return (self.structured_outputs and self.structured_outputs.choice) or self.guided_choice


_decode = msgspec.json.Decoder(Declared).decode
_NOTHING = Declared()


def declared(body: bytes) -> Declared:
    """The fields of a request that declare a form; nothing where they are of another shape."""
    if b"guided_" not in body and b"structured_outputs" not in body:
        return _NOTHING
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _NOTHING


def length_asked(question: str) -> Length | None:
    """The last length that a question in lower case asks for."""
    found = None
    for match in _LENGTH.finditer(question):
        start = max(question.rfind(stop, 0, match.start()) for stop in (". ", "\n", "? ", "! "))
        sentence = question[max(start + 1, match.start() - 200) : match.start()]
        # `At most 50 words.` is a sentence of its own.
        if _WANTS.search(sentence) or (not sentence.strip() and not match["plain"]):
            found = match
    return None if found is None else _length(found)


def _length(match: re.Match[str]) -> Length:
    word = match["number"]
    number = int(word) if word.isdigit() else _NUMBERS[word]
    unit = next(unit for unit in _UNITS if match[unit])
    said = match[0]
    if match["most"]:
        strict = said.startswith(("fewer", "less", "under", "weniger", "moins", "menos"))
        return Length(unit, 0, max(0, number - strict), said)
    if match["least"]:
        return Length(unit, number + said.startswith("more"), 10**9, said)
    # Nobody counts words or characters: a number of them is a wish for about so many.
    if match["about"] or (match["plain"] and unit in ("words", "characters")):
        return Length(unit, int(number * 0.75), -int(-number * 1.25), said)
    return Length(unit, number, number, said)


def language_asked(question: str) -> tuple[str, str]:
    """The language that a question in lower case asks for by name, and the words that do; else
    nothing."""
    found = None
    for match in _LANGUAGE.finditer(question):
        found = match
    return (_LANGUAGES[found["name"]], found["name"]) if found else ("", "")


def speaks_of_translation(question: str) -> bool:
    """Whether another language than the question's may be right."""
    return _TRANSLATES.search(question) is not None


def choices_asked(question: str) -> Choices:
    """The labels that a question in lower case offers, if it wants one of them alone."""
    for pattern in (_QUOTED_CHOICES, _NAMED, _PLAIN_CHOICES):
        found = list(pattern.finditer(question))
        if not found:
            continue
        last = found[-1]  # solved examples may stand before it
        around = question[max(0, last.start() - _ONLY_NEAR) : last.end() + _ONLY_NEAR]
        labels = _labels(last["list"])
        if len(labels) >= 2 and _ONLY.search(around):
            return labels
    return ()


def _labels(listed: str) -> Choices:
    quoted = _ONE_QUOTED.findall(listed)
    parts = quoted or [part.strip(" \"'`*[]()") for part in _SPLIT.split(listed)]
    if any(not part.strip() or part.count(" ") >= _MOST_LABEL_WORDS for part in parts):
        return ()
    return tuple(dict.fromkeys(part.strip() for part in parts))
