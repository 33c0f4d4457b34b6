"""Personal data: what is found, and what only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.guardrails.pii import FINDERS, PersonalData, iban_checks, luhn

FOUND = [
    ("email", "Write to ann.lee+news@mail.example.co.uk.", "ann.lee+news@mail.example.co.uk"),
    ("email", "<jörg@müller.example>", "jörg@müller.example"),
    ("email", "mailto:o'neil@example.org?subject=x", "o'neil@example.org"),
    ("card", "4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("card", "card:5500-0000-0000-0004!", "5500-0000-0000-0004"),
    ("card", "Amex 3782 822463 10005", "3782 822463 10005"),
    ("card", "42 4111 1111 1111 1111 12/27", "4111 1111 1111 1111"),
    ("card", "x 4111111111111111, y", "4111111111111111"),
    ("iban", "DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
    ("iban", "IBAN GB82WEST12345698765432.", "GB82WEST12345698765432"),
    ("iban", "to FR14 2004 1010 0505 0001 3M02 606 AND MORE", "FR14 2004 1010 0505 0001 3M02 606"),
    ("ip", "from 203.0.113.77:443", "203.0.113.77"),
    ("ip", "host 2001:db8:0:0:8:800:200c:417a up", "2001:db8:0:0:8:800:200c:417a"),
    ("ip", "[2001:db8::1]", "2001:db8::1"),
    ("ssn", "SSN 078-05-1120.", "078-05-1120"),
    ("phone", "+49 (30) 901820-77", "+49 (30) 901820-77"),
    ("phone", "Call +1-202-555-0143 now", "+1-202-555-0143"),
    ("phone", "(202) 555-0143", "(202) 555-0143"),
    ("phone", "Tel. 030 1234567", "030 1234567"),
    ("phone", "01 23 45 67 89", "01 23 45 67 89"),
    ("phone", "020 7946 0958", "020 7946 0958"),
]
LEFT_ALONE = [
    "a@b", "user @ example.org", "@handle", "foo@bar@", "4111 1111 1111 1112",
    "order 1234567890123456", "0.4111111111111111", "DE89 3704 0044 0532 0130 01",
    "ZZ89 3704 0044 0532 0130 00", "XDE89370400440532013000",
    "version 1.2.3", "999.1.1.1", "127.0.0.1", "224.0.0.1", "::1",
    "std::vector<a>", "12:34:56", "000-12-3456", "666-12-3456", "912-12-3456", "178-05-0000",
    "01.02.2023", "2023-01-02 10:20:30", "12-05-2024 10 20", "3.14159265358979", "100 000 000",
    "10.1000/xyz123", "in 1984 and 2001", "A4:B5", "£1,000,000.00", "1.2.3.4.5",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "value"), FOUND)
def test_it_is_found_whole(kind: str, text: str, value: str) -> None:
    spans = PersonalData().find(text)
    assert [(one.label, text[one.start : one.end]) for one in spans] == [(kind, value)]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert PersonalData().find(text) == []


def test_only_what_is_wanted_is_found() -> None:
    spans = PersonalData(["card"]).find("ann@example.org 4111111111111111")
    assert [one.label for one in spans] == ["card"]


def check_digit(digits: str) -> str:
    return next(str(last) for last in range(10) if luhn(digits + str(last)))


@given(st.text("0123456789", min_size=14, max_size=14))
def test_any_card_with_its_check_digit_is_found_and_none_with_another(rest: str) -> None:
    digits = "4" + rest
    right = check_digit(digits)
    wrong = str((int(right) + 1) % 10)
    assert [s.label for s in FINDERS["card"](digits + right)] == ["card"]
    assert list(FINDERS["card"](digits + wrong)) == []


@given(st.text("0123456789", min_size=15, max_size=15), st.integers(0, 14))
def test_luhn_notices_any_one_digit_that_is_wrong(digits: str, place: int) -> None:
    whole = digits + check_digit(digits)
    other = str((int(whole[place]) + 1) % 10)
    assert luhn(whole)
    assert not luhn(whole[:place] + other + whole[place + 1 :])


@given(st.text("0123456789", min_size=18, max_size=18), st.integers(4, 21))
def test_any_iban_with_its_check_digits_is_found_and_none_with_another_digit(
    account: str, place: int
) -> None:
    check = 98 - int(account + "131400") % 97  # D is 13, E is 14
    iban = f"DE{check:02}{account}"
    other = iban[:place] + str((int(iban[place]) + 1) % 10) + iban[place + 1 :]
    assert iban_checks(iban)
    assert not iban_checks(other)
    assert [s.label for s in FINDERS["iban"](f"to {iban}, please")] == ["iban"]


@given(st.text(max_size=300))
def test_no_text_breaks_it_and_spans_are_in_order(text: str) -> None:
    spans = PersonalData().find(text)
    ends = [0, *(one.end for one in spans)]
    for before, one in zip(ends, spans, strict=False):
        assert before <= one.start < one.end <= len(text)
