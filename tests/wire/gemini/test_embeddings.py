"""Google's requests for embeddings, read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.errors import InvalidRequest, Unsatisfiable
from tierwise.wire.embeddings import EmbeddingsAsked, read_request
from tierwise.wire.gemini.embeddings import in_googles_words, read_many, read_one

Read = Callable[[bytes, str], EmbeddingsAsked]
_NAMES = st.sampled_from(
    ["requests", "content", "parts", "text", "model", "taskType", "task_type", "title", "role",
     "outputDimensionality", "embedContentConfig"]
) | st.text(max_size=5)  # fmt: skip
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
)


def one(**changes: Any) -> dict[str, Any]:
    return {"content": {"parts": [{"text": "a text"}]}, **changes}


@pytest.mark.parametrize("read", [read_one, read_many])
@given(body=_ANYTHING)
def test_whatever_comes_is_read_or_refused(read: Read, body: object) -> None:
    try:
        asked = read(json.dumps(body).encode(), "m")
    except InvalidRequest:
        return
    assert asked.inputs


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.none() | st.integers(1, 4096))
def test_the_same_is_asked_in_openais_words(texts: list[str], size: int | None) -> None:
    """What goes to providers of that dialect is what their own client would have sent."""
    settings = {} if size is None else {"outputDimensionality": size}
    requests = [{"content": {"parts": [{"text": text}]}, **settings} for text in texts]
    asked = read_many(json.dumps({"requests": requests}).encode(), "m")
    plain = read_request(asked.body)
    assert (plain.model, plain.texts, plain.dimensions) == ("m", tuple(texts), size)
    assert (asked.texts, asked.dimensions, asked.own) == (plain.texts, size, {})


def test_names_are_read_in_either_case() -> None:
    asked = read_one(json.dumps(one(task_type="CLUSTERING", output_dimensionality=4)).encode(), "m")
    assert asked.dimensions == 4
    assert {name: bytes(value) for name, value in asked.own.items()} == {
        "input_type": b'"CLUSTERING"'
    }


@pytest.mark.parametrize("text", ["\\ud800", "a\\udc00b"])
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_one(b'{"content": {"parts": [{"text": "' + text.encode() + b'"}]}}', "m")


def test_what_a_provider_cannot_be_told_is_named_as_its_client_named_it() -> None:
    error = in_googles_words(Unsatisfiable("`dimensions` is 7; send 8.", param="dimensions"))
    assert (error.param, error.message) == (
        "outputDimensionality",
        "`outputDimensionality` is 7; send 8.",
    )
