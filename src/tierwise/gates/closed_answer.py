"""The final answer of a text, where a task has one: a letter, a number, yes or no, a name, JSON.

Two models that think aloud never write the same text, yet they agree or they do not. What can be
compared exactly is what they end on, and where to look for it depends on what was asked.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from math import isclose
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tierwise.analysis.question import folded, split

Kind = Literal["choice", "number", "truth", "text", "formula", "json"]

MOST_WORDS = 8
"""A text of more words is no closed answer: such texts are alike or not, never the same."""
_MOST_CHARS = 80
_READ_CHARS = 20_000
"""An answer stands at one of a text's ends; of a longer text as much is read from each."""
_NEARLY = 1e-3
"""Fractions that are so close, relative to their size, are roundings of one number."""

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?|(?<!\w)\.\d+")
_SIGNED_MONEY = re.compile(r"([-+]?)[$€£¥]\s*([-+]?)")
_TEX_FRACTION = re.compile(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}")
_TEX_NOISE = re.compile(
    r"\\(?:left|right|displaystyle|[,;:! ])|\\?\$|\^\{?\\circ\}?|\\\(|\\\)|[{} ]"
)
_TEX_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mathbf)\{([^{}]*)\}")
_ASSIGNED = re.compile(r"^[a-z](?:\([a-z]\))?\s*=\s*")
_STATED = re.compile(
    r"(?:####|\banswer\s*(?:is|was|would be|[:=]|is:)|\banswer\*\*\s*[:=]?|答案(?:是|：|:))"
    r"[\s*:_`\"]*(.+)",
    re.IGNORECASE,
)
_STATING = ("####", "answer", "答案")
"""What every match of it begins with, in lower case."""
_FIELD = re.compile(r'"(?:final_)?answer"\s*:\s*("(?:[^"\\]|\\.)*"|[^,}\n]+)', re.IGNORECASE)
_FENCE = re.compile(r"^\s*```\w*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)
_LETTER = re.compile(
    r"^[\s*_`\"'(\[$]*(?:option |choice )?([A-Ja-j]|\d)[\s*_`\"')\]$]*(?:$|[.:,;)\n])"
)
_TRUTH = re.compile(r"^[\s*_`\"'(]*(yes|no|true|false)\b(.?)", re.IGNORECASE)
_WANTS_TRUTH = re.compile(
    r"\b(?:yes or no|true or false|yes/no|true/false)\b"
    r"|(?:^|[\n.?!:] ?)(?:is|are|was|were|do|does|did|can|could|has|have|will|would|should)\b"
    r"[^\n?]*\?\s*(?:answer:?)?\s*$"
)
_WANTS_NUMBER = re.compile(
    r"\bhow (?:many|much|old|far|long|tall|fast|heavy)\b|\bnumerical (?:answer|value)\b"
    r"|\b(?:calculate|compute|evaluate)\b|\bwhat (?:percent|fraction|number)"
    r"|\b(?:what is|find) the (?:\w+ )?(?:value|sum|total|product|number|average|mean|area|volume|"
    r"probability|perimeter|remainder|difference|percentage|cost|price|distance|length|ratio)\b"
)
_WANTS_CODE = re.compile(r"\bdef \w+\(|\bassert\b|\b(?:function|program|script|method)\b")
_WORD = re.compile(r"[^\W\d_]{2}")
_MARKS = re.compile(r"[^\w\s%.+/-]|_")
_NO_JSON = (msgspec.DecodeError, UnicodeError, RecursionError)
_OPENS, _CLOSES = tuple("[{("), tuple("]})")
_ARTICLES = frozenset({"a", "an", "the"})
_NEGATIONS = frozenset({"not", "no", "never", "non", "nor", "neither", "without"})


class ClosedAnswer(Struct, frozen=True):
    """A final answer. `value` is normalised: answers of one kind and value are the same."""

    kind: Kind
    value: str


class Asked(Struct, frozen=True):
    """What sort of final answer a prompt asks for.

    `labels` and `options` go together. `literal` says that the prompt is about code, where every
    sign of an answer counts.
    """

    labels: str = ""
    options: tuple[str, ...] = ()
    number: bool = False
    truth: bool = False
    literal: bool = False


def asked(prompt: str) -> Asked:
    """Reads a prompt once, for any number of answers to it."""
    text = folded(prompt)
    question = split(text)
    wanted = question.stem[-2000:]
    # Instructions often come as a numbered list, so numbers are labels only of a question's end.
    lettered = any(f"{sign}{end}" in text for sign in "a" for end in ").:")
    options = question.options if lettered or wanted.rstrip().endswith("?") else ()
    literal = _WANTS_CODE.search(wanted) is not None
    return Asked(
        labels="abcdefghij" if lettered else "1234",
        options=tuple(_plain(option) for option in options),
        number=not literal and _wants_number(wanted),
        truth=_WANTS_TRUTH.search(text[-400:]) is not None,
        literal=literal,
    )


def extract(prompt: str | Asked, answer: str) -> ClosedAnswer | None:
    """The final answer of a text, or None where the text is an open one.

    Args:
        prompt: the question's text, or what `asked` read in it.
        answer: the whole text of the answer.
    """
    wanted = prompt if isinstance(prompt, Asked) else asked(prompt)
    text = _ends(answer).strip()
    if not text:
        return None
    found, whole = _from_json(text)
    if found is None and whole is not None:
        return whole
    stated = found.strip() if found is not None else _stated(text)
    if stated == "":
        return None
    if wanted.options:
        return _choice(wanted, stated if stated is not None else text) or _choice(wanted, text)
    if stated is not None:
        return _closed(stated, wanted)
    if wanted.truth and (truth := _truth(text, within=True)):
        return truth
    if _is_short(text):
        return _closed(text, wanted)
    if wanted.number and "```" not in text:
        return _last_number(text)
    return _truth(text, within=False)


def same(one: ClosedAnswer, other: ClosedAnswer) -> bool:
    """Whether two final answers to one task say the same.

    Names may differ by what surrounds them ("Paris", "Paris, France"), never by a negation;
    fractions by rounding.
    """
    if one.kind != other.kind:
        return False
    if one.value == other.value:
        return True
    if one.kind == "number":
        return _same_number(Fraction(one.value), Fraction(other.value))
    if one.kind == "text":
        return _one_names_the_other(one.value.split(), other.value.split())
    return False


def _ends(text: str) -> str:
    if len(text) <= 2 * _READ_CHARS:
        return text
    return f"{text[:_READ_CHARS]}\n{text[-_READ_CHARS:]}"


def _from_json(text: str) -> tuple[str | None, ClosedAnswer | None]:
    """The `answer` field of an answer in JSON, or else the whole of it in a fixed form."""
    if "{" not in text and "[" not in text:
        return None, None
    fenced = _FENCE.match(text)
    body = fenced[1].strip() if fenced else text
    value: Any = None
    if body[0] in "{[":
        try:
            value = msgspec.json.decode(body)
        except _NO_JSON:
            value = None
    if isinstance(value, dict):
        for name in ("answer", "final_answer"):
            if name in value:
                inner = value[name]
                return inner if isinstance(inner, str) else _canonical(inner), None
    if isinstance(value, (dict, list)):
        return None, ClosedAnswer("json", _canonical(value))
    # Models put LaTeX into JSON without doubling its backslashes, and talk around the object.
    fields = _FIELD.findall(text)
    if not fields:
        return None, None
    try:
        inner = msgspec.json.decode(fields[-1])
    except _NO_JSON:
        inner = fields[-1].strip().strip('"').replace("\\\\", "\\")
    return inner if isinstance(inner, str) else _canonical(inner), None


def _canonical(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _stated(text: str) -> str | None:
    """What a text declares to be its answer: the last box, the last `####`, "the answer is"."""
    boxed = _boxed(text)
    if boxed is not None:
        return boxed
    last: str | None = None
    begin = _may_state(text)
    if begin is None:
        return None
    for match in _STATED.finditer(text, begin):
        last = match[1]
    if last is None:
        return None
    return last.strip().strip('*_`"').rstrip(".").strip() or None


def _may_state(text: str) -> int | None:
    """Where `_STATED` may match for the first time, which a plain search finds much sooner."""
    folded = text.casefold()
    places = [place for sign in _STATING if (place := folded.find(sign)) >= 0]
    if not places:
        return None
    return min(places) if len(folded) == len(text) else 0


def _boxed(text: str) -> str | None:
    """The inside of the last `\\boxed{...}`, its braces counted."""
    begin = text.rfind("\\boxed{")
    if begin < 0:
        return None
    begin += len("\\boxed{")
    depth = 1
    for place in range(begin, min(len(text), begin + 400)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return text[begin:place]
    return None


def _choice(wanted: Asked, text: str) -> ClosedAnswer | None:
    labels = wanted.labels[: len(wanted.options)]
    match = _LETTER.match(text)
    if match and match[1].lower() in labels:
        return ClosedAnswer("choice", match[1].lower())
    said = _plain(text.partition("\n")[0])
    if said in wanted.options:
        return ClosedAnswer("choice", labels[wanted.options.index(said)])
    # "(b) 5, because ..." and "B dry palms": a label, then the text of its option.
    for label, option in zip(labels, wanted.options, strict=False):
        if option and said.startswith(f"{label} {option}"):
            return ClosedAnswer("choice", label)
    return None


def _closed(text: str, wanted: Asked) -> ClosedAnswer | None:
    """A short text as what it is: a number, yes or no, a formula, a name."""
    text = text.strip()
    if (truth := _truth(text, within=False)) is not None:
        return truth
    bare = _without_tex(text)
    numbers = _NUMBER.findall(_without_signs(bare))
    sentence = wanted.number and " " in text and "\\" not in text
    if len(numbers) == 1 and (sentence or _is_number_with_unit(bare)):
        return _number(numbers[0])
    if text[:1] in _OPENS and text[-1:] in _CLOSES:
        return ClosedAnswer("json", _structure(text))
    if wanted.literal:
        return ClosedAnswer("json", text.strip("'\""))
    if "\\" in text or "^" in text or "=" in text or not _WORD.search(text):
        formula = "".join(bare.lower().split())
        return ClosedAnswer("formula", formula) if formula else None
    if not _is_short(text):
        return None
    plain = _plain(text)
    return ClosedAnswer("text", plain) if plain else None


def _structure(text: str) -> str:
    """A list or an object, be it in Python's quotes, in a fixed form."""
    try:
        return _canonical(msgspec.json.decode(text.replace("'", '"')))
    except _NO_JSON:
        return "".join(text.split()).replace("'", '"')


def _without_tex(text: str) -> str:
    """A formula without what only sets it in type; `\\frac{3}{4}` becomes 3/4."""
    if "\\" in text or "$" in text:
        text = _TEX_TEXT.sub(r" \1", text)
        text = _TEX_FRACTION.sub(r"\1/\2", text).replace("\\%", "%").replace("dfrac", "frac")
        money = _SIGNED_MONEY.search(text)
        if money is None or "\\" in text or text.count("$") > 1:
            text = _TEX_NOISE.sub("", text)
    return _ASSIGNED.sub("", text.strip().rstrip("."))


def _without_signs(text: str) -> str:
    return _SIGNED_MONEY.sub(r" \1\2", text)


def _is_number_with_unit(text: str) -> bool:
    """`72`, `$72.00`, `72 eggs per day`: few words, the first or the last of them a number."""
    words = _without_signs(text).strip("*_`~≈ ").split()
    return 0 < len(words) <= 4 and any(
        _NUMBER.fullmatch(word.rstrip(".,;%°")) for word in (words[0], words[-1])
    )


def _wants_number(question: str) -> bool:
    """Asked for in words, or a word problem: at least two numbers and a question."""
    if _WANTS_NUMBER.search(question):
        return True
    return "?" in question and len(_NUMBER.findall(_without_signs(question))) >= 2


def _number(text: str) -> ClosedAnswer | None:
    whole, _, part = text.replace(",", "").partition("/")
    try:
        value = Fraction(whole) / (Fraction(part) if part else 1)
    except (ValueError, ZeroDivisionError):
        return None
    return ClosedAnswer("number", str(value))


def _last_number(text: str) -> ClosedAnswer | None:
    numbers = _NUMBER.findall(_without_signs(text))
    return _number(numbers[-1]) if numbers else None


def _truth(text: str, *, within: bool) -> ClosedAnswer | None:
    """Yes or no at the start; `within` a text that goes on, else only alone or before a comma."""
    match = _TRUTH.match(text)
    if match is None or not (within or match[2] in ("", ",", ".", "!", "\n", "*", ";", ":")):
        return None
    return ClosedAnswer("truth", "yes" if match[1].lower() in ("yes", "true") else "no")


def _is_short(text: str) -> bool:
    return len(text) <= _MOST_CHARS and "\n" not in text and len(text.split()) <= MOST_WORDS


def _plain(text: str) -> str:
    """Lower case without accents, marks and articles, single blanks."""
    spread = unicodedata.normalize("NFKD", text.lower())
    bare = "".join(char for char in spread if not unicodedata.combining(char))
    kept = [word.strip(".-+/") for word in _MARKS.sub(" ", bare).split()]
    return " ".join(word for word in kept if word and word not in _ARTICLES)


def _same_number(one: Fraction, other: Fraction) -> bool:
    if one.denominator == other.denominator == 1:
        return one == other
    return isclose(one, other, rel_tol=_NEARLY)


def _one_names_the_other(one: list[str], other: list[str]) -> bool:
    short, long = sorted((one, other), key=len)
    if not short or sum(map(len, short)) < 3:
        return False
    for begin in range(len(long) - len(short) + 1):
        if long[begin : begin + len(short)] == short:
            return not _NEGATIONS.intersection(long[:begin] + long[begin + len(short) :])
    return False
