"""Server-sent events are framed right however the network cuts them."""

from __future__ import annotations

from typing import Any

import pytest

from tierwise.wire import sse
from tierwise.wire.sse import EventBuffer, EventTooLong, events, is_event, payload, payloads

LF = b'data: {"a":1}\n\n: a comment\n\ndata: first\ndata: second\n\ndata: [DONE]\n\n'
STREAMS = {
    "LF": LF,
    "CRLF": LF.replace(b"\n", b"\r\n"),
    "CR": LF.replace(b"\n", b"\r"),
    "CRLF then LF": LF.replace(b"\n", b"\r\n") + LF,
    "LF then CRLF": LF + LF.replace(b"\n", b"\r\n"),
    "CR then LF": LF.replace(b"\n", b"\r") + LF,
    "UTF-8": "data: größer 東京 🙂\n\ndata: é\n\n".encode(),
    "named": b"event: ping\nid: 7\ndata: x\n\n",
}


def fed(*parts: bytes) -> tuple[bytes, EventBuffer]:
    buffer = EventBuffer()
    return b"".join(buffer.feed(part) for part in parts), buffer


def spoken(block: bytes) -> list[bytes | None]:
    return [payload(event) for event in events(block)]


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_stream_cut_at_any_point_comes_out_as_it_went_in(stream: bytes) -> None:
    for cut in range(len(stream) + 1):
        out, buffer = fed(stream[:cut], stream[cut:])
        assert out + buffer.rest == stream


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_stream_fed_byte_by_byte_gives_the_same_events(stream: bytes) -> None:
    whole, _ = fed(stream)
    out, buffer = fed(*(stream[i : i + 1] for i in range(len(stream))))
    assert out + buffer.rest == stream
    assert spoken(out + buffer.rest) == spoken(whole)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_what_is_given_out_ends_with_an_event(ending: bytes) -> None:
    stream = LF.replace(b"\n", ending)
    for cut in range(1, len(stream)):
        buffer = EventBuffer()
        out = buffer.feed(stream[:cut])
        assert not out or out.endswith(ending * 2)
        assert spoken(out) == spoken(stream)[: len(spoken(out))]


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_no_event_is_left_behind_at_the_end(stream: bytes) -> None:
    _, buffer = fed(stream)
    assert buffer.rest == b""


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_the_last_event_needs_no_blank_line(ending: bytes) -> None:
    buffer = EventBuffer()
    assert buffer.feed(b"data: a\n\ndata: b" + ending) == b"data: a\n\n"
    assert buffer.last() == b"data: b\n\n"
    assert buffer.last() == b""


def test_an_event_is_handed_on_without_waiting_for_the_next() -> None:
    buffer = EventBuffer()
    assert buffer.feed(b"data: 1\n\ndata: 2") == b"data: 1\n\n"
    assert buffer.feed(b"\n") == b""
    assert buffer.feed(b"\n") == b"data: 2\n\n"


class Counting(bytes):
    """Bytes that count how many of them are searched."""

    searched = 0

    def rfind(self, *args: Any) -> int:
        Counting.searched += len(self)
        return super().rfind(*args)

    def __radd__(self, before: bytes) -> Counting:
        return Counting(bytes.__add__(before, self))


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_large_event_is_not_read_from_its_beginning_with_every_piece(size: int) -> None:
    stream = b'data: {"picture":"' + b"A" * (size * 500) + b'"}\n\ndata: 2\n\n'
    buffer, out = EventBuffer(), b""
    Counting.searched = 0
    for at in range(0, len(stream), size):
        out += buffer.feed(Counting(stream[at : at + size]))
    assert out + buffer.rest == stream
    assert Counting.searched < 20 * len(stream)


def test_an_event_without_end_is_not_collected_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_BYTES", 1000)
    buffer = EventBuffer()
    fitting = b"data: " + b"A" * 990 + b"\n\n"
    assert buffer.feed(fitting[:500]) + buffer.feed(fitting[500:]) == fitting
    for _ in range(10):
        assert buffer.feed(b"A" * 100) == b""
    with pytest.raises(EventTooLong, match="more than 1,000 bytes"):
        buffer.feed(b"A")


@pytest.mark.parametrize(
    "stream", [b"\n\ndata: a\n\n", b"\r\n\r\ndata: a\r\n\r\n", b"\r\rdata: a\r\r"]
)
def test_blank_lines_at_the_beginning_do_no_harm(stream: bytes) -> None:
    for cut in range(len(stream) + 1):
        out, buffer = fed(stream[:cut], stream[cut:])
        assert out + buffer.rest == stream
        assert [one for one in spoken(out + buffer.rest) if one is not None] == [b"a"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (b"data: x", b"x"),
        (b"data:x", b"x"),
        (b"data:  x", b" x"),
        (b"data: a\ndata: b", b"a b"),
        (b"data: a\r\ndata: b", b"a b"),
        (b"data: a\rdata: b", b"a b"),
        (b"event: ping\ndata: x", b"x"),
        (b"data:", b""),
        (b": OPENROUTER PROCESSING", None),
        (b"event: ping", None),
    ],
)
def test_the_data_of_an_event_is_its_data_lines_joined(
    event: bytes, expected: bytes | None
) -> None:
    assert payload(event) == expected


def test_a_multibyte_character_survives_a_cut_in_its_middle() -> None:
    stream = STREAMS["UTF-8"]
    cut = stream.index("東".encode()) + 1
    out, _ = fed(stream[:cut], stream[cut:])
    assert [data.decode() for data in spoken(out) if data is not None] == ["größer 東京 🙂", "é"]


def test_the_payloads_of_a_block_are_what_its_events_say() -> None:
    block = b": hi\n\ndata: {}\n\nevent: x\n\ndata:\n\ndata: a\r\ndata: b\r\n\r\ndata: [DONE]\n\n"
    assert list(payloads(block)) == [b"{}", b"a b"]


def test_the_end_marker_is_an_event_like_any_other() -> None:
    assert spoken(LF)[-1] == b"[DONE]"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (b"data: x\n\n", True),
        (b"data\n\n", True),
        (b": hello\n\n", True),
        (b"event: ping\r\n\r\n", True),
        (b"retry: 100\n\n", True),
        (b"\xef\xbb\xbfid: 1\n\n", True),
        (b"\n\n", True),
        (b"<html>\n\n", False),
        (b'{"data": 1}\n\n', False),
        (b"database is down\n\n", False),
    ],
)
def test_an_event_begins_with_a_comment_or_a_field(event: bytes, expected: bool) -> None:
    assert is_event(event) is expected


@pytest.mark.parametrize("place", range(len(b"data: one\n\n\n")))
def test_every_place_of_a_block_is_in_an_event(place: int) -> None:
    block = b"data: one\n\n\n"
    begin, end = sse.event_around(block, place)
    assert begin <= place + 1
    assert end <= len(block)
    assert sse.event_around(block, 2) == (0, 11)
