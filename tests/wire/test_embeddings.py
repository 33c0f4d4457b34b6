"""Requests for embeddings are read strictly, and vectors keep every digit."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, ValidationError

from tierwise.errors import InvalidRequest, ServerFailed
from tierwise.types import Usage
from tierwise.wire.embeddings import (
    Embeddings,
    EmbeddingsAsked,
    encoded,
    guessed,
    join,
    read_reply,
    read_request,
    write_reply,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def asked(**fields: Any) -> EmbeddingsAsked:
    return read_request(json.dumps({"model": "m", "input": "a text", **fields}).encode())


def test_one_text_and_a_list_of_texts_are_read_alike() -> None:
    assert asked(input="one").texts == ("one",)
    assert asked(input=["one", "two"]).texts == ("one", "two")


def test_tokens_are_read_as_one_text_or_as_several() -> None:
    assert asked(input=[1, 2, 3]).tokens == ((1, 2, 3),)
    assert asked(input=[[1, 2], [3]]).tokens == ((1, 2), (3,))
    assert asked(input=[[1, 2], [3]]).inputs == 2


def test_all_fields_are_read_and_those_of_others_are_kept() -> None:
    found = asked(dimensions=8, encoding_format="base64", user="u", input_type="query")
    assert (found.dimensions, found.base64, found.user) == (8, True, "u")
    assert found.own == {"input_type": Raw(b'"query"')}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"model": ""}, "model"),
        ({"model": 4}, "model"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "8"}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"user": 7}, "user"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked(**fields)
    assert caught.value.param == param
    assert f"`{param}`" in caught.value.message


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": "m"}', b"\xff", b"[" * 100_000])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_request(body)


@settings(deadline=None)
@given(JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for body in (
        value,
        {"model": "m", "input": value},
        {"model": "m", "input": "a", "user": value},
    ):
        try:
            read_request(json.dumps(body).encode())
        except InvalidRequest:
            continue


def test_an_answer_in_the_wanted_encoding_keeps_its_bytes() -> None:
    body = b'{"object": "list", "data":[{"index":0,"embedding":[0.10, 2e-5]}],"model":"m", "x": 1}'
    found = read_reply(body, asked())
    assert write_reply(found, asked(), "m") is body
    renamed = write_reply(found, asked(), "other")
    assert b'"model":"other"' in renamed
    assert b"[0.10, 2e-5]" in renamed


def test_an_answer_in_another_encoding_is_converted() -> None:
    body = b'{"data":[{"index":0,"embedding":[0.5, -2]}],"model":"m","usage":{"prompt_tokens":3}}'
    wanted = asked(encoding_format="base64")
    answer = json.loads(write_reply(read_reply(body, wanted), wanted, "m"))
    assert base64.b64decode(answer["data"][0]["embedding"]) == struct.pack("<2f", 0.5, -2)
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_vectors_come_in_the_order_of_the_inputs() -> None:
    body = b'{"data":[{"index":1,"embedding":[1]},{"index":0,"embedding":[0]}]}'
    found = read_reply(body, asked(input=["a", "b"]))
    assert [bytes(one) for one in found.vectors] == [b"[0]", b"[1]"]
    assert found.body is None


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_floats_survive_base64_and_back(numbers: list[float]) -> None:
    packed = encoded(Raw(json.dumps(numbers).encode()), True)
    assert json.loads(bytes(encoded(packed, False))) == numbers


def test_voyages_total_is_a_usage_and_nonsense_is_none() -> None:
    def usage(text: str) -> Usage | None:
        return read_reply(b'{"data":[],"usage":' + text.encode() + b"}", asked()).usage

    assert usage('{"total_tokens": 7}') == Usage(input_tokens=7)
    assert usage('{"prompt_tokens": 5, "total_tokens": 5}') == Usage(input_tokens=5)
    assert usage('{"prompt_tokens": -5}') is None
    assert usage('"many"') is None


def test_answers_to_several_calls_are_joined_and_their_tokens_added() -> None:
    parts = [
        Embeddings(vectors=(Raw(b"[1]"), Raw(b"[2]")), usage=Usage(input_tokens=2)),
        Embeddings(vectors=(Raw(b"[3]"),), usage=Usage(input_tokens=5)),
    ]
    found = join(parts, asked(input=["a", "b", "c"]))
    assert [bytes(one) for one in found.vectors] == [b"[1]", b"[2]", b"[3]"]
    assert found.usage == Usage(input_tokens=7)


def test_a_missing_vector_is_the_servers_failure() -> None:
    with pytest.raises(ServerFailed, match="1 vectors came for 2 inputs"):
        join([Embeddings(vectors=(Raw(b"[1]"),))], asked(input=["a", "b"]))


def test_tokens_are_guessed_where_nobody_counts() -> None:
    wanted = asked(input=["x" * 40, "y"])
    assert guessed(wanted).input_tokens == 10
    answer = write_reply(Embeddings(vectors=(Raw(b"[1]"), Raw(b"[2]"))), wanted, "m")
    assert json.loads(answer)["usage"]["prompt_tokens"] == 10


@pytest.mark.parametrize("vector", [b"{}", b'"AAAAAAA="', b'["x"]', b"7", b'"AAA"'])
def test_a_vector_that_cannot_be_had_as_it_is_wanted_is_the_servers_failure(vector: bytes) -> None:
    wanted = asked(encoding_format="float" if vector[:1] == b'"' else "base64")
    with pytest.raises(ServerFailed, match="a vector cannot be read"):
        join([Embeddings(vectors=(Raw(vector),))], wanted)


@pytest.mark.filterwarnings("error")
def test_a_number_that_does_not_fit_is_no_vector() -> None:
    with pytest.raises(ValidationError, match="too large"):
        encoded(Raw(b"[1e300]"), as_base64=True)
