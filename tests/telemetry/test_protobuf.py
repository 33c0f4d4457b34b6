"""What is written by hand is what the official encoder writes and reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tierwise.telemetry.protobuf import (
    attribute,
    count_attribute,
    double_attribute,
    text_attribute,
    varint,
)


def official(key: str, value: Any) -> bytes:
    if isinstance(value, bool):
        any_value = AnyValue(bool_value=value)
    elif isinstance(value, int):
        any_value = AnyValue(int_value=value)
    elif isinstance(value, float):
        any_value = AnyValue(double_value=value)
    elif isinstance(value, str):
        any_value = AnyValue(string_value=value)
    else:
        items = [AnyValue(string_value=one) for one in value]
        any_value = AnyValue(array_value=ArrayValue(values=items))
    return Span(attributes=[KeyValue(key=key, value=any_value)]).SerializeToString()


TEXTS = st.text(max_size=400)
VALUES = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.lists(TEXTS, max_size=4),
)


@given(st.text(min_size=1, max_size=200), VALUES)
def test_attributes_are_written_as_officially(key: str, value: Any) -> None:
    assert attribute(9, key, value) == official(key, value)


@given(TEXTS)
def test_so_are_texts_with_a_beginning_that_was_kept(value: str) -> None:
    assert text_attribute(9, "some.key", value) == official("some.key", value)


@given(st.floats(allow_nan=False))
def test_so_are_numbers_with_a_beginning_that_was_kept(value: float) -> None:
    assert double_attribute(9, "some.key", value) == official("some.key", value)


@given(st.integers(0, 2**31))
def test_so_are_counts(value: int) -> None:
    assert count_attribute(9, "some.key", value) == official("some.key", value)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16383, "ff7f"),
        (16384, "808001"),
        (2**32, "8080808010"),
    ],
)
def test_numbers_take_as_few_bytes_as_they_can(number: int, written: str) -> None:
    assert varint(number).hex() == written


def test_a_text_without_end_is_cut_and_a_lone_surrogate_no_error() -> None:
    assert len(attribute(9, "k", "x" * 1_000_000)) < 70_000
    Span.FromString(attribute(9, "k", "\ud800"))
