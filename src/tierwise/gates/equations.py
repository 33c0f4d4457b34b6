"""The equations that a text states, recomputed.

A reader of our own instead of `eval`: numbers, + - * / ^, brackets, per cent and units, in floats
only, so that nothing can grow. What it does not understand (variables, functions, times of day,
mixed units) it leaves alone: a wrong accusation costs an escalation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from tierwise.gates.quantities import Stated, agree, value_of

_MOST_PIECE = 400
"""Characters that are read of a piece between two stops."""
_MOST_EQUATIONS = 200
_MOST_UNIT_WORDS = 3
_MOST_TOKENS = 80
"""Of one side. A longer one is no equation that a person would write."""

_TOKEN = re.compile(
    r"(?P<odd>\d+(?:[:_]\d+)+|\d+(?:\.\d+){2,}|\d[\d.,]*(?:st|nd|rd|th)\b)"
    r"|(?P<number>\d{1,3}(?:[,  ]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)*|\.\d+)(?P<dots>\.{3}|…)?"
    r"|(?P<equals>==+|[<>!:]=|=[>~]|[=≈])"
    r"|(?P<bold>\*\*(?!\ ?[\d(])|(?<![\d)\ ])\*\*|(?<![\d)])\ \*\*)"
    r"|(?P<operator>(?<=[\d)])\ ?\*\*\ ?(?=[\d(])|[-+*/^×÷·−]|(?<=[\d)\s%])[xX](?=\s?[\d($€£]))"
    r"|(?P<bracket>[(){}])"
    r"|(?P<percent>%)"
    r"|(?P<word>\\?[^\W\d_]+(?:['’-][^\W\d_]+)*)"
    r"|(?P<skip>[\s$€£¥~\\°]+)"
    r"|(?P<stop>.)"
)
_OPERATORS = {"×": "*", "·": "*", "x": "*", "X": "*", "÷": "/", "−": "-", "**": "^"}
_BRACKETS = {"{": "(", "}": ")"}
_ABOUT = frozenset(
    {"about", "approximately", "approx", "roughly", "around", "nearly", "circa", "etwa", "environ"}
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Behind or before these a number is not what it seems.
_DOUBTFUL = _words(
    """log ln lg sin cos tan sqrt root square squared cubed cube mod modulo remainder rest base
    dozen dozens hundred thousand million millions billion billions trillion k half twice double
    triple thrice quarter third thirds choose factorial power sum product average mean less than
    times more fewer old percent percentage points r"""
)
_COMPUTES = frozenset("+-*/^")
# Words that end what stands before them rather than name a unit.
_JOINS = _words(
    """and or then so but with from to is was are were because since we which that if for as by at
    on in und oder et ou y o"""
)
_ENDS = frozenset('.:;,?!|"#→⇒')
_ATTACHED = _words("kg mg km cm mm hr hrs min mins sec ml lb lbs oz ft mph kph usd eur am pm")
_LATEX = (
    (re.compile(r"\\(?:d|t)?frac\{([^{}]{1,30})\}\{([^{}]{1,30})\}"), r"((\1)/(\2))"),
    (re.compile(r"\\(?:times|cdot)(?![a-z])"), "*"),
    (re.compile(r"\\div(?![a-z])"), "/"),
    (re.compile(r"\\approx(?![a-z])"), "≈"),
    (re.compile(r"\\(?:text|mathrm|textbf|mathbf|boxed)\{([^{}]{0,40})\}"), r" \1 "),
    (re.compile(r"\\(?:left|right|quad|,|;|!)|\\[\[\]()]"), " "),
    (re.compile(r"\\n"), "\n"),
)
_CALCULATED = re.compile(r"<<[^<>]{0,80}>>")
_CODE = re.compile(r"```(?!json|text|math|latex)\w+\n[^`]*(?:```|\Z)")
_REMARK = re.compile(r" \([^()\d=]{1,60}\)")
_PIECES = re.compile(r"[\n;?!]|[.,:](?=\s)")
_COMPUTED = re.compile(r"\d[^=≈]{0,40}[-+*/^×÷·−xX(%]")
_FRACTION = re.compile(r"\(*\d+/\d+\)*")
_BULLET = re.compile(r"\s*(?:[-*•+]\s|\d{1,3}[.)]\s)?")


class Equation(Struct, frozen=True):
    """One equation: its two sides as they stand, what the left comes to, whether they agree."""

    left: str
    right: str
    comes_to: float
    holds: bool


class _Side(Struct):
    """One side while it is read. `sound` is lost for good at the first thing not understood."""

    tokens: list[str]
    start: int
    end: int = 0
    sound: bool = True
    units: list[str] = []
    unit_words: int = 0
    percent: bool = False
    about: bool = False
    dots: bool = False


def equations(text: str) -> Iterator[Equation]:
    """Every equation that can be checked: both sides are numbers, and one of them is computed."""
    found = 0
    if "```" in text:
        text = _CODE.sub(" ", text)
    if "\\" in text:
        for pattern, plain in _LATEX:
            text = pattern.sub(plain, text)
    for piece in _PIECES.split(text):
        if ("=" not in piece and "≈" not in piece) or not _COMPUTED.search(piece):
            continue
        plain = _REMARK.sub(" ", _CALCULATED.sub("", piece[:_MOST_PIECE]))
        for equation in _of_line(plain.replace("²", "^2").replace("³", "^3")):
            yield equation
            found += 1
            if found >= _MOST_EQUATIONS:
                return


def _of_line(line: str) -> Iterator[Equation]:
    for chain in _chains(line):
        for left, right in pairwise(chain):
            checked = _checked(line, left, right)
            if checked is not None:
                yield checked


def _chains(line: str) -> Iterator[list[_Side]]:
    """Runs of sides with equals signs between them."""
    bullet = _BULLET.match(line)
    begin = bullet.end() if bullet else 0
    chain: list[_Side] = []
    side = _Side([], begin)
    for token in _TOKEN.finditer(line, begin):
        kind, said = token.lastgroup, token[0]
        if kind in ("skip", "bold"):
            continue
        if kind == "dots":
            kind = "number"
        if kind == "equals":
            chain.append(side)
            if said not in "=≈":
                yield chain
                chain = []
            side = _Side([], token.end(), about=said == "≈")
        elif not _take(side, kind or "stop", token):
            chain.append(side)
            yield chain
            chain = []
            # What stands right behind a number without anything between them is unclear, and so is
            # a number behind words that were not understood.
            sound = side.sound if kind == "number" else kind == "word" or said in _ENDS
            side = _Side([], token.start(), sound=sound)
            if kind == "number":
                _take(side, kind, token)
    chain.append(side)
    yield chain


def _take(side: _Side, kind: str, token: re.Match[str]) -> bool:
    """Reads one token into the side; False if the side ended before it."""
    said = token[0]
    last = side.tokens[-1] if side.tokens else ""
    operand = bool(last) and (last[-1].isdigit() or last in ")%")
    if kind == "stop":
        return False
    if kind == "word":
        return _take_word(side, said, operand, token)
    if kind == "number":
        if operand:
            return False
        if token["dots"]:
            side.dots = True
        side.tokens.append(token["number"])
    elif kind == "operator":
        sign = _OPERATORS.get(said.strip(), said.strip())
        side.sound &= operand or (sign == "-" and last in ("", "(", "*", "/", "+"))
        # `6 turns/30 seconds` is a rate, not a quotient.
        side.sound &= not (
            sign == "/" and side.unit_words and token.string[token.start() - 1] != " "
        )
        side.tokens.append(sign)
        side.unit_words = 0
    elif kind == "bracket":
        said = _BRACKETS.get(said, said)
        if said == "(" and operand:
            if token.string[token.start() - 1] not in "0123456789)":
                return False
            side.tokens.append("*")
        elif said == "(" and not last:
            side.sound &= not token.string[token.start() - 1 : token.start()].isalpha()
        side.tokens.append(said)
    elif kind == "percent":
        side.sound &= operand
        side.percent = True
        side.tokens.append("%")
    else:
        side.tokens.append("0")
        side.sound = False
    side.end = token.end()
    side.sound &= len(side.tokens) <= _MOST_TOKENS
    return True


def _take_word(side: _Side, said: str, operand: bool, token: re.Match[str]) -> bool:
    """A word is a unit behind a number, else something that is not understood."""
    word = said.lower()
    if not side.tokens:
        if word in _ABOUT:
            side.about = True
        else:
            # Words before a number lead up to it, unless they do something to it.
            side.sound = word not in _DOUBTFUL and said[0] != "\\" and len(word) > 1
            side.start = token.end()
        return True
    if word == "of" and side.tokens[-1] == "%":
        side.tokens.append("*")
        return True
    if side.tokens[-1] == "/" and len(word) > 1:  # $2/egg
        side.tokens.pop()
    elif not operand:
        side.sound = False
        return True
    if word in _JOINS:
        return False
    before = token.string[token.start() - 1]
    attached = before.isdigit() and said not in _ATTACHED
    if word in _DOUBTFUL or attached or "\\" in (said[0], before):
        side.sound = False
    if len(word) == 1 and word != "a":
        side.sound = False
    side.unit_words += 1
    if side.unit_words > _MOST_UNIT_WORDS:
        return False
    if side.unit_words == 1:
        side.units.append(word.rstrip("s"))
    return True


def _checked(line: str, left: _Side, right: _Side) -> Equation | None:
    """The equation, if it can be checked; one that may only be misread is not called wrong."""
    if not (left.sound and right.sound and left.tokens and right.tokens):
        return None
    # `Day 3 = 2 * 4`: a lone number on the left may be a label.
    if not _COMPUTES.intersection(left.tokens[1:]):
        return None
    about = right.about or left.about or right.dots or left.dots
    stated = Stated(
        right.tokens,
        about=about or bool(_COMPUTES.intersection(right.tokens[1:])),
        broken=any("." in token for token in left.tokens),
        quotient="/" in left.tokens,
    )
    first, second = value_of(left.tokens), value_of(right.tokens)
    if first is None or second is None:
        return None
    holds = agree(first, second, stated, per_cent=left.percent or right.percent)
    if not holds and (
        _decimal_commas(left, right, stated)
        or _run_on(left, right, stated)
        or _doubtful(left, right)
    ):
        return None
    return Equation(
        left=line[left.start : left.end].strip(" $*"),
        right=line[right.start : right.end].strip(" $*"),
        comes_to=first,
        holds=holds,
    )


def _decimal_commas(left: _Side, right: _Side, stated: Stated) -> bool:
    """Whether it holds for a reader to whom 1,234 is little more than one."""
    first, second = (value_of([t.replace(",", ".") for t in side.tokens]) for side in (left, right))
    return first is not None and second is not None and agree(first, second, stated, per_cent=False)


def _run_on(left: _Side, right: _Side, stated: Stated) -> bool:
    """`5 * 2 = 10 + 3 = 13`: wrong as mathematics, usual as a way to note down steps."""
    if len(right.tokens) < 3:
        return False
    first, start = value_of(left.tokens), value_of(right.tokens[:1])
    return first is not None and start is not None and agree(first, start, stated, per_cent=False)


def _doubtful(left: _Side, right: _Side) -> bool:
    """Whether units were converted on the way, or a fraction means something else."""
    units = set(left.units)
    if right.units and units and right.units[0] not in units:
        return True
    if len(right.tokens) > 2 and _FRACTION.fullmatch("".join(left.tokens)):
        return True  # `1/3 = 66 * 1/3`: a third of something is meant
    mixed = len(units) > 1 and bool({"+", "-"} & {*left.tokens, *right.tokens})
    return mixed or _stacked(left.tokens) or _stacked(right.tokens)


def _stacked(tokens: list[str]) -> bool:
    """`6 / 1/2`: meant as a sixth of a half, or as twelve."""
    return any(a == b == "/" for a, b in zip(tokens[1:], tokens[3:], strict=False))
