"""AWS's frames are cut out of a stream wherever its reads are cut, and damage is noticed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converse import frame, framed
from tierwise.wire import eventstream
from tierwise.wire.eventstream import BadFrame, FrameBuffer

Frames = list[tuple[Mapping[str, str], bytes]]


def read(*reads: bytes) -> Frames:
    buffer = FrameBuffer()
    return [one for data in reads for one in buffer.feed(data)]


def test_a_frame_has_headers_and_a_payload() -> None:
    assert read(frame("messageStart", b'{"role":"assistant"}')) == [
        (
            {
                ":event-type": "messageStart",
                ":content-type": "application/json",
                ":message-type": "event",
            },
            b'{"role":"assistant"}',
        )
    ]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.dictionaries(st.text(max_size=20), st.text(max_size=40)), st.binary())),
    st.data(),
)
def test_frames_are_the_same_wherever_reads_are_cut(
    frames: list[tuple[dict[str, str], bytes]], data: st.DataObject
) -> None:
    stream = b"".join(framed(headers, payload) for headers, payload in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*pieces) == frames
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == frames


def test_headers_that_hold_no_strings_are_passed_over() -> None:
    head = (
        b"\x01a\x00" b"\x01b\x04\x00\x00\x00\x01" b"\x01c\x06\x00\x02xy" b"\x01d\x07\x00\x01z"
        b"\x01e\x09" + bytes(16)
    )  # fmt: skip
    prelude = (len(head) + 16).to_bytes(4) + len(head).to_bytes(4)
    whole = prelude + zlib.crc32(prelude).to_bytes(4) + head
    assert read(whole + zlib.crc32(whole).to_bytes(4)) == [({"d": "z"}, b"")]


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 255))
def test_no_damaged_frame_is_believed(place: int, change: int) -> None:
    good = frame("contentBlockDelta", {"delta": {"text": "x" * 100}})
    damaged = bytearray(good)
    damaged[place] ^= change
    with pytest.raises(BadFrame):
        read(bytes(damaged))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_what_is_no_frame_is_refused_or_waited_for(data: bytes) -> None:
    try:
        assert read(data) == []
    except BadFrame:
        return


def test_frames_before_a_bad_one_are_given() -> None:
    buffer = FrameBuffer()
    found: Frames = []
    with pytest.raises(BadFrame):
        found.extend(buffer.feed(frame("a", b"1") + frame("b", b"2") + b"{" * 100))
    assert [payload for _, payload in found] in ([], [b"1", b"2"])
    assert buffer.rest == b"{" * 100


def test_a_large_frame_is_not_read_from_its_beginning_with_every_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[int] = []

    def crc32(data: bytes) -> int:
        checked.append(len(data))
        return zlib.crc32(data)

    monkeypatch.setattr(eventstream, "zlib", SimpleNamespace(crc32=crc32))
    large, small = frame("a", b"x" * 300_000), frame("b", b"{}")
    stream = large + small
    found = read(*(stream[at : at + 1000] for at in range(0, len(stream), 1000)))
    assert [payload for _, payload in found] == [b"x" * 300_000, b"{}"]
    assert len(checked) < 10


def test_a_frame_that_says_it_is_longer_than_any_is_not_waited_for() -> None:
    prelude = (2**31).to_bytes(4) + (0).to_bytes(4)
    with pytest.raises(BadFrame, match="2147483648 bytes"):
        read(prelude + zlib.crc32(prelude).to_bytes(4) + bytes(100))
