"""Personal data that has a form of its own: addresses of mail, numbers of telephones and cards.

What has a check digit is checked (cards by Luhn's sum, IBANs by ISO 7064's), so that order numbers
and the like are left alone. Names of people have no form; those take a model: see `presidio.py`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence

from tierwise.guardrails.base import LARGE_CHARS, Span, Text, merged

# Each repetition is bounded, so that no text takes more than a time that grows with its length. A
# pattern that begins with a set of characters is looked for many times faster than one that begins
# with a look behind it, so what may be a number is cut out first, with what stands around it.
_NUMBER = re.compile(r"[+(\d][\d ()./+-]{7,}")
_AROUND = 2
"""Characters that patterns of numbers look at before and after them."""
_CHECKED = re.compile(r"\d\d+")
"""What begins with the check digits of an IBAN, if two letters stand before it."""
_EMAIL = re.compile(
    r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w!#$%&'*+/=?^`{|}~-][\w.!#$%&'*+/=?^`{|}~-]{0,63}"
    r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w@])"
)
_DIGITS = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,40}(?!\w)")
_GROUP = re.compile(r"\d+")
_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|62\d{14,17}|35\d{14}"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ ]?[A-Za-z0-9]){11,30}")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?![\w:])")
_SSN = re.compile(
    r"(?<![\w-])(?!000|666|9)\d{3}(?P<by>[- ])(?!00)\d{2}(?P=by)(?!0000)\d{4}(?![\w-])"
)
_PHONES = (
    re.compile(r"(?<![\w+])\+[1-9]\d{0,2}(?:[ ./-]{0,2}\(?\d{1,5}\)?){2,6}(?!\w)"),
    re.compile(r"(?<![\w+.-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"),
    re.compile(r"(?<![\w+./-])(?<!\d )\(?0[1-9]\d{0,4}\)?(?:[ /.-]\d{2,8}){1,5}(?![\w-])"),
)
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b")
_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
"""Whose IBANs have how many characters (the registry of SWIFT)."""
_IBAN_CHARS = {name: chars for chars, names in _COUNTRIES.items() for name in names.split()}


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def iban_checks(iban: str) -> bool:
    """Whether the check digits are right (ISO 13616 and ISO 7064, modulo 97); no spaces in it."""
    turned = (iban[4:] + iban[:4]).upper()
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def emails(text: str) -> Iterator[Span]:
    """Addresses of mail."""
    if "@" in text:
        yield from (Span(*found.span(), "email") for found in _EMAIL.finditer(text))


def cards(text: str) -> Iterator[Span]:
    """Numbers of payment cards, also where other numbers stand beside them."""
    for before, part in _numbers(text, 13):
        for one in _cards(part):
            yield Span(before + one.start, before + one.end, one.label)


def _cards(text: str) -> Iterator[Span]:
    for run in _DIGITS.finditer(text):
        groups = [found.span() for found in _GROUP.finditer(run[0])]
        after = 0
        for first, (start, _) in enumerate(groups):
            if start < after:
                continue
            for _, end in reversed(groups[first : first + 8]):
                digits = run[0][start:end].replace(" ", "").replace("-", "")
                if _CARD.fullmatch(digits) and luhn(digits):
                    yield Span(run.start() + start, run.start() + end, "card")
                    after = end
                    break


def ibans(text: str) -> Iterator[Span]:
    """Numbers of bank accounts."""
    for digits in _CHECKED.finditer(text):
        found = _IBAN.match(text, digits.start() - 2) if digits.start() > 1 else None
        if found is None:
            continue
        wanted = _IBAN_CHARS.get(found[0][:2].upper())
        if wanted is None:
            continue
        chars = [place for place, char in enumerate(found[0]) if char != " "][:wanted]
        if len(chars) < wanted:
            continue
        end = found.start() + chars[-1] + 1
        goes_on = end < len(text) and text[end].isalnum()
        iban = "".join(found[0][place] for place in chars)
        if not goes_on and iban.isascii() and iban_checks(iban):
            yield Span(found.start(), end, "iban")


def ips(text: str) -> Iterator[Span]:
    """Addresses of the internet, but for those that every machine has."""
    found = [
        one
        for one in _IPV4.finditer(text)
        if not (one.start() and (text[one.start() - 1].isalnum() or text[one.start() - 1] in "._"))
    ]
    if "::" in text or text.count(":") >= 7:
        # A name such as `std::ab` has two colons as well, so fewer than three are no address.
        found += [one for one in _IPV6.finditer(text) if one[0].count(":") > 2]
    for one in found:
        try:
            address = ipaddress.ip_address(one[0])
        except ValueError:
            continue
        if not (address.is_loopback or address.is_unspecified or address.is_multicast):
            yield Span(*one.span(), "ip")


def ssns(text: str) -> Iterator[Span]:
    """Social security numbers of the United States, as they are written: 3, 2 and 4 digits."""
    for before, part in _numbers(text, 9):
        for found in _SSN.finditer(part):
            yield Span(before + found.start(), before + found.end(), "ssn")


def phones(text: str) -> Iterator[Span]:
    """Numbers of telephones: international ones, and national ones that are written in groups."""
    for before, part in _numbers(text, 9):
        for form in _PHONES:
            for found in form.finditer(part):
                digits = sum(char.isdigit() for char in found[0])
                if 9 <= digits <= 15 and not _DATE.match(found[0]):
                    yield Span(before + found.start(), before + found.end(), "phone")


def _numbers(text: str, digits: int) -> Iterator[tuple[int, str]]:
    """What may be numbers of so many digits at least, with what is around them: where each begins
    in the text, and its characters."""
    for found in _NUMBER.finditer(text):
        if sum(char.isdigit() for char in found[0]) >= digits:
            begin = max(0, found.start() - _AROUND)
            yield begin, text[begin : found.end() + _AROUND]


FINDERS: dict[str, Callable[[str], Iterator[Span]]] = {
    "email": emails,
    "card": cards,
    "iban": ibans,
    "ip": ips,
    "ssn": ssns,
    "phone": phones,
}
"""By the word that configurations name them with; of two that begin at one place, the first."""


class PersonalData:
    """Looks for the kinds of personal data that it is told to."""

    def __init__(self, kinds: Sequence[str] = tuple(FINDERS)) -> None:
        self._finders = [FINDERS[kind] for kind in FINDERS if kind in kinds]

    def find(self, text: str) -> list[Span]:
        """What is in one text."""
        return merged(span for finder in self._finders for span in finder(text))

    async def look(self, texts: Sequence[Text]) -> Sequence[Sequence[Span]]:
        """As `Guardrail` has it."""
        said = [one.text for one in texts]
        if sum(map(len, said)) < LARGE_CHARS:
            return [self.find(text) for text in said]
        return await asyncio.to_thread(lambda: [self.find(text) for text in said])
