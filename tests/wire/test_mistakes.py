"""What decoders find wrong is said by field, value and remedy, wherever in a request it stands."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Struct

from tierwise.errors import InvalidRequest
from tierwise.wire.mistakes import Mistakes
from tierwise.wire.unreadable import UNREADABLE


class _Piece(Struct):
    text: str | None


class _Asked(Struct):
    model: str
    pieces: list[_Piece] = []
    limits: dict[str, int] = {}


MISTAKES = Mistakes("a JSON object with `model`", {"model": "Name one.", "in.model": "Name it."})


def explained(body: bytes, at: str = "") -> InvalidRequest:
    with pytest.raises(UNREADABLE) as caught:
        msgspec.json.decode(body, type=_Asked)
    return MISTAKES.explained(caught.value, body, at)


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        (b"{}", "model", "`model` is missing. Name one."),
        (
            b'{"model":[1]}',
            "model",
            "`model` must be a string, not a list (got [1]). Name one.",
        ),
        (
            b'{"model":"m","pieces":[{"text":"a"},{"text":5}]}',
            "pieces[1].text",
            "`pieces[1].text` must be a string, not a whole number (got 5).",
        ),
        (b'{"model":"m","pieces":[{}]}', "pieces[0].text", "`pieces[0].text` is missing. Add it."),
        (
            b'{"model":"m","limits":{"a":null}}',
            "limits.*",
            "`limits.*` must be a whole number, not null.",
        ),
        (b"[]", None, "The body must be a JSON object with `model`, not a list."),
    ],
)
def test_a_mistake_is_named_by_field_value_and_remedy(
    body: bytes, param: str | None, said: str
) -> None:
    error = explained(body)
    assert (error.param, error.message) == (param, said)


def test_a_mistake_in_a_part_is_named_by_its_place_in_the_whole() -> None:
    error = explained(b"{}", at="in")
    assert (error.param, error.message) == ("in.model", "`in.model` is missing. Name it.")
    error = explained(b"7", at="in[2]")
    assert (error.param, error.message) == (
        "in[2]",
        "`in[2]` must be an object, not a whole number (got 7).",
    )


def test_a_long_value_is_shown_by_its_beginning() -> None:
    shown = explained(b'{"model":["' + b"x" * 500 + b'"]}').message.partition("(got ")[2]
    assert shown.startswith('["xxx')
    assert shown.endswith("...). Name one.")
    assert len(shown) < 90


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "is not valid JSON"),
        (b" \n", "is empty"),
        (b'{"model":"\xff"}', "is not valid JSON"),
        (b'{"model":"\\ud83d"}', r"contains half a character: `\\ud83d`"),
        (b'{"x":' + b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_no_json_is_said_to_be_none(body: bytes, said: str) -> None:
    whole, part = explained(body), explained(body, at="tools[0]")
    assert (whole.param, part.param) == (None, "tools[0]")
    assert whole.message.startswith("The body ")
    assert part.message.startswith("`tools[0]` ")
    for error in (whole, part):
        assert said.replace("\\\\", "\\") in error.message
